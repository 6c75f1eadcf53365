"""A client returns what the export returns in process."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfclf
from tests.client.conftest import MODELS, Model, connection, front
from tests.client.fronts import Behind
from tfclf import Prediction
from tfclf.errors import InputError
from tfclf.sample_texts import HEADLINES

TEXTS = [
    *HEADLINES,
    "",
    "a\0b",
    "\ud800 lone",
    "late goal " * 600,
    "\u0301",
    "ﷺ 東京",
    *reversed(HEADLINES),
]
PAIRS = [*reversed(TEXTS)]


# The bundled model has the problem type of the tiny one, and takes longer.
_DEMO = pytest.param("demo", marks=pytest.mark.verify)


@pytest.fixture(params=[_DEMO, *(name for name in MODELS if name != "demo")])
def model(request: pytest.FixtureRequest, models: Callable[[str], Model]) -> Model:
    return models(request.param)


@pytest.fixture
def model_client(form: str, protocol: str, model: Model) -> Iterator[Any]:
    with front(protocol, Behind(model.address)) as server, connection(form, server.address) as made:
        yield made


def check_same(predictions: list[Prediction], expected: list[Prediction]) -> None:
    """Compare predictions; numbers within float32's rounding, since a server may batch requests."""
    assert len(predictions) == len(expected)
    for one, other in zip(predictions, expected, strict=True):
        assert (one.label, one.truncated, one.windows) == (
            other.label,
            other.truncated,
            other.windows,
        )
        assert one.score == pytest.approx(other.score, abs=1e-5)
        if other.probabilities is None:
            assert one.probabilities is None
        else:
            assert one.probabilities is not None
            assert list(one.probabilities) == list(other.probabilities)
            assert dict(one.probabilities) == pytest.approx(dict(other.probabilities), abs=1e-5)


def test_texts_get_the_same_predictions(model_client: Any, model: Model) -> None:
    check_same(
        model_client.predict(TEXTS, batch_size=7), model.classifier.predict(TEXTS, batch_size=7)
    )


def test_pairs_get_the_same_predictions(model_client: Any, model: Model) -> None:
    check_same(
        model_client.predict(TEXTS, pairs=PAIRS), model.classifier.predict(TEXTS, pairs=PAIRS)
    )


def test_one_text_gets_one_prediction(client: Any) -> None:
    check_same([client.predict("late goal")], client.predict(["late goal"]))
    check_same(
        [client.predict("late goal", pairs="cup")], client.predict(["late goal"], pairs=["cup"])
    )


def test_one_text_takes_one_pair(client: Any) -> None:
    with pytest.raises(InputError, match="texts is one str and pairs is a list"):
        client.predict("late goal", pairs=["cup"])


def test_tokens_are_the_same(model_client: Any, model: Model) -> None:
    assert model_client.tokenize(TEXTS) == model.classifier.tokenize(TEXTS).to_list()


def test_no_texts_get_no_predictions(model_client: Any) -> None:
    assert model_client.predict([]) == []


def test_both_kinds_of_rows_are_among_the_texts(models: Callable[[str], Model]) -> None:
    """Otherwise the tests above would not compare `truncated`."""
    assert {one.truncated for one in models("tiny").classifier.predict(TEXTS)} == {True, False}


def test_a_score_has_all_its_digits(model_client: Any, model: Model) -> None:
    """Alone in its request and on the server: equal to the last bit, over JSON too."""
    assert model_client.predict([HEADLINES[0]]) == model.classifier.predict([HEADLINES[0]])


@pytest.fixture(scope="module", params=["grpc", "rest"])
def tiny(
    request: pytest.FixtureRequest, models: Callable[[str], Model]
) -> Iterator[tuple[Any, tfclf.Classifier]]:
    model = models("tiny")
    with (
        front(request.param, Behind(model.address)) as server,
        connection("blocking", server.address) as made,
    ):
        yield made, model.classifier


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.text(st.characters()), max_size=6))
def test_any_text(tiny: tuple[Any, tfclf.Classifier], texts: list[str]) -> None:
    client, classifier = tiny
    check_same(client.predict(texts), classifier.predict(texts))
    assert client.tokenize(texts) == classifier.tokenize(texts).to_list()
