"""How much one request may ask for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tfclf.server.status import invalid_argument


@dataclass(frozen=True)
class Limits:
    """What a request may hold; TF Serving knows the message size alone.

    Attributes:
      max_message_bytes: of a request as it travels.
      max_texts: strings in one tensor, so rows of a model of ours.
      max_text_bytes: of all strings of a tensor together.
      max_concurrent_requests: that are answered or wait for an answer; more are refused at once.
    """

    max_message_bytes: int = 1 << 28
    max_texts: int = 1 << 15
    max_text_bytes: int = 1 << 26
    max_concurrent_requests: int = 1_024

    def check(
        self, feeds: Mapping[str, NDArray[Any]], *, called: Callable[[str], str] = str
    ) -> None:
        """Raises: RequestError where a tensor of strings is beyond a limit.

        Args:
          called: what a client calls the tensor of a name.
        """
        for name, array in feeds.items():
            if array.dtype != object:
                continue
            if array.size > self.max_texts:
                raise invalid_argument(
                    f"{called(name)} has {array.size:,} strings; this server takes {self.max_texts:,} in a request "
                    f"(--max_texts). Send them in several requests."
                )
            size = sum(map(len, array.flat))
            if size > self.max_text_bytes:
                raise invalid_argument(
                    f"{called(name)} has {size:,} bytes of strings; this server takes {self.max_text_bytes:,} in "
                    f"a request (--max_text_bytes). Send shorter texts, or fewer at once."
                )
