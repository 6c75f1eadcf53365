"""Which Servable answers a request: names -> versions -> Servables, and labels for versions."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from grpc import StatusCode
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfclf.server.servable import Servable
from tfclf.server.status import RequestError, invalid_argument


class Registry:
    """The Servables of a server.

    Args:
      labels: by model, then by label: the version that it stands for.
    """

    def __init__(self, servables: Iterable[Servable], *, labels: Mapping[str, Mapping[str, int]] | None = None) -> None:
        self._models: dict[str, dict[int, Servable]] = {}
        for servable in servables:
            self._models.setdefault(servable.name, {})[servable.version] = servable
        self._labels = labels or {}

    def __iter__(self) -> Iterator[Servable]:
        for versions in self._models.values():
            yield from versions.values()

    def find(self, spec: ModelSpec) -> Servable:
        """The Servable that a ModelSpec asks for: by version, by label, or else the largest version.

        Raises: RequestError.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        versions = self._models.get(spec.name, {})
        choice = spec.WhichOneof("version_choice")
        if choice is None:
            if not versions:
                raise _not_found(f"Latest({spec.name})")
            return versions[max(versions)]
        version = spec.version.value if choice == "version" else self._labelled(spec.name, spec.version_label)
        if version not in versions:
            raise _not_found(f"Specific({spec.name}, {version})")
        return versions[version]

    @contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[Servable]:
        """`find`, for as long as a request needs it."""
        yield self.find(spec)

    def _labelled(self, name: str, label: str) -> int:
        version = self._labels.get(name, {}).get(label)
        if version is None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return version


def _not_found(request: str) -> RequestError:
    return RequestError(StatusCode.NOT_FOUND, f"Servable not found for request: {request}")
