"""The record of a finished request, which the log and the metrics observe."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode


@dataclass(frozen=True)
class RequestRecord:
    """A request that has got its answer or its error.

    Its repr shows neither texts nor an error message, which may quote one.

    >>> RequestRecord("Predict", "grpc", "demo", "", StatusCode.OK, 0.25).rows is None
    True

    Attributes:
      method: the RPC, such as Predict.
      protocol: grpc or rest.
      model, signature: as the client names them; any character may be in them.
      code: the status that it ended with.
      seconds: from the transport's call to the end.
      version: the version that answered or that the request named; None if neither is known.
      request_id, traceparent: see RequestContext.
      request: the message itself, with its texts; observers must not keep it.
    """

    method: str
    protocol: str
    model: str
    signature: str
    code: StatusCode
    seconds: float
    version: int | None = None
    request: Any = field(default=None, repr=False)
    request_id: str = ""
    traceparent: str = field(default="", repr=False)

    @property
    def rows(self) -> int | None:
        """Rows of a Predict's first input, as the client states them, or tf.Examples; else None."""
        for tensor in getattr(self.request, "inputs", {}).values():
            return tensor.tensor_shape.dim[0].size if tensor.tensor_shape.dim else None
        examples = getattr(self.request, "input", None)
        kind = None if examples is None else examples.WhichOneof("kind")
        return None if kind is None else len(getattr(examples, kind).examples)


Observer = Callable[[RequestRecord], None]
