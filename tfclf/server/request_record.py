"""What is told of a request once it has ended: to the log, to the metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode


@dataclass(frozen=True)
class RequestRecord:
    """A request that has got its answer or its error. Its repr shows no text, no error message, which may quote one.

    Attributes:
      method: the RPC, such as Predict.
      protocol: grpc or rest.
      model, signature: as the request names them; they come from outside, any characters may be in them.
      code: how it ended.
      seconds: from the transport's call to the end.
      version: that answered, or that the request asked for; None where neither says one.
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

    @property
    def rows(self) -> int | None:
        """Rows of a Predict's first input, as the client states them, or tf.Examples; None for other requests."""
        for tensor in getattr(self.request, "inputs", {}).values():
            return tensor.tensor_shape.dim[0].size if tensor.tensor_shape.dim else None
        if (given := getattr(self.request, "input", None)) is not None and (
            kind := given.WhichOneof("kind")
        ):
            return len(getattr(given, kind).examples)
        return None


Observer = Callable[[RequestRecord], None]
