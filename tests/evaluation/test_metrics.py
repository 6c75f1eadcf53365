"""Metrics and their names, the confusion matrix, and which rows are kept."""

import itertools
import math
import sys
import weakref
from collections.abc import Iterable, Iterator

import pytest

from tests.evaluation.answers import LABELS, gives, rows, says
from tfclf.data import Row
from tfclf.errors import DataError, InputError, MissingExtraError
from tfclf.evaluation import Report, evaluate
from tfclf.prediction import Prediction


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
    names = {
        "eval_loss",
        "eval_accuracy",
        "eval_f1",
        "eval_precision",
        "eval_recall",
        "eval_runtime",
    }
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


def test_steps_are_batches() -> None:
    found = evaluate(says(["neg"] * 5), rows(["neg"] * 5), LABELS, batch_size=2)
    metrics = found.metrics()
    assert found.steps == 3
    assert metrics["eval_steps_per_second"] * metrics["eval_runtime"] == pytest.approx(3)


def test_without_a_batch_size_there_are_no_steps(report: Report) -> None:
    assert "eval_steps_per_second" not in report.metrics()


def test_rows_that_nobody_read_are_missed() -> None:
    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        yield from says(["neg"])(itertools.islice(texts, 1))

    with pytest.raises(InputError, match="gave 1 predictions for 3 texts"):
        evaluate(predict, rows(["neg"] * 3), LABELS)


def test_an_answer_too_many_is_refused() -> None:
    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        yield from says(["neg"] * 3)([*texts, "another"])

    with pytest.raises(InputError, match="gave prediction 3 after 2 texts"):
        evaluate(predict, rows(["neg"] * 2), LABELS)


def test_another_label_of_predict_is_refused() -> None:
    with pytest.raises(InputError, match=r"the label 'good'; expected one of neg, pos"):
        evaluate(gives([("good", 0.8)], labels=("good", "bad")), rows(["neg"]), LABELS)


def test_rows_are_let_go_once_they_are_answered() -> None:
    alive: weakref.WeakSet[Row] = weakref.WeakSet()
    most = 0

    def lazy() -> Iterator[Row]:
        nonlocal most
        for number in range(500):
            row = Row(f"text {number}", "neg")
            alive.add(row)
            most = max(most, len(alive))
            yield row

    evaluate(says(["pos"] * 500), lazy(), LABELS, mistakes=5)
    assert most < 10


def test_the_worst_mistakes_are_those_of_the_highest_probability() -> None:
    answers = gives([("pos", 0.7), ("pos", 0.9), ("neg", 0.99), ("pos", 0.8)])
    found = evaluate(answers, rows(["neg"] * 4), LABELS, mistakes=2)
    assert [(one.row, one.true, one.predicted, one.text) for one in found.mistakes] == [
        (2, "neg", "pos", "text 2"),
        (4, "neg", "pos", "text 4"),
    ]
    assert found.mistakes[0].true_probability == pytest.approx(0.1)


def test_no_text_is_kept_where_none_is_asked_for(report: Report) -> None:
    assert report.wrong == 1
    assert report.mistakes == ()
    assert "worst_mistakes" not in report.to_dict()


def test_the_worst_mistakes_are_in_the_json_when_asked_for() -> None:
    found = evaluate(says(["pos"]), rows(["neg"]), LABELS, mistakes=1)
    assert [one["text"] for one in found.to_dict()["worst_mistakes"]] == ["text 1"]
