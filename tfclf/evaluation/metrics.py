"""Predictions beside true labels -> Report. The averages are scikit-learn's."""

import math
import time
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from tfclf.data import Row
from tfclf.errors import MissingExtraError
from tfclf.evaluation.calibration import BINS, calibration_of
from tfclf.evaluation.report import ClassMetrics, Report
from tfclf.evaluation.tally import Predict, Tally, answered, shares_of


def evaluate(
    predict: Predict,
    rows: Iterable[Row],
    labels: Sequence[str],
    *,
    independent: bool = False,
    batch_size: int | None = None,
    bins: int = BINS,
    mistakes: int = 0,
) -> Report:
    """Predicts every row and compares.

    >>> evaluate(classifier.predict, labelled_rows("test.csv", classifier.labels), classifier.labels).accuracy
    0.9125

    Args:
      predict: takes texts, gives their predictions in the same order; `Classifier.predict` and `Client.predict` are.
      rows: with labels that are among `labels`. Read one at a time, not held.
      labels: of the model, in the order of its outputs.
      independent: whether each label has a probability by itself, as in a multi-label model. Its top label is
        compared, and the loss is the binary cross entropy, the mean over labels and rows.
      batch_size: of `predict`; with it the report has eval_steps_per_second, whose steps are batches.
      bins: of the calibration.
      mistakes: how many of the worst ones are kept, with the start of their texts.
    Raises: DataError without a row or with another label; InputError for a regression, which gives no
      probabilities; MissingExtraError without scikit-learn.
    """
    sklearn_metrics()
    tally = Tally(labels, independent=independent, mistakes=mistakes)
    started = time.perf_counter()
    for row, prediction in answered(predict, rows, labels):
        tally.add(row, shares_of(prediction), prediction.label)
    return report_of(tally, runtime=time.perf_counter() - started, batch_size=batch_size, bins=bins)


def sklearn_metrics() -> ModuleType:
    """scikit-learn's metrics. Raises: MissingExtraError where it is not installed."""
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingExtraError(
            "scikit-learn", extra="evaluate", purpose="measuring a classifier"
        ) from error
    found: ModuleType = metrics
    return found


def report_of(tally: Tally, *, runtime: float, batch_size: int | None, bins: int) -> Report:
    """All figures of what has been answered."""
    import numpy  # here, because the command line's tables need this module without it

    metrics: Any = sklearn_metrics()
    labels = tally.labels
    truth, predicted = numpy.asarray(tally.truth), numpy.asarray(tally.predicted)
    samples = len(truth)
    classes = list(range(len(labels)))

    def scores(average: str | None) -> Any:
        return metrics.precision_recall_fscore_support(
            truth, predicted, labels=classes, average=average, zero_division=0.0
        )

    def average(name: str) -> ClassMetrics:
        precision, recall, f1, _ = scores(name)
        return ClassMetrics(f"{name} avg", float(precision), float(recall), float(f1), samples)

    precision, recall, f1, support = scores(None)
    return Report(
        labels=labels,
        accuracy=float(metrics.accuracy_score(truth, predicted)),
        loss=tally.loss / samples,
        runtime=runtime,
        samples=samples,
        classes=tuple(
            ClassMetrics(
                label, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])
            )
            for i, label in enumerate(labels)
        ),
        averages={name: average(name) for name in ("micro", "macro", "weighted")},
        confusion_matrix=tuple(
            tuple(int(count) for count in row)
            for row in metrics.confusion_matrix(truth, predicted, labels=classes)
        ),
        calibration=calibration_of(tally.confidence, truth == predicted, bins=bins),
        steps=None if batch_size is None else math.ceil(samples / batch_size),
        mistakes=tuple(tally.mistakes.items()),
    )
