"""The scores of two models on the same rows: a plain record. `Comparison` adds writing to it."""

from dataclasses import dataclass
from typing import Any

from tfclf.evaluation.mcnemar import McNemar
from tfclf.evaluation.scores import Scores

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Disagreement:
    """A row for which the two models predict different labels.

    Attributes:
      row: its number among the rows, from 1.
      first, second: the label that each predicts.
      first_probability, second_probability: the probability of that label.
      largest_difference: the largest difference between the two probabilities of a label.
      text: the start of the text, made readable; None if it was not asked for, or if other rows
        differ more.
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
        """Return an entry of `disagreements` in `comparison.json`."""
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
class PairScores:
    """The scores of two models on the same rows.

    Attributes:
      names: of the two models.
      first, second: the scores of each alone, both in the first's order of labels. The two took
        turns, so their runtimes (each in its own `predict`, without reading) are less reliable than
        those of separate runs.
      both_right, both_wrong: rows; `mcnemar` has the rows on which only one is right.
      largest_probability_difference: over all labels and rows.
      its_row: number of the row with that difference, from 1.
      mean_probability_difference: mean over the rows of each row's largest difference.
      disagreements: every row on which the labels differ, in the order of the rows.
      shown: the disagreements that differ most, with their texts; largest difference first.
    """

    names: tuple[str, str]
    first: Scores
    second: Scores
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
        """Number of rows."""
        return self.first.samples

    @property
    def agreement(self) -> float:
        """Fraction of the rows for which both predict the same label."""
        return 1 - len(self.disagreements) / self.samples

    def differences(self) -> dict[str, float]:
        """Return second minus first for every metric that both have."""
        first, second = self.first.metrics(), self.second.metrics()
        common = [name for name in first if name in second and name != "eval_samples"]
        return {name: second[name] - first[name] for name in common}

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `comparison.json`."""
        with_text = {one.row: one for one in self.shown}
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
            "disagreements": [with_text.get(one.row, one).to_dict() for one in self.disagreements],
        }
