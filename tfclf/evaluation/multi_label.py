"""Predictions of a multi-label model beside the true sets of labels -> MultiLabelReport."""

import math
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.data import Row
from tfclf.data.pairing import pair_with_rows
from tfclf.errors import DataError, InputError
from tfclf.evaluation.metrics import require_sklearn
from tfclf.evaluation.pages import multi_label_page
from tfclf.evaluation.provenance import About
from tfclf.evaluation.scores import FORMAT_VERSION
from tfclf.evaluation.tally import Predict, cross_entropy
from tfclf.files import fill_folder, write_json

THRESHOLD = 0.5
MULTI_LABEL_FILES = ("metrics.json", "report.html", "report.md")


@dataclass(frozen=True)
class LabelMetrics:
    """The scores of a label, or an average over the labels.

    Attributes:
      average_precision: area below the curve of precision by recall over all thresholds; None if no
        row has the label.
      support: number of rows that have the label; for an average, of pairs of a row and a label.
    """

    label: str
    precision: float
    recall: float
    f1: float
    average_precision: float | None
    support: int

    def to_dict(self) -> dict[str, Any]:
        """Return the values under the names that scikit-learn uses."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1-score": self.f1,
            "average_precision": self.average_precision,
            "support": self.support,
        }


@dataclass(frozen=True)
class MultiLabelReport:
    """The scores of a multi-label model on rows with any number of labels each.

    Attributes:
      labels: in the order of the model's outputs.
      threshold: a label with a probability above it counts as predicted.
      subset_accuracy: fraction of the rows whose predicted labels are exactly the true ones.
      loss: mean binary cross entropy in nats, over rows and labels.
      runtime: seconds, including reading the rows and the first call, not loading the model.
      samples: number of rows.
      classes: scores of each label.
      averages: micro, over all pairs of a row and a label; macro, over labels. The macro average
        precision leaves out labels that no row has.
      steps: number of batches; None if their size is unknown.
    """

    labels: tuple[str, ...]
    threshold: float
    subset_accuracy: float
    loss: float
    runtime: float
    samples: int
    classes: tuple[LabelMetrics, ...]
    averages: Mapping[str, LabelMetrics]
    steps: int | None = None

    def metrics(self) -> dict[str, float]:
        """Return the metrics under names like those of a single-label report."""
        named = {"eval_loss": self.loss, "eval_subset_accuracy": self.subset_accuracy}
        for name, average in self.averages.items():
            named |= {
                f"eval_{name}_f1": average.f1,
                f"eval_{name}_precision": average.precision,
                f"eval_{name}_recall": average.recall,
            }
            if average.average_precision is not None:
                named[f"eval_{name}_average_precision"] = average.average_precision
        seconds = self.runtime or math.inf
        named |= {
            "eval_runtime": self.runtime,
            "eval_samples": self.samples,
            "eval_samples_per_second": self.samples / seconds,
        }
        if self.steps is not None:
            named["eval_steps_per_second"] = self.steps / seconds
        return named

    def to_dict(self, about: About | None = None) -> dict[str, Any]:
        """Return the content of `metrics.json`."""
        content = {
            "format_version": FORMAT_VERSION,
            "problem_type": "multi_label_classification",
            **self.metrics(),
            "threshold": self.threshold,
            "labels": list(self.labels),
            "classification_report": {
                line.label: line.to_dict() for line in (*self.classes, *self.averages.values())
            },
        }
        if about is not None:
            content["about"] = about.to_dict()
        return content

    def write(
        self, folder: str | Path, *, title: str = "Evaluation", about: About | None = None
    ) -> None:
        """Write metrics.json, report.html and report.md: all of them or none.

        Raises: MissingExtraError without Jinja.
        """
        with fill_folder(Path(folder)) as beside:
            write_json(beside / "metrics.json", self.to_dict(about))
            for suffix in ("html", "md"):
                page = multi_label_page(suffix, self, title=title, about=about)
                (beside / f"report.{suffix}").write_text(page, encoding="utf-8")


def evaluate_multi_label(
    predict: Predict,
    rows: Iterable[Row],
    labels: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    batch_size: int | None = None,
) -> MultiLabelReport:
    """Predict every row and compare the labels above a threshold with the true ones.

        rows = multi_labelled_rows("comments.csv", classifier.labels)
        evaluate_multi_label(classifier.predict, rows, classifier.labels).averages["micro"].f1

    Args:
      predict: as in `evaluate`.
      rows: rows whose `labels` are among `labels`; read one at a time, not held.
      labels: of the model, in the order of its outputs.
      batch_size: that of `predict`; with it the report has eval_steps_per_second, in batches.
    Raises: DataError without a row, for a row of a single label, or for an unknown label;
      InputError for predictions that are not probabilities of these labels; MissingExtraError
      without scikit-learn.
    """
    require_sklearn()
    labels = tuple(labels)
    started = time.perf_counter()
    loss = 0.0
    truth, scores = array("b"), array("d")
    pairs = pair_with_rows(
        _check_rows(rows, labels), lambda checked: predict(row.text for row in checked)
    )
    for row, prediction in pairs:
        probabilities = prediction.probabilities
        if probabilities is None or set(probabilities) != set(labels):
            raise InputError(
                f"predict gave probabilities of {', '.join(probabilities or ()) or 'nothing'}; "
                f"expected those of {', '.join(labels)}."
            )
        true = row.labels or ()
        loss += cross_entropy(probabilities, true)
        truth.extend(label in true for label in labels)
        scores.extend(probabilities[label] for label in labels)
    runtime = time.perf_counter() - started
    if not truth:
        raise DataError("There is no row to evaluate on. Expected at least one.")
    if math.isnan(loss):
        raise InputError(
            "predict gave a probability that is no number. "
            "The model's weights are broken; train or export it again."
        )
    samples = len(truth) // len(labels)
    classes, averages, subset = _score(truth, scores, labels, threshold)
    return MultiLabelReport(
        labels=labels,
        threshold=threshold,
        subset_accuracy=subset,
        loss=loss / samples,
        runtime=runtime,
        samples=samples,
        classes=classes,
        averages=averages,
        steps=None if batch_size is None else math.ceil(samples / batch_size),
    )


def _score(
    truth: "array[int]", scores: "array[float]", labels: tuple[str, ...], threshold: float
) -> tuple[tuple[LabelMetrics, ...], dict[str, LabelMetrics], float]:
    """Return the scores of each label, their averages, and the subset accuracy."""
    import numpy

    metrics: Any = require_sklearn()
    # Both have the shape [rows, labels].
    true = numpy.asarray(truth, bool).reshape(-1, len(labels))
    probabilities = numpy.asarray(scores).reshape(-1, len(labels))
    predicted = probabilities > threshold
    areas = [
        float(metrics.average_precision_score(true[:, column], probabilities[:, column]))
        if true[:, column].any()
        else None
        for column in range(len(labels))
    ]
    known = [one for one in areas if one is not None]
    # One column at a time: scikit-learn takes a matrix of one column for two classes.
    per_label = [_count(true[:, column], predicted[:, column]) for column in range(len(labels))]
    classes = tuple(
        LabelMetrics(label, *counted, area, int(true[:, column].sum()))
        for column, (label, counted, area) in enumerate(zip(labels, per_label, areas, strict=True))
    )
    micro_area = macro_area = None
    if known:
        micro_area = float(metrics.average_precision_score(true.ravel(), probabilities.ravel()))
        macro_area = sum(known) / len(known)
    support = int(true.sum())
    precision, recall, f1 = (float(mean) for mean in numpy.mean(per_label, axis=0))
    averages = {
        "micro": LabelMetrics(
            "micro avg", *_count(true.ravel(), predicted.ravel()), micro_area, support
        ),
        "macro": LabelMetrics("macro avg", precision, recall, f1, macro_area, support),
    }
    return classes, averages, float((true == predicted).all(axis=1).mean())


def _count(true: Any, predicted: Any) -> tuple[float, float, float]:
    """Return precision, recall and F1 of one label; 0 where they are not defined."""
    metrics: Any = require_sklearn()
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        true, predicted, labels=[True], average=None, zero_division=0.0
    )
    return float(precision[0]), float(recall[0]), float(f1[0])


def _check_rows(rows: Iterable[Row], labels: tuple[str, ...]) -> Iterator[Row]:
    known = frozenset(labels)
    for number, row in enumerate(rows, 1):
        if row.labels is None or not known.issuperset(row.labels):
            raise DataError(
                f"Row {number} has the labels {row.labels!r}; expected some of the model's: "
                f"{', '.join(labels)}. `tfclf.data.label_sets.multi_labelled_rows` reads them."
            )
        yield row
