"""The lookup of Servables: names -> versions -> Servables, and labels for versions."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from grpc import StatusCode
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.states import AVAILABLE, State, States
from tfclf.server.status import RequestError, invalid_argument


class _Entry:
    """A Servable and the number of requests that use it now."""

    def __init__(self, servable: Servable) -> None:
        self.servable = servable
        self.users = 0
        self.when_unused: Callable[[], None] | None = None  # set once it is withdrawn


class Registry:
    """The Servables of a server; safe to use from many threads.

    Each change, such as a hot swap, is one step: a request sees a version's old Servable or its new
    one, never none in between.

    Args:
      labels: versions by model, then by label.

    Attributes:
      states: the last state of each version, unloaded versions included.
    """

    def __init__(
        self,
        servables: Iterable[Servable] = (),
        *,
        labels: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, _Entry]] = {}
        self._withdrawn: dict[int, _Entry] = {}  # by the Servable's id: in use, but no longer found
        self._labels: Mapping[str, Mapping[str, int]] = labels or {}
        self.states = States()
        for servable in servables:
            self.add(servable)

    def __iter__(self) -> Iterator[Servable]:
        """Iterate over the Servables as they are now; later changes are not seen."""
        with self._lock:
            servables = [
                entry.servable for versions in self._models.values() for entry in versions.values()
            ]
        return iter(servables)

    def add(
        self, servable: Servable, *, when_unused: Callable[[], None] | None = None
    ) -> Servable | None:
        """Let a Servable answer from now on.

        Args:
          when_unused: as for `withdraw`, for the Servable that it replaces.
        Returns: the replaced Servable, withdrawn as by `withdraw`; None if there was none.
        """
        with self._lock:
            versions = self._models.setdefault(servable.name, {})
            old = versions.get(servable.version)
            versions[servable.version] = _Entry(servable)
            unused = self._retire(old, when_unused) if old else None
        self.states.set(servable.name, servable.version, State(AVAILABLE))
        if unused:
            unused()
        return old.servable if old else None

    def withdraw(
        self, servable: Servable, *, when_unused: Callable[[], None] | None = None
    ) -> None:
        """Stop giving a Servable to new requests; in-flight requests go on.

        Args:
          when_unused: called once, after the last in-flight request and in its thread; at once if
            there is none.
        """
        with self._lock:
            versions = self._models.get(servable.name, {})
            entry = versions.get(servable.version)
            if entry is None or entry.servable is not servable:
                return
            del versions[servable.version]
            if not versions:
                del self._models[servable.name]
            unused = self._retire(entry, when_unused)
        if unused:
            unused()

    def in_use(self, servable: Servable) -> bool:
        """Whether an in-flight request uses the Servable."""
        with self._lock:
            entry = self._withdrawn.get(id(servable)) or self._models.get(servable.name, {}).get(
                servable.version
            )
            return entry is not None and entry.servable is servable and entry.users > 0

    def set_labels(self, labels: Mapping[str, Mapping[str, int]]) -> None:
        """Replace the labels of all models."""
        with self._lock:
            self._labels = labels

    def find_label(self, name: str, label: str) -> int | None:
        """Return the version that a label stands for, or None."""
        with self._lock:
            return self._labels.get(name, {}).get(label)

    def find(self, spec: ModelSpec) -> Servable:
        """Return the Servable for a ModelSpec: by version, by label, or else the largest version.

        It may be closed at any time; take a `lease` to run it.

        Raises: RequestError.
        """
        with self._lock:
            return self._find(spec).servable

    @contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[Servable]:
        """Find a Servable and keep it open for the length of a request. Raises: RequestError."""
        with self._lock:
            entry = self._find(spec)
            entry.users += 1
        try:
            yield entry.servable
        finally:
            self._give_back(entry)

    def _find(self, spec: ModelSpec) -> _Entry:
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        versions = self._models.get(spec.name, {})
        choice = spec.WhichOneof("version_choice")
        if choice is None:
            if not versions:
                raise _not_found(f"Latest({spec.name})")
            return versions[max(versions)]
        if choice == "version":
            version = spec.version.value
        else:
            version = self._resolve_label(spec.name, spec.version_label)
        if version not in versions:
            raise _not_found(f"Specific({spec.name}, {version})")
        return versions[version]

    def _resolve_label(self, name: str, label: str) -> int:
        version = self._labels.get(name, {}).get(label)
        if version is None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return version

    def _retire(
        self, entry: _Entry, when_unused: Callable[[], None] | None
    ) -> Callable[[], None] | None:
        """Mark an entry as withdrawn; return the callback to call now, outside the lock."""
        if not entry.users:
            return when_unused
        entry.when_unused = when_unused or _do_nothing
        self._withdrawn[id(entry.servable)] = entry
        return None

    def _give_back(self, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            if entry.users or entry.when_unused is None:
                return
            del self._withdrawn[id(entry.servable)]
            unused = entry.when_unused
        unused()


def _do_nothing() -> None:
    pass


def _not_found(request: str) -> RequestError:
    return RequestError(StatusCode.NOT_FOUND, f"Servable not found for request: {request}")
