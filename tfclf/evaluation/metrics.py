"""Predictions beside true labels -> Report. The averages are scikit-learn's."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from tfclf.data import Row
from tfclf.errors import DataError, InputError, MissingExtraError
from tfclf.evaluation.report import ClassMetrics, Report
from tfclf.prediction import Prediction

# A probability that underflowed to 0 would make the loss of every row infinite; this is float32's smallest.
_SMALLEST_PROBABILITY = 1.17549435e-38


def evaluate(
    predict: Callable[[Iterable[str]], Iterable[Prediction]],
    rows: Iterable[Row],
    labels: Sequence[str],
    *,
    independent: bool = False,
) -> Report:
    """Predicts every row and compares.

    >>> evaluate(classifier.predict, labelled_rows("test.csv", classifier.labels), classifier.labels).accuracy
    0.9125

    Args:
      predict: takes texts, gives their predictions in the same order; `Classifier.predict` is one.
      rows: with labels that are among `labels`. Read one at a time, not held.
      labels: of the model, in the order of its outputs.
      independent: whether each label has a probability by itself, as in a multi-label model. Its top label is
        compared, and the loss is the binary cross entropy, the mean over labels and rows.
    Raises: DataError without a row or with another label; InputError for a regression, which gives no
      probabilities; MissingExtraError without scikit-learn.
    """
    metrics = sklearn_metrics()
    index = {label: position for position, label in enumerate(labels)}
    truth: list[int] = []
    predicted: list[int] = []
    loss = 0.0
    started = time.perf_counter()
    for prediction in predict(_texts(rows, index, truth)):
        if len(predicted) >= len(truth) or prediction.label not in index:
            raise _not_an_answer(prediction, len(predicted), len(truth), labels)
        if prediction.probabilities is None:
            raise InputError(
                f"predict gave {prediction.label} {prediction.score} and no probabilities: the model is a regression. "
                f"Only classification is measured here; expected a model of two labels or more."
            )
        row_loss = _loss(prediction.probabilities, labels[truth[len(predicted)]], independent=independent)
        if math.isnan(row_loss):
            raise InputError(
                f"predict gave a probability that is no number for text {len(predicted) + 1}. "
                f"The model's weights are broken; train or export it again."
            )
        loss += row_loss
        predicted.append(index[prediction.label])
    runtime = time.perf_counter() - started
    if not truth:
        raise DataError("There is no row to evaluate on. Expected at least one.")
    if len(predicted) != len(truth):
        raise InputError(f"predict gave {len(predicted)} predictions for {len(truth)} texts; expected one a text.")
    return _report(metrics, truth, predicted, labels, loss=loss / len(truth), runtime=runtime)


def _loss(probabilities: Mapping[str, float], true: str, *, independent: bool) -> float:
    """Nats; NaN where a probability that counts is."""
    if not independent:
        return -_log(probabilities[true])
    logs = [_log(share if label == true else 1 - share) for label, share in probabilities.items()]
    return -sum(logs) / len(logs)


def _log(share: float) -> float:
    # NaN first: max() gives back the first of its arguments where comparing says no.
    return math.log(max(share, _SMALLEST_PROBABILITY))


def sklearn_metrics() -> ModuleType:
    """scikit-learn's metrics. Raises: MissingExtraError where it is not installed."""
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingExtraError("scikit-learn", extra="evaluate", purpose="measuring a classifier") from error
    found: ModuleType = metrics
    return found


def _texts(rows: Iterable[Row], index: dict[str, int], truth: list[int]) -> Iterator[str]:
    for number, row in enumerate(rows, 1):
        if row.label not in index:
            raise DataError(
                f"Row {number} has the label {row.label!r}; expected one of the model's: {', '.join(index)}. "
                f"`labelled_rows` turns a file's own labels into these."
            )
        truth.append(index[row.label])
        yield row.text


def _not_an_answer(prediction: Prediction, given: int, asked: int, labels: Sequence[str]) -> InputError:
    if given >= asked:
        return InputError(f"predict gave prediction {given + 1} after {asked} texts; expected one a text, in order.")
    return InputError(f"predict gave the label {prediction.label!r}; expected one of {', '.join(labels)}.")


def _report(
    metrics: Any,
    truth: Sequence[int],
    predicted: Sequence[int],
    labels: Sequence[str],
    *,
    loss: float,
    runtime: float,
) -> Report:
    classes = list(range(len(labels)))

    def scores(average: str | None) -> Any:
        return metrics.precision_recall_fscore_support(
            truth, predicted, labels=classes, average=average, zero_division=0.0
        )

    def average(name: str) -> ClassMetrics:
        precision, recall, f1, _ = scores(name)
        return ClassMetrics(f"{name} avg", float(precision), float(recall), float(f1), len(truth))

    precision, recall, f1, support = scores(None)
    return Report(
        labels=tuple(labels),
        accuracy=float(metrics.accuracy_score(truth, predicted)),
        loss=loss,
        runtime=runtime,
        samples=len(truth),
        classes=tuple(
            ClassMetrics(label, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, label in enumerate(labels)
        ),
        averages={name: average(name) for name in ("micro", "macro", "weighted")},
        confusion_matrix=tuple(
            tuple(int(count) for count in row) for row in metrics.confusion_matrix(truth, predicted, labels=classes)
        ),
    )
