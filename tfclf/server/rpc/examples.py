"""tf.Examples in, tensors out: the part that Classify, Regress and MultiInference share.

Source: TF Serving, servables/tensorflow/util.cc.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.input_pb2 import Input

from tfclf.server.context import RequestContext
from tfclf.server.rpc.tensors import MOST_REPEATED_BYTES
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.session import Output
from tfclf.server.status import invalid_argument


@dataclass(frozen=True)
class ExampleOutputs:
    """The outputs of a run on tf.Examples.

    Attributes:
      batch: the number of tf.Examples.
      tensors: outputs by the name of the tensor in the graph.
    """

    batch: int
    tensors: Mapping[str, Output]


def run_examples(
    servable: Servable,
    sent: Input,
    feeds: Sequence[str],
    fetches: Sequence[str],
    *,
    call: RequestContext | None = None,
) -> ExampleOutputs:
    """Run the graph once on serialized tf.Examples: `feeds` -> `fetches`, both names of tensors.

    Each of `feeds` gets all examples.

    Raises: RequestError.
    """
    examples = serialize_examples(sent)
    outputs = servable.run(dict.fromkeys(feeds, examples), fetches, call=call)
    return ExampleOutputs(len(examples), dict(zip(fetches, outputs, strict=True)))


def serialize_examples(sent: Input) -> NDArray[np.object_]:
    """Return the serialized tf.Examples of an Input: string[batch].

    A context's bytes precede each example's. Of two features with one name the graph's parser takes
    the last, so the example's feature wins, unless it has no kind.

    Unlike TF Serving, refuse a context whose repetition fills more than 64 MiB.

    Raises: RequestError.
    """
    context = b""
    if sent.WhichOneof("kind") == "example_list_with_context":
        examples = sent.example_list_with_context.examples
        context = sent.example_list_with_context.context.SerializeToString()
    else:
        examples = sent.example_list.examples  # empty if no kind is set
    if not examples:
        raise invalid_argument("Input is empty.")
    if len(context) * (len(examples) - 1) > MOST_REPEATED_BYTES:
        raise invalid_argument(
            f"A context of {len(context):,} bytes for {len(examples):,} examples; "
            f"its repetition fills {MOST_REPEATED_BYTES:,} bytes at most"
        )
    array = np.empty(len(examples), dtype=object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array


def debug_string(signature: SignatureDef) -> str:
    """Return a signature as TF Serving quotes it in messages."""
    text: str = text_format.MessageToString(signature, as_utf8=False)
    return text


def shape_string(array: NDArray[Any]) -> str:
    """Return a shape as TensorFlow quotes it in messages.

    >>> shape_string(np.zeros((2, 3)))
    '[2,3]'
    """
    return f"[{','.join(map(str, array.shape))}]"
