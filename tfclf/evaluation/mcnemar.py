"""McNemar's test: whether two models that predicted the same rows are right equally often."""

from dataclasses import asdict, dataclass
from typing import Any

from tfclf.errors import MissingExtraError

# The exact test always holds. Above this many rows the two tests agree to every digit people read.
_MOST_EXACT = 1_000
LEVEL = 0.05


@dataclass(frozen=True)
class McNemar:
    """The test's outcome. Rows on which both are right, or both wrong, do not affect it.

    Attributes:
      only_first_right, only_second_right: rows.
      method: 'exact binomial' or 'chi-squared with continuity correction'.
      statistic: chi-squared, with one degree of freedom; None for the exact test.
      p_value: two-sided: the probability that models which are right equally often differ by this
        much or more.
    """

    only_first_right: int
    only_second_right: int
    method: str
    statistic: float | None
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the part of `comparison.json` on the test."""
        return asdict(self)


def mcnemar(only_first_right: int, only_second_right: int) -> McNemar:
    """Test the two counts of rows on which only one model is right.

    >>> mcnemar(10, 2).p_value
    0.038574...
    >>> mcnemar(600, 500).method, mcnemar(600, 500).statistic
    ('chi-squared with continuity correction', 8.91)

    Raises: MissingExtraError without scipy.
    Source: McNemar 1947, doi:10.1007/BF02295996; continuity correction by Edwards 1948,
      doi:10.1007/BF02289261.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise MissingExtraError("scipy", extra="evaluate", purpose="McNemar's test") from error
    rows = only_first_right + only_second_right
    if rows <= _MOST_EXACT:
        p_value = 1.0 if rows == 0 else float(stats.binomtest(only_first_right, rows, 0.5).pvalue)
        return McNemar(only_first_right, only_second_right, "exact binomial", None, p_value)
    statistic = max(abs(only_first_right - only_second_right) - 1, 0) ** 2 / rows
    method = "chi-squared with continuity correction"
    p_value = float(stats.chi2.sf(statistic, 1))
    return McNemar(only_first_right, only_second_right, method, statistic, p_value)
