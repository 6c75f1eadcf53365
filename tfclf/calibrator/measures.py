"""What calibration changes: loss, calibration error, and F1 of a multi-label model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfclf.calibrator.fit import compute_loss
from tfclf.decision import USUAL_THRESHOLD
from tfclf.evaluation.calibration import BINS, Calibration, calibration_of
from tfclf.evaluation.metrics import require_sklearn
from tfclf.problem_types import MULTI_LABEL, activation_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Measures:
    """A model's figures on rows, at one temperature.

    Attributes:
      loss: mean negative log likelihood in nats; the binary one for a multi-label model.
      accuracy: fraction of right labels; for a multi-label model, of right pairs of row and label.
      calibration: of the predicted label's probability; for a multi-label model, of the probability
        of each pair of a row and a label, whose "accuracy" is how often the row has the label.
      f1: of each label of a multi-label model, at `thresholds`; None for other models.
      micro_f1, macro_f1: of a multi-label model.
    """

    temperature: float
    loss: float
    accuracy: float
    calibration: Calibration
    thresholds: Mapping[str, float] | None = None
    f1: Mapping[str, float] | None = None
    micro_f1: float | None = None
    macro_f1: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures by name, for JSON."""
        content = {
            "temperature": self.temperature,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "calibration": self.calibration.to_dict(),
        }
        if self.thresholds is not None and self.f1 is not None:
            content |= {
                "thresholds": dict(self.thresholds),
                "f1": dict(self.f1),
                "micro_f1": self.micro_f1,
                "macro_f1": self.macro_f1,
            }
        return content


def activate(logits: Array, *, temperature: float, problem_type: str) -> Array:
    """Compute probabilities as the graph does: float32[rows, labels]."""
    import numpy as np

    activation = activation_of(problem_type)
    assert activation is not None
    result: Array = activation(logits / np.float32(temperature)).numpy()
    return result


def measure(
    logits: Array,
    truth: Array,
    labels: Sequence[str],
    *,
    temperature: float,
    problem_type: str,
    thresholds: Mapping[str, float] | None = None,
    bins: int = BINS,
) -> Measures:
    """Compute the figures of logits at a temperature.

    Args:
      logits: float32[rows, labels].
      truth: bool[rows, labels].
      thresholds: by label, of a multi-label model; by default 0.5 each.
    """
    import numpy as np

    probabilities = activate(logits, temperature=temperature, problem_type=problem_type)
    loss = compute_loss(logits, truth, temperature=temperature, problem_type=problem_type)
    if problem_type != MULTI_LABEL:
        best = logits.argmax(axis=1)
        rows = np.arange(len(logits))
        right = truth[rows, best]
        calibration = calibration_of(probabilities[rows, best], right, bins=bins)
        return Measures(temperature, loss, float(right.mean()), calibration)
    metrics: Any = require_sklearn()
    by_label = {label: (thresholds or {}).get(label, USUAL_THRESHOLD) for label in labels}
    predicted = probabilities >= np.array([by_label[label] for label in labels], np.float32)

    def f1(true: Array, found: Array) -> float:
        return float(metrics.f1_score(true, found, zero_division=0.0))

    per_label = {
        label: f1(truth[:, column], predicted[:, column]) for column, label in enumerate(labels)
    }
    return Measures(
        temperature,
        loss,
        float((predicted == truth).mean()),
        calibration_of(probabilities.ravel(), truth.ravel(), bins=bins),
        by_label,
        per_label,
        f1(truth.ravel(), predicted.ravel()),
        float(np.mean(list(per_label.values()))),
    )
