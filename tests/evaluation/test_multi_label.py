"""The scores of multi-label models."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.evaluation.answers import says
from tfclf.data import Row
from tfclf.errors import DataError
from tfclf.evaluation import MultiLabelReport, evaluate, evaluate_multi_label
from tfclf.evaluation.multi_label import MULTI_LABEL_FILES
from tfclf.prediction import Prediction

LABELS = ("toxic", "insult", "threat")
# Toxic is always right, insult has a false alarm, and no row has a threat.
ROWS = [
    Row("a", None, labels=("toxic", "insult")),
    Row("b", None, labels=()),
    Row("c", None, labels=("toxic",)),
]
PROBABILITIES = [(0.9, 0.8, 0.1), (0.2, 0.1, 0.1), (0.7, 0.6, 0.3)]


def predict(texts: Iterable[str]) -> Iterator[Prediction]:
    for _, row in zip(texts, PROBABILITIES, strict=False):
        yield Prediction("toxic", row[0], dict(zip(LABELS, row, strict=True)))


@pytest.fixture(scope="module")
def report() -> MultiLabelReport:
    return evaluate_multi_label(predict, ROWS, LABELS, batch_size=2)


def test_each_label_is_measured_by_itself(report: MultiLabelReport) -> None:
    toxic, insult, threat = report.classes
    assert (toxic.precision, toxic.recall, toxic.f1, toxic.support) == (1, 1, 1, 2)
    assert (insult.precision, insult.recall, insult.support) == (0.5, 1, 1)
    assert (threat.precision, threat.recall, threat.support) == (0, 0, 0)


def test_micro_counts_pairs_and_macro_counts_labels(report: MultiLabelReport) -> None:
    micro, macro = report.averages["micro"], report.averages["macro"]
    assert (micro.precision, micro.recall) == (0.75, 1)
    assert macro.f1 == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_average_precision_leaves_out_labels_that_no_row_has(report: MultiLabelReport) -> None:
    assert [line.average_precision for line in report.classes] == [1, 1, None]
    assert report.averages["macro"].average_precision == 1


def test_subset_accuracy_wants_all_labels_of_a_row(report: MultiLabelReport) -> None:
    assert report.metrics()["eval_subset_accuracy"] == pytest.approx(2 / 3)


def test_the_loss_is_the_binary_cross_entropy(report: MultiLabelReport) -> None:
    right = [0.9, 0.8, 0.9, 0.8, 0.9, 0.9, 0.7, 0.4, 0.7]
    assert report.loss == pytest.approx(-sum(map(math.log, right)) / 9)


def test_a_single_label_row_is_refused() -> None:
    with pytest.raises(DataError, match="Row 1 has the labels None"):
        evaluate_multi_label(predict, [Row("a", "toxic")], LABELS)


def test_a_set_of_labels_is_refused_for_a_single_label_model() -> None:
    with pytest.raises(DataError, match="Row 1 has a set of labels"):
        evaluate(says(["neg"]), [Row("a", None, labels=("neg",))], ("neg", "pos"))


def test_the_files_hold_the_scores_of_each_label(report: MultiLabelReport, tmp_path: Path) -> None:
    report.write(tmp_path / "report", title="Comments")
    assert {path.name for path in (tmp_path / "report").iterdir()} == set(MULTI_LABEL_FILES)
    content = json.loads((tmp_path / "report" / "metrics.json").read_text(encoding="utf-8"))
    assert content["classification_report"]["insult"]["precision"] == 0.5
    for name in ("report.html", "report.md"):
        assert "insult" in (tmp_path / "report" / name).read_text(encoding="utf-8")
