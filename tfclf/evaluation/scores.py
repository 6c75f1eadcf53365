"""The scores of one model on labelled rows: a plain record. `report.Report` adds writing to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfclf.evaluation.calibration import Calibration
from tfclf.evaluation.mistakes import Mistake

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ClassMetrics:
    """One line of scikit-learn's classification report: a class, or an average over the classes."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int

    def to_dict(self) -> dict[str, Any]:
        """Return the values under the names that scikit-learn and the cards use."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1-score": self.f1,
            "support": self.support,
        }


@dataclass(frozen=True)
class Scores:
    """The scores of a classifier on labelled rows.

    Attributes:
      labels: in the order of the model's outputs and of every table here.
      loss: mean cross entropy in nats; the binary one for a multi-label model.
      runtime: seconds, including reading the rows and the first call, not loading the model.
      samples: number of rows.
      classes: precision, recall and F1 of each label.
      averages: micro, macro, weighted.
      confusion_matrix: rows by the true label, columns by the predicted one.
      calibration: how far the probability of the predicted label is from how often it is right.
      steps: number of batches; None if their size is unknown.
      mistakes: worst first; as many as were asked for.
    """

    labels: tuple[str, ...]
    accuracy: float
    loss: float
    runtime: float
    samples: int
    classes: tuple[ClassMetrics, ...]
    averages: Mapping[str, ClassMetrics]
    confusion_matrix: tuple[tuple[int, ...], ...]
    calibration: Calibration
    steps: int | None = None
    mistakes: tuple[Mistake, ...] = ()

    def metrics(self) -> dict[str, float]:
        """Return the metrics under the names of the published cards.

        The cards' eval_f1, eval_precision and eval_recall equal eval_accuracy to the last digit.
        The micro average always does; the weighted one does not. Macro and weighted averages have
        names of their own.
        """
        micro = self.averages["micro"]
        named = {
            "eval_loss": self.loss,
            "eval_accuracy": self.accuracy,
            "eval_f1": micro.f1,
            "eval_precision": micro.precision,
            "eval_recall": micro.recall,
        }
        for name in ("macro", "weighted"):
            average = self.averages[name]
            named |= {
                f"eval_{name}_f1": average.f1,
                f"eval_{name}_precision": average.precision,
                f"eval_{name}_recall": average.recall,
            }
        named |= {
            "eval_runtime": self.runtime,
            "eval_samples": self.samples,
            "eval_samples_per_second": self._per_second(self.samples),
        }
        if self.steps is not None:
            named["eval_steps_per_second"] = self._per_second(self.steps)
        return named

    def _per_second(self, count: int) -> float:
        return count / self.runtime if self.runtime else 0.0

    @property
    def wrong(self) -> int:
        """Number of rows whose top label is not the true one."""
        return self.samples - sum(
            row[position] for position, row in enumerate(self.confusion_matrix)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `metrics.json`.

        `worst_mistakes`, which hold texts, are left out if there are none.
        """
        content = {
            "format_version": FORMAT_VERSION,
            **self.metrics(),
            "labels": list(self.labels),
            "classification_report": {
                line.label: line.to_dict() for line in (*self.classes, *self.averages.values())
            },
            "confusion_matrix": [list(row) for row in self.confusion_matrix],
            "calibration": self.calibration.to_dict(),
        }
        if self.mistakes:
            content["worst_mistakes"] = [mistake.to_dict() for mistake in self.mistakes]
        return content
