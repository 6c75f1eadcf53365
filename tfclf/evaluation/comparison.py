"""The scores of two models on the same rows as a public record, which writes itself to disk."""

from dataclasses import dataclass
from pathlib import Path

from tfclf.evaluation.pair_scores import PairScores
from tfclf.evaluation.provenance import About
from tfclf.evaluation.report import Report
from tfclf.evaluation.writing import write_comparison


@dataclass(frozen=True)
class Comparison(PairScores):
    """Two models on the same rows; `PairScores` documents the attributes.

    Attributes:
      first, second: reports of the two, each of which can be written by itself.
    """

    first: Report
    second: Report

    def write(
        self, folder: str | Path, *, title: str = "Comparison", about: About | None = None
    ) -> None:
        """Write comparison.json, report.html and report.md: all of them or none.

        Raises: MissingExtraError without matplotlib or Jinja.
        """
        write_comparison(self, Path(folder), title=title, about=about)
