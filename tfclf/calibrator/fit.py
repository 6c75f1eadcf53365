"""Fit a temperature, and a threshold for each label, to logits and true labels.

Source: Guo et al. 2017, arXiv:1706.04599, section 4.2 (temperature scaling).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfclf.decision import USUAL_THRESHOLD
from tfclf.errors import MissingExtraError
from tfclf.problem_types import MULTI_LABEL

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BOUNDS = (0.1, 10.0)
_FEW_ROWS = 200
_FEW_POSITIVES = 10


@dataclass(frozen=True)
class Fit:
    """A temperature.

    Attributes:
      remarks: what a user should know before relying on it.
    """

    temperature: float
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thresholds:
    """A threshold for each label, by label; `remarks` as in `Fit`."""

    by_label: dict[str, float]
    remarks: tuple[str, ...] = ()


def compute_loss(logits: Array, truth: Array, *, temperature: float, problem_type: str) -> float:
    """Return the mean negative log likelihood in nats, over rows; for multi-label, over pairs too.

    >>> import numpy as np
    >>> logits, truth = np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([[1, 0], [1, 0]], bool)
    >>> compute_loss(logits, truth, temperature=1.0, problem_type="single_label_classification")
    1.1269...

    Args:
      logits: float[rows, labels].
      truth: bool[rows, labels]; one true label in a row, unless the model is multi-label.
    """
    import numpy as np

    scaled = np.asarray(logits, np.float64) / temperature
    if problem_type == MULTI_LABEL:
        # -log sigmoid(z) = log(1 + exp(-z)), and -log(1 - sigmoid(z)) = log(1 + exp(z)).
        return float(np.logaddexp(0, np.where(truth, -scaled, scaled)).mean())
    return float((np.logaddexp.reduce(scaled, axis=1) - scaled[truth]).mean())


def fit_temperature(logits: Array, truth: Array, *, problem_type: str) -> Fit:
    """Minimise the negative log likelihood over the temperature, within BOUNDS.

    The loss is convex in 1 / temperature, so there is one minimum. Arguments as in `compute_loss`.

    Raises: MissingExtraError without SciPy.
    """
    import numpy as np

    try:
        from scipy.optimize import minimize_scalar
    except ImportError as error:
        raise MissingExtraError("SciPy", extra="evaluate", purpose="calibrating") from error

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        return compute_loss(logits, truth, temperature=temperature, problem_type=problem_type)

    low, high = map(math.log, BOUNDS)
    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    # The bounded method stays inside; at an end the end itself is the minimum.
    chosen = min((low, float(best.x), high), key=loss)
    remarks = []
    if chosen == low:
        remarks.append(
            f"The temperature is at its lower bound, {BOUNDS[0]:g}: the logits separate the labels "
            f"of the rows perfectly, and the loss would fall further. Were the rows trained on? "
            f"Give rows that are new to the model, or more of them."
        )
    elif chosen == high:
        remarks.append(
            f"The temperature is at its upper bound, {BOUNDS[1]:g}: the logits say next to nothing "
            f"about the labels of the rows. Are they the model's labels, in its language?"
        )
    if len(logits) < _FEW_ROWS:
        remarks.append(
            f"{len(logits)} rows are few to fit to; from about {_FEW_ROWS} on, the temperature "
            f"hardly depends on which rows they are."
        )
    return Fit(float(np.float32(math.exp(chosen))), tuple(remarks))


def fit_thresholds(probabilities: Array, truth: Array, labels: Sequence[str]) -> Thresholds:
    """Choose for each label the threshold with the highest F1.

    A threshold lies halfway between the lowest probability that it takes and the next one below.
    Among equals the one nearest to 0.5 is chosen. A label that no row has, or every row, keeps 0.5.

    >>> import numpy as np
    >>> probabilities = np.array([[0.125], [0.25], [0.375], [0.875]], np.float32)
    >>> truth = np.array([[0], [1], [1], [1]], bool)
    >>> fit_thresholds(probabilities, truth, ["toxic"]).by_label
    {'toxic': 0.1875}

    Args:
      probabilities: float32[rows, labels], at the new temperature.
      truth: bool[rows, labels].
    """
    by_label: dict[str, float] = {}
    unknown, rare = [], []
    for column, label in enumerate(labels):
        positives = int(truth[:, column].sum())
        if positives in (0, len(truth)):
            by_label[label] = USUAL_THRESHOLD
            unknown.append(label)
            continue
        if positives < _FEW_POSITIVES:
            rare.append(label)
        by_label[label] = _maximise_f1(probabilities[:, column], truth[:, column])
    remarks = []
    if unknown:
        remarks.append(
            f"No row, or every row, has {', '.join(unknown)}: no threshold can be fitted, "
            f"so {USUAL_THRESHOLD} stays."
        )
    if rare:
        remarks.append(
            f"Fewer than {_FEW_POSITIVES} rows have {', '.join(rare)}: the threshold "
            f"depends much on which rows these are."
        )
    return Thresholds(by_label, tuple(remarks))


def _maximise_f1(probabilities: Array, truth: Array) -> float:
    import numpy as np

    values, inverse = np.unique(np.asarray(probabilities, np.float32), return_inverse=True)
    rows = np.bincount(inverse, minlength=len(values))
    hits = np.bincount(inverse, truth, minlength=len(values))
    # Of each value, what lies at or above it: values are in ascending order.
    predicted, right = (np.cumsum(counts[::-1])[::-1] for counts in (rows, hits))
    f1 = 2 * right / (predicted + truth.sum())
    below = np.concatenate([[0.0], values[:-1].astype(np.float64)])
    middle = (below + values.astype(np.float64)) / 2
    # Between two neighbouring float32 values nothing is halfway.
    middle = np.where(middle.astype(np.float32) > below, middle, values)
    best = np.flatnonzero(np.isclose(f1, f1.max(), rtol=0, atol=1e-12))
    return float(middle[best[np.argmin(np.abs(middle[best] - USUAL_THRESHOLD))]])
