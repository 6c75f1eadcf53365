"""/healthz: whether every model answers, for probes over HTTP."""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.states import AVAILABLE, END

HEALTH_PATH = "/healthz"


def health_route(
    registry: Registry, *, configured: Callable[[], Iterable[str]] | None = None
) -> Route:
    """Return the route: 200 if each model has an available version, else 503; the states as JSON.

    A version that fails to load counts against its model only if no other version answers, as when
    a bad new version leaves the old one in place.

    Args:
      configured: returns the models that should answer. By default those that have a version.
    """

    def show(_: Request) -> JSONResponse:
        names = registry.states.names() if configured is None else configured()
        available, models = describe_health(registry, names)
        status = {"status": "available" if available else "unavailable", "models": models}
        return JSONResponse(
            status, status_code=200 if available else 503, headers={"Cache-Control": "no-store"}
        )

    return Route(HEALTH_PATH, show)


def describe_health(registry: Registry, names: Iterable[str]) -> tuple[bool, dict[str, Any]]:
    """Return whether each model has an available version, and the states by model and version."""
    available, models = True, {}
    for name in sorted(names):
        states = registry.states.of(name)
        available &= any(state.stage == AVAILABLE for state in states.values())
        models[name] = {
            str(version): ModelVersionStatus.State.Name(state.stage)
            for version, state in states.items()
            if state.stage != END
        }
    return available, models
