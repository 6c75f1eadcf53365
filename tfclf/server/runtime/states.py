"""The last known state of each version: the memory behind GetModelStatus.

Source: TF Serving, core/servable_state_monitor.cc, which remembers the last state of every version
since the server's start, unloaded versions included.
"""

import threading
from dataclasses import dataclass

from grpc import StatusCode
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

START = ModelVersionStatus.START
LOADING = ModelVersionStatus.LOADING
AVAILABLE = ModelVersionStatus.AVAILABLE
UNLOADING = ModelVersionStatus.UNLOADING
END = ModelVersionStatus.END

# A model whose versions are dates or counters would otherwise collect states for as long as the
# server runs.
_MOST_ENDED = 1_000


@dataclass(frozen=True)
class State:
    """The state of one version.

    Attributes:
      stage: START, LOADING, AVAILABLE, UNLOADING or END.
      code, message: OK, or why loading failed; clients may read them, so they contain no path.
    """

    stage: int
    code: StatusCode = StatusCode.OK
    message: str = ""


class States:
    """The last State of each version; safe to use from many threads.

    >>> states = States()
    >>> states.set("rubert", 1, State(END))
    >>> states.set("rubert", 2, State(AVAILABLE))
    >>> list(states.of("rubert"))
    [2, 1]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, State]] = {}

    def set(self, model: str, version: int, state: State) -> None:
        """Record a version's state; keep only the model's last 1,000 ended versions."""
        with self._lock:
            versions = self._models.setdefault(model, {})
            versions.pop(version, None)  # insert it anew: the dictionary keeps the order of events
            versions[version] = state
            if state.stage == END:
                ended = [number for number, each in versions.items() if each.stage == END]
                for number in ended[:-_MOST_ENDED]:
                    del versions[number]

    def names(self) -> list[str]:
        """Return the models with a version that has not ended, in alphabetical order."""
        with self._lock:
            return sorted(
                model
                for model, versions in self._models.items()
                if any(state.stage != END for state in versions.values())
            )

    def of(self, model: str) -> dict[int, State]:
        """Return a model's states by version, the largest first; empty for an unknown model."""
        with self._lock:
            versions = self._models.get(model, {})
            return {version: versions[version] for version in sorted(versions, reverse=True)}
