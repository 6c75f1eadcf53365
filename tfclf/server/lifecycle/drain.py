"""Versions on their way out: no new request, and closed when the last one under way has ended, or too late."""

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
class _Leaving:
    """A Servable that is to be closed, at the latest `until`."""

    servable: Servable
    until: float


class Drain:
    """Withdraws Servables from a Registry and closes them in `close_done`, never in a request's thread.

    Args:
      seconds: what requests under way get; then they are cancelled.
      wake: called when one has become unused, from any thread.
    """

    def __init__(self, registry: Registry, *, seconds: float, wake: Callable[[], None]) -> None:
        self._registry = registry
        self._seconds = seconds
        self._wake = wake
        self._lock = threading.Lock()
        self._leaving: list[_Leaving] = []

    def withdraw(self, servable: Servable) -> None:
        """Takes a Servable out of the Registry."""
        _log.info("unloading model=%r version=%d", servable.name, servable.version)
        self._registry.states.set(servable.name, servable.version, State(UNLOADING))
        self._registry.withdraw(servable, when_unused=self._wake)
        self._add(servable)

    def swap(self, servable: Servable) -> None:
        """Puts a Servable into the Registry, in one step with taking out the one of that number, if there is one."""
        old = self._registry.add(servable, when_unused=self._wake)
        if old is not None:
            _log.info("replaced model=%r version=%d", servable.name, servable.version)
            self._add(old)

    def due(self) -> float:
        """When the next one is closed at the latest, in `time.monotonic` seconds; infinite if there is none."""
        with self._lock:
            return min((each.until for each in self._leaving), default=math.inf)

    def close_done(self, *, at_once: bool = False) -> None:
        """Closes what no request uses any more, or has been used for too long; or all, at once."""
        now = math.inf if at_once else time.monotonic()
        with self._lock:
            done = [
                each
                for each in self._leaving
                if now >= each.until or not self._registry.in_use(each.servable)
            ]
            self._leaving = [each for each in self._leaving if each not in done]
        for each in done:
            self._close(each.servable)

    def _add(self, servable: Servable) -> None:
        with self._lock:
            self._leaving.append(_Leaving(servable, time.monotonic() + self._seconds))

    def _close(self, servable: Servable) -> None:
        name, version = servable.name, servable.version
        if self._registry.in_use(servable):
            _log.warning("model=%r version=%d is closed under its last requests", name, version)
        servable.close()
        state = self._registry.states.of(name).get(version)
        if state is not None and state.stage == UNLOADING:  # else the number answers again, or will
            self._registry.states.set(name, version, State(END))
        _log.info("unloaded model=%r version=%d", name, version)
