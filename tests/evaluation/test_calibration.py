"""The calibration error, against its definition written out and against scikit-learn's curve."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from tfclf.evaluation.calibration import calibration_of

_PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def by_definition(pairs: list[tuple[float, bool]], bins: int) -> float:
    """Guo et al. 2017, equation 3, row by row."""
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = [pair for pair in pairs if low < pair[0] <= high or (number == 0 and pair[0] == 0)]
        if inside:
            accuracy = sum(right for _, right in inside) / len(inside)
            confidence = sum(sure for sure, _ in inside) / len(inside)
            error += len(inside) / len(pairs) * abs(accuracy - confidence)
    return error


@settings(max_examples=200, deadline=None)
@given(pairs=_PAIRS, bins=st.integers(1, 20))
def test_it_is_what_its_definition_says(pairs: list[tuple[float, bool]], bins: int) -> None:
    sure, right = zip(*pairs, strict=True)
    assert calibration_of(sure, right, bins=bins).ece == pytest.approx(
        by_definition(pairs, bins), abs=1e-9
    )


@settings(max_examples=100, deadline=None)
@given(pairs=_PAIRS)
def test_its_bins_are_those_of_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    sure, right = zip(*pairs, strict=True)
    accuracy, confidence = calibration_curve(
        np.array([*right, True, False]), np.array([*sure, 1.0, 0.0]), n_bins=15
    )
    found = calibration_of([*sure, 1.0, 0.0], [*right, True, False])
    filled = [one for one in found.bins if one.rows]
    assert [one.accuracy for one in filled] == pytest.approx(list(accuracy))
    assert [one.confidence for one in filled] == pytest.approx(list(confidence))


def test_a_sure_model_that_is_right_half_the_time_is_half_off() -> None:
    found = calibration_of([1.0, 1.0], [True, False])
    assert (found.ece, found.mce, found.confidence) == (0.5, 0.5, 1.0)


def test_a_model_as_sure_as_it_is_right_has_no_error() -> None:
    assert calibration_of([0.75] * 4, [True, True, True, False]).ece == pytest.approx(0)


def test_an_empty_bin_has_no_accuracy() -> None:
    first, second = calibration_of([0.9], [True], bins=2).bins
    assert (first.rows, first.accuracy, first.confidence) == (0, None, None)
    assert (second.rows, second.accuracy) == (1, 1.0)


def test_an_upper_edge_belongs_to_its_bin() -> None:
    assert [
        one.rows for one in calibration_of([0.0, 0.5, 0.50001, 1.0], [True] * 4, bins=2).bins
    ] == [2, 2]


def test_every_row_is_in_a_bin_even_past_1() -> None:
    found = calibration_of([1.0000001, 0.0], [True, False])
    assert sum(one.rows for one in found.bins) == 2
