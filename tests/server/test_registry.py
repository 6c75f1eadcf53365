"""A ModelSpec finds its Servable."""

from typing import Any, cast

import pytest
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfclf.server.registry import Registry
from tfclf.server.servable import Servable
from tfclf.server.session import Session
from tfclf.server.status import RequestError


def servable(name: str, version: int) -> Servable:
    return Servable(name, version, cast(Session, None))


@pytest.fixture
def registry() -> Registry:
    labels = {"demo": {"stable": 1, "lost": 9}}
    return Registry([servable("demo", 10), servable("demo", 1), servable("other", 4)], labels=labels)


def version_found(registry: Registry, **spec: Any) -> int:
    return registry.find(ModelSpec(**spec)).version


def test_without_a_version_the_largest_is_found(registry: Registry) -> None:
    assert version_found(registry, name="demo") == 10


def test_a_version_is_found(registry: Registry) -> None:
    assert version_found(registry, name="demo", version={"value": 1}) == 1


def test_a_label_is_found(registry: Registry) -> None:
    assert version_found(registry, name="demo", version_label="stable") == 1


def test_a_label_of_a_version_that_is_not_loaded(registry: Registry) -> None:
    with pytest.raises(RequestError, match=r"Servable not found for request: Specific\(demo, 9\)"):
        version_found(registry, name="demo", version_label="lost")


def test_a_label_belongs_to_one_model(registry: Registry) -> None:
    with pytest.raises(RequestError, match="Unrecognized servable version label: stable"):
        version_found(registry, name="other", version_label="stable")


def test_a_label_of_an_unknown_model_is_an_unknown_label(registry: Registry) -> None:
    with pytest.raises(RequestError, match="Unrecognized servable version label: stable"):
        version_found(registry, name="nobody", version_label="stable")
