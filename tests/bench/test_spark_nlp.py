"""The figures of `python -m bench.spark_nlp`; they need no Spark NLP."""

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.measure import make_figures, take_turns
from bench.spark_nlp import table

ANSWERS = np.log([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9]])
OTHERS = np.log([[0.6, 0.4], [0.4, 0.6], [0.2, 0.8]])


def test_the_examples_are_right() -> None:
    assert doctest.testmod(table).failed == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("same_label", 2), ("same_probabilities", 1), ("largest_difference", 0.2)],
)
def test_answers_are_compared(name: str, value: float) -> None:
    assert table.compare_answers(OTHERS, ANSWERS)[name] == value


def test_answers_may_differ_by_a_number_per_text() -> None:
    shifted = ANSWERS + np.array([[1.0], [-2.0], [50.0]])
    assert table.compare_answers(shifted, ANSWERS)["same_probabilities"] == 3


def test_the_table_has_a_row_for_each_figure(tmp_path: Path) -> None:
    content: dict[str, Any] = {
        "made": "2026-11-30T00:00:00+00:00",
        "machine": {"processor": "Some CPU", "cores": 2, "tensorflow": "2.21.0"},
        "versions": {"peer": {"spark-nlp": "5", "pyspark": "3"}, "spark": {"pyspark": "4"}},
        "case": "Tiny",
        "master": "local[2]",
        "texts": "some rows",
        "rounds": 2,
        "figures": [{"name": "ours", **table.make_figure([1.0], [4.0], texts=8)}],
        "agreement": table.compare_answers(OTHERS, ANSWERS),
    }
    path = tmp_path / "result.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert "| ours | 8.0 | 4.00 (4.00-4.00) |" in table.render(path).splitlines()


@pytest.mark.parametrize(("warm_up", "runs"), [(True, 3), (False, 2)])
def test_a_turn_that_warms_up_is_not_counted(warm_up: bool, runs: int) -> None:
    done: list[None] = []
    seconds = take_turns({"one": lambda: done.append(None)}, runs=2, warm_up=warm_up)
    assert (len(seconds["one"]), len(done)) == (2, runs)


def test_ratios_refer_to_the_first_contender() -> None:
    figures = make_figures({"peer": [2.0, 4.0], "ours": [1.0, 1.0]}, texts=10)
    assert [figure.ratio for figure in figures] == [1.0, 3.0]
