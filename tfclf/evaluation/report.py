"""What an evaluation found, and its form on disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
      runtime: seconds, reading the rows included.
      samples: rows.
      classes: precision, recall and F1 of each label.
      averages: micro, macro, weighted.
      confusion_matrix: rows by the true label, columns by the predicted one.
    """

    labels: tuple[str, ...]
    accuracy: float
    loss: float
    runtime: float
    samples: int
    classes: tuple[ClassMetrics, ...]
    averages: Mapping[str, ClassMetrics]
    confusion_matrix: tuple[tuple[int, ...], ...]

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
        return named | {
            "eval_runtime": self.runtime,
            "eval_samples": self.samples,
            "eval_samples_per_second": self.samples / self.runtime if self.runtime else 0.0,
        }

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` has it."""
        return {
            "format_version": FORMAT_VERSION,
            **self.metrics(),
            "labels": list(self.labels),
            "classification_report": {line.label: line.to_dict() for line in (*self.classes, *self.averages.values())},
            "confusion_matrix": [list(row) for row in self.confusion_matrix],
        }

    def write(self, folder: str | Path, *, title: str = "Confusion matrix") -> None:
        """Writes metrics.json, confusion_matrix.json and confusion_matrix.png into the folder.

        Raises: MissingExtraError without matplotlib.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "metrics.json", self.to_dict())
        self.write_confusion_matrix(folder, title=title)

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
        plot_confusion_matrix(self.confusion_matrix, self.labels, folder / "confusion_matrix.png", title=title)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Indented, in UTF-8, beside and renamed: a reader never sees half of it."""
    beside = path.with_name(f"{path.name}.partial")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(path)
