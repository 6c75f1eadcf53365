"""One request under way, as its transport sees it: how long it may take, and whether anybody still waits for it."""

import threading
import time
from collections.abc import Callable

from grpc import StatusCode

from tfclf.server.status import RequestError


class RequestContext:
    """A request's deadline, and its client's presence. A transport makes one for each request.

    Args:
      timeout: seconds from now; None: no limit.

    Attributes:
      method: the RPC.
      cancelled: whether the client has hung up; nothing more need be computed.
    """

    def __init__(self, *, timeout: float | None = None) -> None:
        self.method = ""
        # gRPC gives a request without a deadline one in the far future, longer than a lock could wait.
        self._end = (
            None
            if timeout is None or timeout > threading.TIMEOUT_MAX
            else time.monotonic() + timeout
        )
        self.cancelled = False
        self._when_cancelled: list[Callable[[], None]] = []

    def time_left(self) -> float | None:
        """Seconds to the deadline; None without one.

        Raises: RequestError where it has passed: nobody listens any more, so nothing is to be computed.
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
        """The client has hung up."""
        self.cancelled = True
        for callback in self._when_cancelled:
            callback()

    def when_cancelled(self, callback: Callable[[], None]) -> None:
        """Calls it as soon as the client hangs up, in another thread; at once if it has."""
        self._when_cancelled.append(callback)
        if self.cancelled:
            callback()
