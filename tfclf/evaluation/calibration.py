"""Whether a probability of 0.9 is right nine times in ten."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

BINS = 15  # Guo et al.'s


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence is above `low` and at most `high`; a confidence of 0 is in the first.

    Attributes:
      confidence: its mean over the rows; None without a row, as `accuracy`.
      accuracy: share of the rows that are right.
    """

    low: float
    high: float
    rows: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How far confidence, the probability of the predicted label, is from accuracy.

    Attributes:
      ece: expected calibration error: each bin's |accuracy - confidence|, weighted by its share of the rows.
      mce: maximum calibration error: the largest of these, whatever the bin's rows.
      confidence: mean over all rows; above the accuracy, the model is too sure of itself.
      bins: of equal width, from 0 to 1.
    """

    ece: float
    mce: float
    confidence: float
    bins: tuple[Bin, ...]

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` has it."""
        return {
            "expected_calibration_error": self.ece,
            "maximum_calibration_error": self.mce,
            "mean_confidence": self.confidence,
            "bins": [asdict(one) for one in self.bins],
        }


def calibration_of(confidence: ArrayLike, right: ArrayLike, *, bins: int = BINS) -> Calibration:
    """Bins the rows by their confidence.

    >>> calibration_of([0.9, 0.9, 0.6, 0.6], [True, True, True, False]).ece
    0.1

    Args:
      confidence: probability of the predicted label, one a row; at least one row.
      right: whether that label is the true one.
      bins: of equal width.
    Source: Guo et al. 2017, arXiv:1706.04599, equations 3 and 5: bin m of M is the interval ((m-1)/M, m/M].
    """
    import numpy  # here, because the command line's options need this module without it

    sure = numpy.asarray(confidence, numpy.float64)
    hits = numpy.asarray(right, numpy.float64)
    edges = numpy.linspace(0.0, 1.0, bins + 1)
    # Inner edges alone: 0 and whatever rounding puts past 1 stay in the outer bins.
    index = numpy.searchsorted(edges[1:-1], sure, side="left")
    rows = numpy.bincount(index, minlength=bins)
    filled = numpy.maximum(rows, 1)
    mean = numpy.bincount(index, sure, minlength=bins) / filled
    accuracy = numpy.bincount(index, hits, minlength=bins) / filled
    gaps = numpy.abs(accuracy - mean)  # 0 in an empty bin
    return Calibration(
        ece=float(gaps @ rows / len(sure)),
        mce=float(gaps.max()),
        confidence=float(sure.mean()),
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
