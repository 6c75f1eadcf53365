"""Metrics and their names, the confusion matrix, and what `tfclf evaluate` prints."""

import json
import math
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from tfclf.cli.evaluate import evaluate as evaluate_command
from tfclf.data import Row
from tfclf.errors import DataError, InputError, MissingExtraError
from tfclf.evaluation import Report, evaluate
from tfclf.prediction import Prediction

LABELS = ("neg", "pos")
Predict = Callable[[Iterable[str]], Iterator[Prediction]]


def says(answers: Iterable[str], score: float = 0.75) -> Predict:
    """A `predict` that gives these labels in order, each with the same probability."""
    remaining = iter(answers)

    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        for _ in texts:
            label = next(remaining)
            shares = {other: score if other == label else 1 - score for other in LABELS}
            yield Prediction(label, score, shares)

    return predict


def rows(labels: Iterable[str]) -> list[Row]:
    return [Row(f"text {number}", label) for number, label in enumerate(labels)]


@pytest.fixture(scope="module")
def report() -> Report:
    truth = ["neg", "neg", "neg", "pos", "pos"]
    return evaluate(says(["neg", "pos", "neg", "pos", "pos"]), rows(truth), LABELS)


def test_accuracy_is_the_share_of_right_answers(report: Report) -> None:
    assert report.accuracy == pytest.approx(4 / 5)


def test_the_confusion_matrix_has_true_labels_in_rows(report: Report) -> None:
    assert report.confusion_matrix == ((2, 1), (0, 2))


def test_loss_is_the_mean_cross_entropy(report: Report) -> None:
    assert report.loss == pytest.approx(-(4 * math.log(0.75) + math.log(0.25)) / 5)


def test_each_label_has_precision_recall_f1_and_support(report: Report) -> None:
    negative, positive = report.classes
    assert [negative.precision, negative.recall, negative.f1] == pytest.approx([1, 2 / 3, 0.8])
    assert [positive.precision, positive.recall, positive.f1] == pytest.approx([2 / 3, 1, 0.8])
    assert (negative.support, positive.support) == (3, 2)


def test_metrics_have_the_names_of_the_cards(report: Report) -> None:
    names = {"eval_loss", "eval_accuracy", "eval_f1", "eval_precision", "eval_recall", "eval_runtime"}
    assert names | {"eval_samples_per_second", "eval_samples"} <= set(report.metrics())


def test_f1_precision_and_recall_equal_accuracy_as_on_the_cards(report: Report) -> None:
    metrics = report.metrics()
    for name in ("eval_f1", "eval_precision", "eval_recall"):
        assert metrics[name] == pytest.approx(metrics["eval_accuracy"], abs=1e-12)


def test_macro_and_weighted_averages_have_names_of_their_own(report: Report) -> None:
    metrics = report.metrics()
    assert metrics["eval_macro_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert metrics["eval_weighted_precision"] == pytest.approx((3 * 1 + 2 * 2 / 3) / 5)


def test_a_label_that_never_occurs_scores_0_without_a_warning() -> None:
    found = evaluate(says(["neg", "neg"]), rows(["neg", "neg"]), LABELS)
    assert (found.classes[1].precision, found.classes[1].support) == (0.0, 0)


def test_a_probability_of_0_gives_a_finite_loss() -> None:
    found = evaluate(says(["neg"], score=1.0), rows(["pos"]), LABELS)
    assert 80 < found.loss < 100


def test_the_loss_of_independent_labels_is_the_binary_one() -> None:
    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        for _ in texts:
            yield Prediction("pos", 0.9, {"neg": 0.6, "pos": 0.9})

    found = evaluate(predict, rows(["neg"]), LABELS, independent=True)
    assert found.loss == pytest.approx(-(math.log(0.6) + math.log(0.1)) / 2)
    assert found.accuracy == 0


def test_a_regression_is_refused() -> None:
    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        for _ in texts:
            yield Prediction("pos", 3.2, None)

    with pytest.raises(InputError, match=r"gave pos 3\.2 and no probabilities"):
        evaluate(predict, rows(["pos"]), LABELS)


def test_a_probability_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="no number for text 1"):
        evaluate(says(["neg"], score=math.nan), rows(["neg"]), LABELS)


def test_rows_are_read_as_they_are_predicted() -> None:
    taken = []

    def lazy() -> Iterator[Row]:
        for row in rows(["neg"] * 5):
            taken.append(row)
            yield row

    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        for number, prediction in enumerate(says(["neg"] * 5)(texts), 1):
            assert len(taken) == number
            yield prediction

    assert evaluate(predict, lazy(), LABELS).samples == 5


def test_no_row_is_refused() -> None:
    with pytest.raises(DataError, match="no row to evaluate on"):
        evaluate(says([]), [], LABELS)


def test_another_label_is_refused_with_its_row() -> None:
    with pytest.raises(DataError, match=r"Row 2 has the label 'good'; .*neg, pos"):
        evaluate(says(["neg", "neg"]), rows(["neg", "good"]), LABELS)


def test_fewer_predictions_than_texts_are_refused() -> None:
    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        yield from list(says(["neg"] * 2)(texts))[:1]

    with pytest.raises(InputError, match="gave 1 predictions for 2 texts"):
        evaluate(predict, rows(["neg", "neg"]), LABELS)


def test_a_missing_scikit_learn_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"tfclf\[evaluate\]"):
        evaluate(says(["neg"]), rows(["neg"]), LABELS)


def test_a_missing_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch, report: Report, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"tfclf\[evaluate\]"):
        report.write(tmp_path)


def test_the_report_is_written_with_a_format_version(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["format_version"] == 1
    assert content == report.to_dict()


def test_the_confusion_matrix_is_written_as_json(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path, title="five rows")
    content = json.loads((tmp_path / "confusion_matrix.json").read_text())
    assert (content["title"], content["labels"]) == ("five rows", ["neg", "pos"])
    assert content["counts"] == [[2, 1], [0, 2]]


def test_the_confusion_matrix_is_drawn(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path)
    header = (tmp_path / "confusion_matrix.png").read_bytes()[:24]
    width, height = struct.unpack(">II", header[16:])
    assert header.startswith(b"\x89PNG")
    assert 400 < height < width < 2_000


class _Stub:
    labels = LABELS
    manifest = SimpleNamespace(problem_type="single_label_classification")

    def predict(self, texts: Iterable[str], *, batch_size: int, progress: bool) -> Iterator[Prediction]:
        assert batch_size == 2
        return says(["neg", "pos", "pos"])(texts)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    loader = ModuleType("tfclf.loader")
    loader.load = lambda source, **_: _Stub()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tfclf.loader", loader)
    data = tmp_path / "rows.csv"
    data.write_text("text,label\na,0\nb,1\nc,0\n")
    app = typer.Typer()
    app.command()(evaluate_command)

    def run(*options: str) -> str:
        arguments = ["some_model", str(data), "--batch-size", "2", *options]
        outcome = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    return run


def test_the_command_prints_one_json_object(run: Callable[..., str]) -> None:
    content = json.loads(run("--json"))
    assert content["eval_accuracy"] == pytest.approx(2 / 3)


def test_the_command_prints_tables(run: Callable[..., str]) -> None:
    printed = run()
    assert "accuracy 0.6667" in printed
    assert "macro avg" in printed


def test_the_command_writes_a_folder(run: Callable[..., str], tmp_path: Path) -> None:
    run("--output", str(tmp_path / "report"))
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"metrics.json", "confusion_matrix.json", "confusion_matrix.png"}
