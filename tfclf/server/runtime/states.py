"""What has become of each version: the memory behind GetModelStatus.

Source: TF Serving, core/servable_state_monitor.cc: the last state of every version since the server's start, of
unloaded ones too.
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

# A model whose versions are dates or counters would otherwise gather states for as long as the server runs.
_MOST_ENDED = 1_000


@dataclass(frozen=True)
class State:
    """Where a version stands.

    Attributes:
      stage: START, LOADING, AVAILABLE, UNLOADING or END.
      code, message: OK, or why it could not be loaded; a client may read them, so they hold no path.
    """

    stage: int
    code: StatusCode = StatusCode.OK
    message: str = ""


class States:
    """The last State of each version; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, State]] = {}

    def set(self, model: str, version: int, state: State) -> None:
        """Of a model's ended versions, those that ended longest ago are forgotten past 1,000."""
        with self._lock:
            versions = self._models.setdefault(model, {})
            versions.pop(version, None)  # so that the dictionary's order is the order of events
            versions[version] = state
            if state.stage == END:
                ended = [number for number, each in versions.items() if each.stage == END]
                for number in ended[:-_MOST_ENDED]:
                    del versions[number]

    def of(self, model: str) -> dict[int, State]:
        """By version, the largest first; empty for a model that nobody has heard of."""
        with self._lock:
            versions = self._models.get(model, {})
            return {version: versions[version] for version in sorted(versions, reverse=True)}
