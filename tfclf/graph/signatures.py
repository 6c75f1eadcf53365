"""The SavedModel signatures, as records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfclf.graph.serving_graph import Outputs, ServingGraph
from tfclf.problem_types import CLASSIFICATION, PROBLEM_TYPES, REGRESSION
from tfclf.saved_model import signature_names as names

PREDICT = tf.saved_model.PREDICT_METHOD_NAME
CLASSIFY = tf.saved_model.CLASSIFY_METHOD_NAME
REGRESS = tf.saved_model.REGRESS_METHOD_NAME


@dataclass(frozen=True)
class Signature:
    """One signature.

    >>> signature = next(one for one in SIGNATURES if one.name == "pairs")
    >>> list(signature.inputs), signature.method_name
    (['text', 'text_pair'], 'tensorflow/serving/predict')

    Attributes:
      inputs: by name, in the order of the method's arguments.
      method: of the graph; computes the outputs.
      problem_types: the models that have this signature.
      method_name: TF Serving's name of the RPC that the signature is made for.
      xla: whether XLA compiles a part of it, which not every engine can have.
    """

    name: str
    inputs: Mapping[str, tf.TensorSpec]
    method: Callable[..., Outputs]
    problem_types: tuple[str, ...] = PROBLEM_TYPES
    method_name: str = PREDICT
    xla: bool = False

    def trace(self, graph: ServingGraph) -> tf.types.experimental.GenericFunction:
        """Return a tf.function of `graph`, traced on its first call or when it is saved."""
        specs = [
            tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in self.inputs.items()
        ]
        method = self.method

        def answer(*inputs: tf.Tensor) -> Outputs:
            return method(graph, *inputs)

        answer.__name__ = self.name
        return tf.function(answer, input_signature=specs, autograph=False)


_TEXT = tf.TensorSpec([None], tf.string)
_COUNT = tf.TensorSpec([None], tf.int32)
_IDS = tf.TensorSpec([None, None], tf.int32)
_EXAMPLES = {"inputs": _TEXT}
_TWO_TEXTS = {"text": _TEXT, "text_pair": _TEXT}
_TEXT_AND_STRIDE = {"text": _TEXT, "stride": _COUNT}
_MASKED_IDS = {"input_ids": _IDS, "attention_mask": _IDS}

SIGNATURES = (
    Signature(names.SERVING_DEFAULT, {"text": _TEXT}, ServingGraph.classify_text),
    Signature(names.CLASSIFY, _EXAMPLES, ServingGraph.classify_examples, CLASSIFICATION, CLASSIFY),
    Signature(names.REGRESS, _EXAMPLES, ServingGraph.regress_examples, (REGRESSION,), REGRESS),
    Signature(names.PAIRS, _TWO_TEXTS, ServingGraph.classify_pairs),
    Signature(names.TOKENIZE, {"text": _TEXT}, ServingGraph.tokenize),
    Signature(names.ENCODE, _MASKED_IDS, ServingGraph.encode),
    # `predict` calls these: they also tell which rows were truncated. `serving_default` and `pairs`
    # keep to the outputs that other tools rely on.
    Signature(names.DETAIL, {"text": _TEXT}, ServingGraph.detail),
    Signature(names.DETAIL_PAIRS, _TWO_TEXTS, ServingGraph.detail_pairs),
    Signature(names.WINDOWS, _TEXT_AND_STRIDE, ServingGraph.classify_windows),
    Signature(names.EXPLAIN, {"text": _TEXT}, ServingGraph.explain),
    Signature(names.EXPLAIN_PAIRS, _TWO_TEXTS, ServingGraph.explain_pairs),
    Signature(names.EXPLAIN_WINDOWS, _TEXT_AND_STRIDE, ServingGraph.explain_windows),
    Signature(names.SERVING_XLA, {"text": _TEXT}, ServingGraph.classify_text_xla, xla=True),
    Signature(names.DETAIL_XLA, {"text": _TEXT}, ServingGraph.detail_xla, xla=True),
)


def signatures_of(graph: ServingGraph) -> tuple[Signature, ...]:
    """Return the signatures of `graph`'s problem type.

    XLA's only if the engine has such a part, those of pairs only if the model takes them.
    """
    return tuple(
        signature
        for signature in SIGNATURES
        if graph.problem_type in signature.problem_types
        and (graph.ladder or not signature.xla)
        and (graph.takes_pairs or signature.inputs is not _TWO_TEXTS)
    )
