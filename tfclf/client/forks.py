"""Make a fork wait for the gRPC requests in flight.

gRPC prepares itself for a fork only if no thread is inside it at that moment. Otherwise it skips
its preparation, and now and then aborts the child at the child's first requests.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_WAIT = 10.0  # seconds; then the process forks all the same


class Gate:
    """Lets requests in, any number at once, and shuts while a thread forks."""

    def __init__(self) -> None:
        self.renew()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Be inside for one request; wait first while a thread forks."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forks)
            self._requests += 1
        try:
            yield
        finally:
            with self._changed:
                self._requests -= 1
                self._changed.notify_all()

    def shut(self) -> None:
        """Keep new requests out, and wait for those inside, for 10 seconds at most."""
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._requests, _LONGEST_WAIT)

    def open(self) -> None:
        """Let requests in again, unless another thread forks too."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def renew(self) -> None:
        """Begin anew, in a child: the threads that were inside or forked exist in its parent."""
        self._changed = threading.Condition()
        self._requests = 0
        self._forks = 0


GATE = Gate()
os.register_at_fork(before=GATE.shut, after_in_parent=GATE.open, after_in_child=GATE.renew)
