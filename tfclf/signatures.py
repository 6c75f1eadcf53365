"""The SavedModel signatures, as records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tfclf.graph import Graph, Outputs


@dataclass(frozen=True)
class Signature:
    """One signature: its name, its inputs in order, and the graph's method that answers it."""

    name: str
    inputs: Mapping[str, tf.TensorSpec]
    method: Callable[..., Outputs]

    def trace(self, graph: Graph) -> tf.types.experimental.GenericFunction:
        """The signature as a tf.function of `graph`, not yet traced."""
        specs = [tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in self.inputs.items()]
        method = self.method

        def answer(*inputs: tf.Tensor) -> Outputs:
            return method(graph, *inputs)

        answer.__name__ = self.name
        return tf.function(answer, input_signature=specs, autograph=False)


_TEXT = tf.TensorSpec([None], tf.string)
_IDS = tf.TensorSpec([None, None], tf.int32)

XLA = "serving_xla"

# Those of every export.
SIGNATURES = (
    Signature("serving_default", {"text": _TEXT}, Graph.classify_text),
    Signature("classify", {"inputs": _TEXT}, Graph.classify_examples),
    Signature("pairs", {"text": _TEXT, "text_pair": _TEXT}, Graph.classify_pairs),
    Signature("tokenize", {"text": _TEXT}, Graph.tokenize),
    Signature("encode", {"input_ids": _IDS, "attention_mask": _IDS}, Graph.encode),
)
_XLA = Signature(XLA, {"text": _TEXT}, Graph.classify_text_xla)


def signatures_of(graph: Graph) -> tuple[Signature, ...]:
    """Those that `graph` can answer: without a ladder there is no `serving_xla`."""
    return (*SIGNATURES, _XLA) if graph.ladder else SIGNATURES
