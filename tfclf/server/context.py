"""A request in flight, as its transport sees it: its deadline, and whether its client waits."""

import threading
import time
from collections.abc import Callable

from grpc import StatusCode

from tfclf.server.status import RequestError


class RequestContext:
    """The deadline of a request and the presence of its client; a transport makes one per request.

    >>> context = RequestContext()  # no deadline
    >>> context.time_left() is None
    True
    >>> context.cancel()
    >>> context.time_left()
    Traceback (most recent call last):
      ...
    tfclf.server.status.RequestError: Cancelled

    Args:
      timeout: seconds from now; None: no deadline.
      request_id: see request_id.py; empty for a request that no transport brought.
      traceparent: the client's trace, by W3C Trace Context; empty if there is none.

    Attributes:
      method: the RPC.
      cancelled: whether the client has hung up; nothing more need be computed then.
      beside: what the transport sends beside the response, by key; see saved_model/model_list.py.
    """

    def __init__(
        self, *, timeout: float | None = None, request_id: str = "", traceparent: str = ""
    ) -> None:
        self.method = ""
        self.request_id = request_id
        self.traceparent = traceparent
        # gRPC gives a request without a deadline one in the far future, which no lock can wait for.
        if timeout is not None and timeout > threading.TIMEOUT_MAX:
            timeout = None
        self._end = None if timeout is None else time.monotonic() + timeout
        self.cancelled = False
        self.beside: dict[str, str] = {}
        self._when_cancelled: list[Callable[[], None]] = []

    def time_left(self) -> float | None:
        """Return the seconds to the deadline; None without one.

        Raises: RequestError if the deadline has passed or the client has hung up: nobody would read
          an answer, so none is computed.
        """
        if self.cancelled:
            raise RequestError(StatusCode.CANCELLED, "Cancelled")
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise RequestError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        return left

    def cancel(self) -> None:
        """Note that the client has hung up."""
        self.cancelled = True
        for callback in self._when_cancelled:
            callback()

    def when_cancelled(self, callback: Callable[[], None]) -> None:
        """Register a callback for when the client hangs up; call it at once if it has.

        It runs in the thread that reports the hang-up.
        """
        self._when_cancelled.append(callback)
        if self.cancelled:
            callback()
