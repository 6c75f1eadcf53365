"""The SavedModel signatures, as records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfclf.graph.serving_graph import Graph, Outputs
from tfclf.problem_types import CLASSIFICATION, PROBLEM_TYPES, REGRESSION
from tfclf.saved_model import signature_names as names

PREDICT = tf.saved_model.PREDICT_METHOD_NAME
CLASSIFY = tf.saved_model.CLASSIFY_METHOD_NAME
REGRESS = tf.saved_model.REGRESS_METHOD_NAME


@dataclass(frozen=True)
class Signature:
    """One signature.

    Attributes:
      inputs: by name, in the order of the method's arguments.
      method: the graph's, that answers it.
      problem_types: of the models that have it.
      method_name: TF Serving's name of the RPC that it is made for.
      xla: whether XLA compiles a part of it, which not every engine can have.
    """

    name: str
    inputs: Mapping[str, tf.TensorSpec]
    method: Callable[..., Outputs]
    problem_types: tuple[str, ...] = PROBLEM_TYPES
    method_name: str = PREDICT
    xla: bool = False

    def trace(self, graph: Graph) -> tf.types.experimental.GenericFunction:
        """The signature as a tf.function of `graph`, not yet traced."""
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

SIGNATURES = (
    Signature(names.SERVING_DEFAULT, {"text": _TEXT}, Graph.classify_text),
    Signature(names.CLASSIFY, {"inputs": _TEXT}, Graph.classify_examples, CLASSIFICATION, CLASSIFY),
    Signature(names.REGRESS, {"inputs": _TEXT}, Graph.regress_examples, (REGRESSION,), REGRESS),
    Signature(names.PAIRS, {"text": _TEXT, "text_pair": _TEXT}, Graph.classify_pairs),
    Signature(names.TOKENIZE, {"text": _TEXT}, Graph.tokenize),
    Signature(names.ENCODE, {"input_ids": _IDS, "attention_mask": _IDS}, Graph.encode),
    # What `predict` calls: it tells which rows were cut. `serving_default` and `pairs` keep to the contract.
    Signature(names.DETAIL, {"text": _TEXT}, Graph.detail),
    Signature(names.DETAIL_PAIRS, {"text": _TEXT, "text_pair": _TEXT}, Graph.detail_pairs),
    Signature(names.WINDOWS, {"text": _TEXT, "stride": _COUNT}, Graph.classify_windows),
    Signature(names.SERVING_XLA, {"text": _TEXT}, Graph.classify_text_xla, xla=True),
    Signature(names.DETAIL_XLA, {"text": _TEXT}, Graph.detail_xla, xla=True),
)


def signatures_of(graph: Graph) -> tuple[Signature, ...]:
    """Those that `graph` can answer: of its problem type, and for XLA only with an engine that XLA can compile."""
    return tuple(
        signature
        for signature in SIGNATURES
        if graph.problem_type in signature.problem_types and (graph.ladder or not signature.xla)
    )
