"""tf.Examples in, tensors out: what Classify, Regress and MultiInference have in common.

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
from tfclf.server.runtime.session import Fetched
from tfclf.server.status import invalid_argument


@dataclass(frozen=True)
class Computed:
    """What a run gave.

    Attributes:
      batch: the number of tf.Examples that it was given.
      tensors: by the name of the tensor in the graph.
    """

    batch: int
    tensors: Mapping[str, Fetched]


def compute(
    servable: Servable,
    sent: Input,
    feed: str,
    fetches: Sequence[str],
    *,
    call: RequestContext | None = None,
) -> Computed:
    """Runs the graph once on serialized tf.Examples: `feed` -> `fetches`, both names of tensors.

    Raises: RequestError.
    """
    examples = from_input(sent)
    fetched = servable.run({feed: examples}, fetches, call=call)
    return Computed(len(examples), dict(zip(fetches, fetched, strict=True)))


def from_input(sent: Input) -> NDArray[np.object_]:
    """The tf.Examples of an Input, serialized: string[batch].

    A context stands before each example as its first bytes. The graph's parser takes the last of two features of
    one name, so the example's counts, unless it is of no kind.

    Refused, though TF Serving takes it: a context whose repetition fills more than 64 MiB.

    Raises: RequestError.
    """
    context = b""
    if sent.WhichOneof("kind") == "example_list_with_context":
        examples = sent.example_list_with_context.examples
        context = sent.example_list_with_context.context.SerializeToString()
    else:
        examples = sent.example_list.examples  # empty where no kind is set
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
    """A signature as TF Serving quotes it in messages."""
    text: str = text_format.MessageToString(signature, as_utf8=False)
    return text


def shape_string(array: NDArray[Any]) -> str:
    """A shape as TensorFlow quotes it in messages.

    >>> shape_string(np.zeros((2, 3)))
    '[2,3]'
    """
    return f"[{','.join(map(str, array.shape))}]"
