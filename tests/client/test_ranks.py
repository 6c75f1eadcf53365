"""Ranks, thresholds and abstention of a client are those of the classifier in process."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.client.conftest import Model, connection, front
from tests.client.fronts import Behind
from tfclf.errors import InputError

TEXTS = ["news", "late goal", "a b c"]


@pytest.fixture
def ask(form: str, protocol: str, models: Callable[[str], Model]) -> Any:
    def predict(name: str, **options: Any) -> Any:
        behind = Behind(models(name).address)
        with front(protocol, behind) as server, connection(form, server.address) as client:
            return client.predict(TEXTS, **options)

    return predict


def test_a_client_ranks_labels(ask: Any, models: Callable[[str], Model]) -> None:
    expected = models("tiny").classifier.predict(TEXTS, top_k=2)
    labels = [[label for label, _ in one.top] for one in ask("tiny", top_k=2)]
    assert labels == [[label for label, _ in one.top or ()] for one in expected]


def test_a_client_applies_thresholds(ask: Any, models: Callable[[str], Model]) -> None:
    expected = models("multi-label").classifier.predict(TEXTS, threshold=0.5)
    assert [one.labels for one in ask("multi-label", threshold=0.5)] == [
        one.labels for one in expected
    ]


def test_a_client_abstains(ask: Any) -> None:
    predictions = ask("tiny", abstain_below=1.0)
    assert all(one.label is None and "is below 1" in one.reason for one in predictions)


def test_a_client_learns_that_a_model_is_not_multi_label(ask: Any) -> None:
    with pytest.raises(InputError, match="single-label model"):
        ask("tiny", threshold=0.5)


def test_a_client_refuses_a_rule_for_a_regression(ask: Any) -> None:
    with pytest.raises(InputError, match="is a regression"):
        ask("regression", top_k=1)


def test_a_client_has_no_calibrated_thresholds(ask: Any) -> None:
    with pytest.raises(InputError, match="a server does not send them"):
        ask("multi-label", threshold="calibrated")


def test_a_stream_takes_a_rule(form: str, protocol: str, models: Callable[[str], Model]) -> None:
    if form != "asyncio":
        pytest.skip("only AsyncClient has stream")
    behind = Behind(models("tiny").address)
    with front(protocol, behind) as server, connection(form, server.address) as client:
        assert [len(one.top) for one in client.stream(TEXTS, top_k=3)] == [3, 3, 3]
