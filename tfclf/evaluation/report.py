"""What an evaluation found, and its form on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf.evaluation.calibration import Calibration
from tfclf.evaluation.mistakes import Mistake
from tfclf.files import write_json

if TYPE_CHECKING:
    from tfclf.evaluation.provenance import About
    from tfclf.evaluation.published import Published

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
        """With scikit-learn's and the cards' names."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1-score": self.f1,
            "support": self.support,
        }


@dataclass(frozen=True)
class Report:
    """How a classifier did on labelled rows.

    Attributes:
      labels: in the order of the model's outputs, and of every table here.
      loss: mean cross entropy, in nats; of a multi-label model the binary one.
      runtime: seconds, reading the rows and the first call included, loading the model not.
      samples: rows.
      classes: precision, recall and F1 of each label.
      averages: micro, macro, weighted.
      confusion_matrix: rows by the true label, columns by the predicted one.
      calibration: how far the probability of the predicted label is from how often it is right.
      steps: batches; None where their size is not known.
      mistakes: the worst first; as many as were asked for.
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
        """The metrics under the names of the published cards.

        Their eval_f1, eval_precision and eval_recall equal eval_accuracy to the last digit, as the micro
        average always does and the weighted one does not. Macro and weighted have names of their own.
        """
        micro = self.averages["micro"]
        named = {
            "eval_loss": self.loss,
            "eval_accuracy": self.accuracy,
            "eval_f1": micro.f1,
            "eval_precision": micro.precision,
            "eval_recall": micro.recall,
        }
        for average in ("macro", "weighted"):
            found = self.averages[average]
            named |= {
                f"eval_{average}_f1": found.f1,
                f"eval_{average}_precision": found.precision,
                f"eval_{average}_recall": found.recall,
            }
        steps = {} if self.steps is None else {"eval_steps_per_second": self._a_second(self.steps)}
        return named | {
            "eval_runtime": self.runtime,
            "eval_samples": self.samples,
            "eval_samples_per_second": self._a_second(self.samples),
            **steps,
        }

    def _a_second(self, count: int) -> float:
        return count / self.runtime if self.runtime else 0.0

    @property
    def wrong(self) -> int:
        """Rows whose top label is not the true one."""
        return self.samples - sum(
            row[position] for position, row in enumerate(self.confusion_matrix)
        )

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` has it; `worst_mistakes`, which hold texts, only where there are any."""
        worst = (
            {"worst_mistakes": [mistake.to_dict() for mistake in self.mistakes]}
            if self.mistakes
            else {}
        )
        return {
            "format_version": FORMAT_VERSION,
            **self.metrics(),
            "labels": list(self.labels),
            "classification_report": {
                line.label: line.to_dict() for line in (*self.classes, *self.averages.values())
            },
            "confusion_matrix": [list(row) for row in self.confusion_matrix],
            "calibration": self.calibration.to_dict(),
            **worst,
        }

    def write(
        self,
        folder: str | Path,
        *,
        title: str = "Evaluation",
        about: "About | None" = None,
        published: "Published | None" = None,
    ) -> None:
        """Writes metrics.json, report.html, report.md, confusion_matrix.json, .png and reliability.png.

        All are made beside the folder and then put into it, so that an interrupted run leaves none of them behind.

        Args:
          title: of the report and its plots.
          about: which model, which rows.
          published: a card's figures.
        Raises: MissingExtraError without matplotlib or Jinja.
        """
        from tfclf.evaluation.writing import write_report

        write_report(self, Path(folder), title=title, about=about, published=published)

    def write_confusion_matrix(self, folder: Path, *, title: str) -> None:
        """Writes confusion_matrix.json and .png. Raises: MissingExtraError without matplotlib."""
        from tfclf.evaluation.plot import plot_confusion_matrix

        content = {
            "format_version": FORMAT_VERSION,
            "title": title,
            "labels": list(self.labels),
            "rows": "true label",
            "columns": "predicted label",
            "counts": [list(row) for row in self.confusion_matrix],
        }
        write_json(folder / "confusion_matrix.json", content)
        plot_confusion_matrix(
            self.confusion_matrix, self.labels, folder / "confusion_matrix.png", title=title
        )
