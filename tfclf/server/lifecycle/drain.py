"""Draining versions: no new requests; closed after the last in-flight one or the grace period."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.states import END, UNLOADING, State

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Draining:
    """A Servable and its deadline, in `time.monotonic` seconds."""

    servable: Servable
    deadline: float


class Drain:
    """The draining Servables of a Registry; `close_done` closes them, never a request's thread.

    Args:
      seconds: the grace period of in-flight requests, which are cancelled after it.
      wake: called when a Servable has become unused, from any thread.
    """

    def __init__(self, registry: Registry, *, seconds: float, wake: Callable[[], None]) -> None:
        self._registry = registry
        self._seconds = seconds
        self._wake = wake
        self._lock = threading.Lock()
        self._draining: list[_Draining] = []

    def withdraw(self, servable: Servable) -> None:
        """Take a Servable out of the Registry and let it drain."""
        _log.info("unloading model=%r version=%d", servable.name, servable.version)
        self._registry.states.set(servable.name, servable.version, State(UNLOADING))
        self._registry.withdraw(servable, when_unused=self._wake)
        self._add(servable)

    def swap(self, servable: Servable) -> None:
        """Put a Servable into the Registry, in one step with taking out one of the same number."""
        old = self._registry.add(servable, when_unused=self._wake)
        if old is not None:
            _log.info("replaced model=%r version=%d", servable.name, servable.version)
            self._add(old)

    def due(self) -> float:
        """Return the earliest deadline, in `time.monotonic` seconds; infinite if nothing drains."""
        with self._lock:
            return min((each.deadline for each in self._draining), default=math.inf)

    def close_done(self, *, at_once: bool = False) -> None:
        """Close what no request uses any more, and what is past its deadline; or all at once."""
        now = math.inf if at_once else time.monotonic()
        with self._lock:
            done = [
                each
                for each in self._draining
                if now >= each.deadline or not self._registry.in_use(each.servable)
            ]
            self._draining = [each for each in self._draining if each not in done]
        for each in done:
            self._close(each.servable)

    def _add(self, servable: Servable) -> None:
        with self._lock:
            self._draining.append(_Draining(servable, time.monotonic() + self._seconds))

    def _close(self, servable: Servable) -> None:
        name, version = servable.name, servable.version
        if self._registry.in_use(servable):
            _log.warning("model=%r version=%d is closed under its last requests", name, version)
        servable.close()
        state = self._registry.states.of(name).get(version)
        if state is not None and state.stage == UNLOADING:  # else that number was reloaded
            self._registry.states.set(name, version, State(END))
        _log.info("unloaded model=%r version=%d", name, version)
