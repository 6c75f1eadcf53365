"""What a client gives is what the export gives in process."""

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


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, models: Callable[[str], Model]) -> Model:
    return models(request.param)


@pytest.fixture
def of_model(form: str, protocol: str, model: Model) -> Iterator[Any]:
    with front(protocol, Behind(model.address)) as server, connection(form, server.address) as made:
        yield made


def check(found: list[Prediction], expected: list[Prediction]) -> None:
    """Equal; numbers within float32's rounding, because a server may gather requests into other batches."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
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


def test_texts_get_the_same_predictions(of_model: Any, model: Model) -> None:
    check(of_model.predict(TEXTS, batch_size=7), model.classifier.predict(TEXTS, batch_size=7))


def test_pairs_get_the_same_predictions(of_model: Any, model: Model) -> None:
    check(of_model.predict(TEXTS, pairs=PAIRS), model.classifier.predict(TEXTS, pairs=PAIRS))


def test_one_text_gets_one_prediction(client: Any) -> None:
    check([client.predict("late goal")], client.predict(["late goal"]))
    check([client.predict("late goal", pairs="cup")], client.predict(["late goal"], pairs=["cup"]))


def test_one_text_takes_one_pair(client: Any) -> None:
    with pytest.raises(InputError, match="texts is one str and pairs is a list"):
        client.predict("late goal", pairs=["cup"])


def test_tokens_are_the_same(of_model: Any, model: Model) -> None:
    assert of_model.tokenize(TEXTS) == model.classifier.tokenize(TEXTS).to_list()


def test_no_texts_get_no_predictions(of_model: Any) -> None:
    assert of_model.predict([]) == []


def test_both_kinds_of_rows_are_among_the_texts(models: Callable[[str], Model]) -> None:
    """Else `truncated` would not have been compared above."""
    assert {one.truncated for one in models("tiny").classifier.predict(TEXTS)} == {True, False}
    assert {one.truncated for one in models("demo").classifier.predict(TEXTS)} <= {
        True,
        False,
        None,
    }


def test_a_score_has_all_its_digits(of_model: Any, model: Model) -> None:
    """Alone in its request and on the server: equal to the last bit, over JSON too."""
    assert of_model.predict([HEADLINES[0]]) == model.classifier.predict([HEADLINES[0]])


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
    check(client.predict(texts), classifier.predict(texts))
    assert client.tokenize(texts) == classifier.tokenize(texts).to_list()
