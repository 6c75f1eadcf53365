"""The registry finds the Servable of a ModelSpec, and a lease keeps it open."""

from typing import Any

import pytest
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tests.server.fakes import fake_servable as servable
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.states import AVAILABLE, END, START, State, States
from tfclf.server.status import RequestError


@pytest.fixture
def registry() -> Registry:
    labels = {"demo": {"stable": 1, "lost": 9}}
    return Registry(
        [servable("demo", 10), servable("demo", 1), servable("other", 4)], labels=labels
    )


def find_version(registry: Registry, **spec: Any) -> int:
    return registry.find(ModelSpec(**spec)).version


def test_without_a_version_the_largest_is_found(registry: Registry) -> None:
    assert find_version(registry, name="demo") == 10


def test_a_version_is_found(registry: Registry) -> None:
    assert find_version(registry, name="demo", version={"value": 1}) == 1


def test_a_label_is_found(registry: Registry) -> None:
    assert find_version(registry, name="demo", version_label="stable") == 1


def test_a_label_of_a_version_that_is_not_loaded(registry: Registry) -> None:
    with pytest.raises(RequestError, match=r"Servable not found for request: Specific\(demo, 9\)"):
        find_version(registry, name="demo", version_label="lost")


def test_a_label_belongs_to_one_model(registry: Registry) -> None:
    with pytest.raises(RequestError, match="Unrecognized servable version label: stable"):
        find_version(registry, name="other", version_label="stable")


def test_a_label_of_an_unknown_model_is_an_unknown_label(registry: Registry) -> None:
    with pytest.raises(RequestError, match="Unrecognized servable version label: stable"):
        find_version(registry, name="nobody", version_label="stable")


def test_a_withdrawn_version_is_found_no_more(registry: Registry) -> None:
    registry.withdraw(registry.find(ModelSpec(name="demo")))
    assert find_version(registry, name="demo") == 1


def test_a_model_without_versions_is_unknown(registry: Registry) -> None:
    registry.withdraw(registry.find(ModelSpec(name="other")))
    with pytest.raises(RequestError, match=r"Servable not found for request: Latest\(other\)"):
        find_version(registry, name="other")


def test_a_withdrawn_version_that_nobody_uses_is_unused_at_once(registry: Registry) -> None:
    calls: list[str] = []
    registry.withdraw(
        registry.find(ModelSpec(name="demo")), when_unused=lambda: calls.append("unused")
    )
    assert calls == ["unused"]


def test_a_withdrawn_version_is_unused_when_its_last_user_has_gone(registry: Registry) -> None:
    calls: list[str] = []
    spec = ModelSpec(name="demo")
    with registry.lease(spec) as leased:
        with registry.lease(spec):
            registry.withdraw(leased, when_unused=lambda: calls.append("unused"))
        assert calls == []
        assert registry.in_use(leased)
    assert calls == ["unused"]
    assert not registry.in_use(leased)


def test_a_lease_that_fails_is_given_back(registry: Registry) -> None:
    with pytest.raises(KeyError), registry.lease(ModelSpec(name="demo")) as leased:
        raise KeyError
    assert not registry.in_use(leased)


def test_a_version_may_be_withdrawn_twice(registry: Registry) -> None:
    calls: list[str] = []
    latest = registry.find(ModelSpec(name="demo"))
    registry.withdraw(latest, when_unused=lambda: calls.append("unused"))
    registry.withdraw(latest, when_unused=lambda: calls.append("again"))
    assert calls == ["unused"]


def test_a_new_servable_takes_the_place_of_the_old_one_of_its_number(registry: Registry) -> None:
    new = servable("demo", 10)
    with registry.lease(ModelSpec(name="demo")) as old:
        assert registry.add(new) is old
        assert registry.find(ModelSpec(name="demo")) is new
        assert registry.in_use(old)
        assert not registry.in_use(new)


def test_labels_are_set_all_at_once(registry: Registry) -> None:
    registry.set_labels({"demo": {"canary": 10}})
    assert find_version(registry, name="demo", version_label="canary") == 10
    with pytest.raises(RequestError, match="Unrecognized servable version label: stable"):
        find_version(registry, name="demo", version_label="stable")


def test_what_is_added_is_available(registry: Registry) -> None:
    assert registry.states.of("demo") == {10: State(AVAILABLE), 1: State(AVAILABLE)}


def test_states_come_with_the_largest_version_first() -> None:
    states = States()
    for version in (2, 10, 1):
        states.set("demo", version, State(START))
    assert list(states.of("demo")) == [10, 2, 1]


def test_versions_that_ended_long_ago_are_forgotten() -> None:
    states = States()
    states.set("demo", 0, State(AVAILABLE))
    for version in range(1, 2_001):
        states.set("demo", version, State(END))
    known = states.of("demo")
    assert len(known) == 1_001
    assert {0, 2_000, 1_001} <= known.keys()
