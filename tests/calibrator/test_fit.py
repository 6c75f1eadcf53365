"""The temperature and the thresholds that a fit chooses."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfclf.calibrator.fit import BOUNDS, compute_loss, fit_temperature, fit_thresholds
from tfclf.calibrator.measures import activate, measure
from tfclf.problem_types import MULTI_LABEL, SINGLE_LABEL

LABELS = ("red", "green", "blue")
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def draw(problem_type: str, *, factor: float, rows: int = 4000) -> Arrays:
    """Draw logits, `factor` times as large as the labels drawn from them justify."""
    random = np.random.default_rng(7)
    logits = random.normal(0, 2, (rows, 3)).astype(np.float32)
    probabilities = activate(logits, temperature=1.0, problem_type=problem_type)
    if problem_type == MULTI_LABEL:
        truth = random.random(logits.shape) < probabilities
    else:
        chosen = (probabilities.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1).clip(0, 2)
        truth = np.eye(3, dtype=bool)[chosen]
    return logits * np.float32(factor), truth


@pytest.mark.parametrize("problem_type", [SINGLE_LABEL, MULTI_LABEL])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_fit_finds_the_temperature_that_the_rows_were_drawn_with(
    problem_type: str, factor: float
) -> None:
    fit = fit_temperature(*draw(problem_type, factor=factor), problem_type=problem_type)
    assert fit.temperature == pytest.approx(factor, rel=0.06)
    assert fit.remarks == ()


@pytest.mark.parametrize("problem_type", [SINGLE_LABEL, MULTI_LABEL])
def test_no_temperature_nearby_has_a_lower_loss(problem_type: str) -> None:
    logits, truth = draw(problem_type, factor=2.0, rows=300)
    best = fit_temperature(logits, truth, problem_type=problem_type).temperature
    losses = [
        compute_loss(logits, truth, temperature=one, problem_type=problem_type)
        for one in (best, best * 1.01, best / 1.01, *BOUNDS)
    ]
    assert min(losses) == losses[0]


@pytest.mark.parametrize("problem_type", [SINGLE_LABEL, MULTI_LABEL])
def test_the_error_of_held_out_rows_falls(problem_type: str) -> None:
    logits, truth = draw(problem_type, factor=3.0)
    fit = fit_temperature(logits[:2000], truth[:2000], problem_type=problem_type)
    before, after = (
        measure(logits[2000:], truth[2000:], LABELS, temperature=one, problem_type=problem_type)
        for one in (1.0, fit.temperature)
    )
    assert after.calibration.ece < before.calibration.ece / 2
    assert after.loss < before.loss


def test_perfect_separation_stops_at_the_bound_with_a_remark() -> None:
    logits = np.tile(np.array([[3, 0, 0], [0, 3, 0]], np.float32), (200, 1))
    truth = logits > 0
    fit = fit_temperature(logits, truth, problem_type=SINGLE_LABEL)
    assert fit.temperature == pytest.approx(BOUNDS[0])
    assert "separate the labels of the rows perfectly" in fit.remarks[0]


def test_logits_without_information_stop_at_the_bound_with_a_remark() -> None:
    logits = np.tile(np.array([[3, 0, 0], [0, 3, 0]], np.float32), (200, 1))
    fit = fit_temperature(logits, np.roll(logits > 0, 1, axis=1), problem_type=SINGLE_LABEL)
    assert fit.temperature == pytest.approx(BOUNDS[1])
    assert "say next to nothing" in fit.remarks[0]


def test_few_rows_are_remarked() -> None:
    fit = fit_temperature(*draw(SINGLE_LABEL, factor=1.0, rows=50), problem_type=SINGLE_LABEL)
    assert "50 rows are few" in fit.remarks[-1]


def test_huge_logits_give_a_finite_loss() -> None:
    logits, truth = np.array([[3e38, -3e38]], np.float32), np.array([[True, False]])
    for problem_type in (SINGLE_LABEL, MULTI_LABEL):
        loss = compute_loss(logits, truth, temperature=0.1, problem_type=problem_type)
        assert math.isfinite(loss)


@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=2, max_size=30).filter(
        lambda rows: len({truth for _, truth in rows}) == 2
    )
)
def test_no_other_threshold_has_a_higher_f1(rows: list[tuple[float, bool]]) -> None:
    probabilities = np.array([[value] for value, _ in rows], np.float32)
    truth = np.array([[flag] for _, flag in rows])
    chosen = fit_thresholds(probabilities, truth, ["toxic"]).by_label["toxic"]

    def f1(threshold: float) -> float:
        predicted = probabilities >= np.float32(threshold)
        return float(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))

    assert 0 <= chosen <= 1
    assert f1(chosen) >= max(f1(float(value)) for value in probabilities[:, 0]) - 1e-12


def test_a_label_that_no_row_has_keeps_one_half_with_a_remark() -> None:
    truth = np.array([[True, False]] * 20 + [[False, False]] * 20)
    found = fit_thresholds(np.full((40, 2), 0.25, np.float32), truth, ["toxic", "threat"])
    assert found.by_label["threat"] == 0.5
    assert "threat" in found.remarks[0]


def test_a_rare_label_is_remarked() -> None:
    truth = np.array([[True]] * 3 + [[False]] * 20)
    found = fit_thresholds(np.linspace(1, 0, 23, dtype=np.float32)[:, None], truth, ["toxic"])
    assert "Fewer than 10 rows have toxic" in found.remarks[0]
