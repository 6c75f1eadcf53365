"""What two models, side by side on the same rows, have in common and where they differ."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf.evaluation.mcnemar import McNemar
from tfclf.evaluation.report import Report

if TYPE_CHECKING:
    from tfclf.evaluation.provenance import About

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Disagreement:
    """A row to which the two gave different labels.

    Attributes:
      row: its number among the rows, from 1.
      first, second: the label that each gave, and its probability.
      largest_difference: of any label's two probabilities.
      text: readable and cut short; None where it was not asked for, or others differ more.
    """

    row: int
    true: str
    first: str
    first_probability: float
    second: str
    second_probability: float
    largest_difference: float
    text: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `comparison.json` has it."""
        text = {} if self.text is None else {"text": self.text}
        return {
            "row": self.row,
            "true": self.true,
            "first": {"label": self.first, "probability": self.first_probability},
            "second": {"label": self.second, "probability": self.second_probability},
            "largest_probability_difference": self.largest_difference,
            **text,
        }


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Attributes:
      names: of the two.
      first, second: how each did alone; both in the first's order of labels. The two took turns, so that their
        runtimes (each in its own `predict`, reading left out) say less than runs of their own.
      both_right, both_wrong: rows; `mcnemar` has those where one alone is right.
      largest_probability_difference: of any label on any row, and `its_row`, from 1.
      mean_probability_difference: over rows, of each row's largest.
      disagreements: every row on which the labels differ, in the order of the rows.
      shown: those of them that differ most, with their texts; the most different first.
    """

    names: tuple[str, str]
    first: Report
    second: Report
    both_right: int
    both_wrong: int
    mcnemar: McNemar
    largest_probability_difference: float
    its_row: int
    mean_probability_difference: float
    disagreements: tuple[Disagreement, ...]
    shown: tuple[Disagreement, ...]

    @property
    def samples(self) -> int:
        """Rows."""
        return self.first.samples

    @property
    def agreement(self) -> float:
        """Share of the rows with the same label from both."""
        return 1 - len(self.disagreements) / self.samples

    def differences(self) -> dict[str, float]:
        """Second less first, of every metric that both have."""
        first, second = self.first.metrics(), self.second.metrics()
        return {
            name: second[name] - first[name]
            for name in first
            if name in second and name != "eval_samples"
        }

    def to_dict(self) -> dict[str, Any]:
        """As `comparison.json` has it."""
        texts = {one.row: one for one in self.shown}
        return {
            "format_version": FORMAT_VERSION,
            "names": list(self.names),
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "differences": self.differences(),
            "right_and_wrong": {
                "both_right": self.both_right,
                "only_first_right": self.mcnemar.only_first_right,
                "only_second_right": self.mcnemar.only_second_right,
                "both_wrong": self.both_wrong,
            },
            "mcnemar": self.mcnemar.to_dict(),
            "label_agreement": self.agreement,
            "largest_probability_difference": self.largest_probability_difference,
            "largest_probability_difference_row": self.its_row,
            "mean_probability_difference": self.mean_probability_difference,
            "disagreements": [texts.get(one.row, one).to_dict() for one in self.disagreements],
        }

    def write(
        self, folder: str | Path, *, title: str = "Comparison", about: "About | None" = None
    ) -> None:
        """Writes comparison.json, report.html and report.md, all of them or none.

        Raises: MissingExtraError without matplotlib or Jinja.
        """
        from tfclf.evaluation.writing import write_comparison

        write_comparison(self, Path(folder), title=title, about=about)
