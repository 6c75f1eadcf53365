"""Small SavedModels with Classify and Regress signatures: good ones, and all kinds of bad ones.

All read tf.Examples with x: float (0 by default) and name: bytes ("" by default).
"""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

# Signatures of one input: the RPC of each, and the tensors of `_tensors` that it outputs.
_OF_ONE_INPUT: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "serving_default": ("classify", {"classes": "classes", "scores": "scores"}),
    "only_classes": ("classify", {"classes": "classes"}),
    "only_scores": ("classify", {"scores": "scores"}),
    "no_classes": ("classify", {"classes": "no classes"}),
    "drawn": ("classify", {"scores": "draws"}),
    "regress": ("regress", {"outputs": "x"}),
    "regress_column": ("regress", {"outputs": "column"}),
    "draw": ("regress", {"outputs": "draw"}),
    "slow": ("regress", {"outputs": "slow"}),
    "checked": ("regress", {"outputs": "checked"}),
    "made_for_predict": ("predict", {"scores": "scores"}),
    "made_for_nothing": ("", {"outputs": "x"}),
    # wrong signatures
    "three_outputs": ("classify", {"classes": "classes", "scores": "scores", "whole": "whole"}),
    "other_outputs": ("classify", {"probabilities": "scores"}),
    "classes_beside_other": ("classify", {"classes": "classes", "other": "whole"}),
    "same_tensor_twice": ("classify", {"classes": "classes", "scores": "classes"}),
    "two_regress_outputs": ("regress", {"outputs": "x", "more": "column"}),
    "other_regress_outputs": ("regress", {"values": "x"}),
    # wrong tensors
    "flat_classes": ("classify", {"classes": "name"}),
    "flat_scores": ("classify", {"scores": "x"}),
    "scalar_scores": ("classify", {"scores": "sum"}),
    "whole_classes": ("classify", {"classes": "whole"}),
    "double_scores": ("classify", {"scores": "double"}),
    "one_row_of_classes": ("classify", {"classes": "first classes"}),
    "one_row_of_scores": ("classify", {"scores": "first scores"}),
    "three_classes": ("classify", {"classes": "three classes", "scores": "scores"}),
    "wide_values": ("regress", {"outputs": "scores"}),
    "scalar_value": ("regress", {"outputs": "sum"}),
    "one_value": ("regress", {"outputs": "first x"}),
    "double_values": ("regress", {"outputs": "double x"}),
}
SIGNATURES = (
    *_OF_ONE_INPUT,
    "elsewhere",
    "two_inputs",
    "two_regress_inputs",
    "other_input",
    "other_regress_input",
)


def save_scorer(folder: Path) -> None:
    """Save a model as TF1 does: its signatures name their methods and may share an input."""
    v1 = tf.compat.v1
    info = v1.saved_model.build_tensor_info
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], name="tf_example")
        others = v1.placeholder(tf.string, [None], name="other_example")
        tensors = _tensors(examples)

        def signature(method: str, outputs: Mapping[str, str], **inputs: tf.Tensor) -> SignatureDef:
            return v1.saved_model.build_signature_def(
                {alias: info(tensor) for alias, tensor in inputs.items()},
                {alias: info(tensors[name]) for alias, name in outputs.items()},
                f"tensorflow/serving/{method}" if method else "",
            )

        scores, value = {"scores": "scores"}, {"outputs": "x"}
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                **{name: signature(*row, inputs=examples) for name, row in _OF_ONE_INPUT.items()},
                "elsewhere": signature("regress", value, inputs=others),
                "two_inputs": signature("classify", scores, inputs=examples, more=others),
                "two_regress_inputs": signature("regress", value, inputs=examples, more=others),
                "other_input": signature("classify", scores, examples=examples),
                "other_regress_input": signature("regress", value, examples=examples),
            },
        )
        builder.save()


def _tensors(examples: tf.Tensor) -> dict[str, tf.Tensor]:
    x, name = _parse(examples)
    scores = tf.stack([x, x / 2], axis=1)
    classes = tf.stack([name, tf.strings.join(["not ", name])], axis=1)
    draw = tf.random.uniform(tf.shape(x))
    steps = tf.cast(x[0], tf.int32)
    loop = tf.while_loop(
        lambda i, _: i < steps, lambda i, y: (i + 1, y @ y * 0.001), [0, tf.ones([200, 200])]
    )
    return {
        "x": x,
        "first x": x[:1],
        "double x": tf.cast(x, tf.float64),
        "sum": tf.reduce_sum(x),
        "column": x[:, tf.newaxis],
        "name": name,
        "scores": scores,
        "first scores": scores[:1],
        "whole": tf.cast(scores, tf.int32),
        "double": tf.cast(scores, tf.float64),
        "classes": classes,
        "first classes": classes[:1],
        "three classes": tf.concat([classes, classes[:, :1]], axis=1),
        "no classes": classes[:, :0],
        "draw": draw,  # new in each run, but the same within a run
        "draws": tf.stack([draw, draw], axis=1),
        "slow": tf.zeros_like(x) + loop[1][0, 0],
        "checked": tf.debugging.check_numerics(x, "x is no number"),
    }


def _parse(examples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    features = {
        "x": tf.io.FixedLenFeature([], tf.float32, default_value=0.0),
        "name": tf.io.FixedLenFeature([], tf.string, default_value=""),
    }
    parsed = tf.io.parse_example(examples, features)
    return parsed["x"], parsed["name"]


class NativeScorer(tf.Module):
    """A model as TF2 saves it: every signature names Predict and has an input of its own."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        x, name = _parse(inputs)
        return {"classes": tf.stack([name, name], axis=1), "scores": tf.stack([x, -x], axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": _parse(inputs)[0]}


def save_native_scorer(folder: Path) -> None:
    scorer = NativeScorer()
    tf.saved_model.save(
        scorer, str(folder), signatures={"classify": scorer.classify, "regress": scorer.regress}
    )
