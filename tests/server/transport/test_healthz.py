"""/healthz, which says whether every model answers."""

import json

import pytest
from grpc import StatusCode
from starlette.applications import Starlette
from starlette.requests import Request

from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.states import AVAILABLE, END, LOADING, UNLOADING, State
from tfclf.server.transport.healthz import HEALTH_PATH, health_route

FAILED = State(END, StatusCode.INTERNAL, "broken")


def ask(
    *states: tuple[str, int, State], configured: list[str] | None = None
) -> tuple[int, dict[str, object]]:
    """Return status and body for models in these states."""
    registry = Registry()
    for name, version, state in states:
        registry.states.set(name, version, state)
    route = health_route(registry, configured=None if configured is None else lambda: configured)
    answer = route.endpoint(Request({"type": "http", "app": Starlette()}))
    return answer.status_code, json.loads(answer.body)


def test_it_is_200_once_every_model_is_available() -> None:
    status, body = ask(("a", 1, State(AVAILABLE)), ("b", 3, State(AVAILABLE)))
    assert status == 200
    assert body == {
        "status": "available",
        "models": {"a": {"1": "AVAILABLE"}, "b": {"3": "AVAILABLE"}},
    }


def test_it_is_503_while_one_is_loading() -> None:
    status, body = ask(("a", 1, State(AVAILABLE)), ("b", 3, State(LOADING)))
    assert status == 503
    assert body["models"] == {"a": {"1": "AVAILABLE"}, "b": {"3": "LOADING"}}


@pytest.mark.parametrize("state", [State(LOADING), FAILED])
def test_a_new_version_does_not_hide_the_one_that_answers(state: State) -> None:
    assert ask(("a", 1, State(AVAILABLE)), ("a", 2, state))[0] == 200


@pytest.mark.parametrize("states", [[], [("b", 1, State(END))], [("b", 1, FAILED)]])
def test_it_is_503_if_a_configured_model_has_no_version(
    states: list[tuple[str, int, State]],
) -> None:
    status, body = ask(("a", 1, State(AVAILABLE)), *states, configured=["a", "b"])
    assert status == 503
    assert body["models"] == {"a": {"1": "AVAILABLE"}, "b": {}}


def test_a_removed_model_that_drains_does_not_count() -> None:
    states = ("a", 1, State(AVAILABLE)), ("b", 1, State(UNLOADING))
    assert ask(*states, configured=["a"])[0] == 200


def test_a_server_without_models_is_available() -> None:
    assert ask() == (200, {"status": "available", "models": {}})


def test_its_path_is_no_path_of_tf_serving() -> None:
    assert not HEALTH_PATH.startswith("/v1/")
