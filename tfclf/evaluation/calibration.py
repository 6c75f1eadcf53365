"""Calibration: whether predictions with probability 0.9 are right nine times in ten."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BINS = 15  # as in Guo et al.


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence is above `low` and at most `high`; the first bin also holds 0.

    Attributes:
      confidence: mean confidence of the rows; None without a row.
      accuracy: fraction of the rows that are right; None without a row.
    """

    low: float
    high: float
    rows: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """The gap between confidence, the probability of the predicted label, and accuracy.

    Attributes:
      ece: expected calibration error: |accuracy - confidence| of each bin, weighted by its fraction
        of the rows.
      mce: maximum calibration error: the largest such gap, however few rows its bin has.
      confidence: mean over all rows; if it exceeds the accuracy, the model is overconfident.
      bins: of equal width, from 0 to 1.
    """

    ece: float
    mce: float
    confidence: float
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the part of `metrics.json` on calibration."""
        return {
            "expected_calibration_error": self.ece,
            "maximum_calibration_error": self.mce,
            "mean_confidence": self.confidence,
            "bins": [asdict(one) for one in self.bins],
        }


def calibration_of(confidence: ArrayLike, right: ArrayLike, *, bins: int = BINS) -> Calibration:
    """Group rows into bins by their confidence and compare it with their accuracy.

    >>> found = calibration_of([0.9, 0.9, 0.6, 0.6], [True, True, True, False], bins=2)
    >>> found.bins[1].rows, found.bins[1].accuracy, found.bins[1].confidence
    (4, 0.75, 0.75)
    >>> calibration_of([1.0, 1.0], [True, False]).ece
    0.5

    Args:
      confidence: probability of the predicted label, one per row; at least one row.
      right: whether that label is the true one, one per row.
      bins: number of bins, all of equal width.
    Source: Guo et al. 2017, arXiv:1706.04599, equations 3 and 5; bin m of M is ((m-1)/M, m/M].
    """
    import numpy  # here: the command line needs BINS, but should not wait for numpy

    confidences = numpy.asarray(confidence, numpy.float64)
    hits = numpy.asarray(right, numpy.float64)
    edges = numpy.linspace(0.0, 1.0, bins + 1)
    # Search inner edges alone: 0, and values that rounding puts above 1, stay in the outer bins.
    index = numpy.searchsorted(edges[1:-1], confidences, side="left")
    rows = numpy.bincount(index, minlength=bins)
    divisors = numpy.maximum(rows, 1)
    mean = numpy.bincount(index, confidences, minlength=bins) / divisors
    accuracy = numpy.bincount(index, hits, minlength=bins) / divisors
    gaps = numpy.abs(accuracy - mean)  # 0 in an empty bin
    return Calibration(
        ece=float(gaps @ rows / len(confidences)),
        mce=float(gaps.max()),
        confidence=float(confidences.mean()),
        bins=tuple(
            Bin(
                low=float(edges[position]),
                high=float(edges[position + 1]),
                rows=int(count),
                confidence=float(mean[position]) if count else None,
                accuracy=float(accuracy[position]) if count else None,
            )
            for position, count in enumerate(rows)
        ),
    )
