"""Predictions beside true labels -> Report. scikit-learn computes the averages."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from tfclf.data import Row
from tfclf.errors import MissingExtraError
from tfclf.evaluation.calibration import BINS, calibration_of
from tfclf.evaluation.mistakes import Mistake
from tfclf.evaluation.report import Report
from tfclf.evaluation.scores import ClassMetrics
from tfclf.evaluation.tally import Predict, Tally, predict_rows, probabilities_of
from tfclf.explanation import Explanation

Explain = Callable[[list[str]], list[Explanation]]


def evaluate(
    predict: Predict,
    rows: Iterable[Row],
    labels: Sequence[str],
    *,
    independent: bool = False,
    batch_size: int | None = None,
    bins: int = BINS,
    mistakes: int = 0,
    explain: Explain | None = None,
) -> Report:
    """Predict every row and compare the predictions with the true labels.

        rows = labelled_rows("test.csv", classifier.labels)
        evaluate(classifier.predict, rows, classifier.labels).accuracy   # 0.9125

    Args:
      predict: takes texts and gives their predictions in the same order, as `Classifier.predict`
        and `Client.predict` do.
      rows: rows whose labels are among `labels`; read one at a time, not held.
      labels: of the model, in the order of its outputs.
      independent: whether each label has a probability of its own, as in a multi-label model. Then
        the top label is compared, and the loss is the binary cross entropy, averaged over labels
        and rows.
      batch_size: that of `predict`; with it the report has eval_steps_per_second, in batches.
      bins: number of bins of the calibration.
      mistakes: how many of the worst mistakes to keep, with the start of their texts.
      explain: explains texts, as `Classifier.explain`: the words of these mistakes are then shown
        with their effects on the wrong label. A text of 40 words costs 41 predictions.
    Raises: DataError without a row or for an unknown label; InputError for a regression, which
      gives no probabilities; MissingExtraError without scikit-learn.
    """
    require_sklearn()
    tally = Tally(labels, independent=independent, mistakes=mistakes)
    started = time.perf_counter()
    for row, prediction in predict_rows(predict, rows, labels):
        tally.add(row, probabilities_of(prediction), prediction.label)
    runtime = time.perf_counter() - started
    return report_of(tally, runtime=runtime, batch_size=batch_size, bins=bins, explain=explain)


def require_sklearn() -> ModuleType:
    """Return scikit-learn's metrics. Raises: MissingExtraError if it is not installed."""
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingExtraError(
            "scikit-learn", extra="evaluate", purpose="measuring a classifier"
        ) from error
    module: ModuleType = metrics
    return module


def report_of(
    tally: Tally,
    *,
    runtime: float,
    batch_size: int | None,
    bins: int,
    explain: Explain | None = None,
) -> Report:
    """Compute all metrics of the predictions in a tally."""
    import numpy  # here: the command line's tables need this module, but should not wait for numpy

    metrics: Any = require_sklearn()
    labels = tally.labels
    truth, predicted = numpy.asarray(tally.truth), numpy.asarray(tally.predicted)
    samples = len(truth)
    classes = list(range(len(labels)))

    def score(average: str | None) -> Any:
        return metrics.precision_recall_fscore_support(
            truth, predicted, labels=classes, average=average, zero_division=0.0
        )

    def average_of(name: str) -> ClassMetrics:
        precision, recall, f1, _ = score(name)
        return ClassMetrics(f"{name} avg", float(precision), float(recall), float(f1), samples)

    precision, recall, f1, support = score(None)
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
        averages={name: average_of(name) for name in ("micro", "macro", "weighted")},
        confusion_matrix=tuple(
            tuple(int(count) for count in row)
            for row in metrics.confusion_matrix(truth, predicted, labels=classes)
        ),
        calibration=calibration_of(tally.confidence, truth == predicted, bins=bins),
        steps=None if batch_size is None else math.ceil(samples / batch_size),
        mistakes=_list_mistakes(tally, explain),
    )


def _list_mistakes(tally: Tally, explain: Explain | None) -> tuple[Mistake, ...]:
    kept = tally.mistakes.items()
    if explain is None or not kept:
        return tuple(mistake for mistake, _ in kept)
    explanations = explain([text for _, text in kept])
    return tuple(
        mistake.with_words(explanation)
        for (mistake, _), explanation in zip(kept, explanations, strict=True)
    )
