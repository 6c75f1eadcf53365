"""Limits of one request, and of concurrent requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tfclf.server.status import invalid_argument


@dataclass(frozen=True)
class Limits:
    """Limits of a request; TF Serving itself has only the message size.

    Attributes:
      max_message_bytes: bytes of a request on the wire.
      max_texts: strings in one tensor, which are the rows of an export of tfclf.
      max_text_bytes: bytes of all strings of a tensor together.
      max_concurrent_requests: requests in flight, waiting ones included; more are refused at once.
    """

    max_message_bytes: int = 1 << 28
    max_texts: int = 1 << 15
    max_text_bytes: int = 1 << 26
    max_concurrent_requests: int = 1_024

    def check(
        self, feeds: Mapping[str, NDArray[Any]], *, called: Callable[[str], str] = str
    ) -> None:
        """Check every tensor of strings against the limits.

        >>> import numpy as np
        >>> Limits(max_texts=2).check({"text": np.array([b"a", b"b"], object)})
        >>> Limits(max_texts=1).check({"text": np.array([b"a", b"b"], object)})
        Traceback (most recent call last):
          ...
        tfclf.server.status.RequestError: text has 2 strings; this server takes 1 in a request ...

        Args:
          called: gives the name by which the client knows a tensor.
        Raises: RequestError if a tensor exceeds a limit.
        """
        for name, array in feeds.items():
            if array.dtype != object:
                continue
            if array.size > self.max_texts:
                raise invalid_argument(
                    f"{called(name)} has {array.size:,} strings; this server takes "
                    f"{self.max_texts:,} in a request (--max_texts). Send them in several requests."
                )
            size = sum(map(len, array.flat))
            if size > self.max_text_bytes:
                raise invalid_argument(
                    f"{called(name)} has {size:,} bytes of strings; this server takes "
                    f"{self.max_text_bytes:,} in a request (--max_text_bytes). "
                    f"Send shorter texts, or fewer at once."
                )
