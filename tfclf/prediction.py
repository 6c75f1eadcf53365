"""What `predict` gives for each text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """One text's answer.

    Attributes:
      label: the label with the highest probability.
      score: its probability.
      probabilities: by label, in the checkpoint's order.
    """

    label: str
    score: float
    probabilities: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As `tfclf predict --json` prints it."""
        return {"label": self.label, "score": self.score, "probabilities": dict(self.probabilities)}


def to_pandas(predictions: Iterable[Prediction]) -> Any:
    """A DataFrame with the columns label, score and one of each label's probability, named for the label."""
    import pandas

    return pandas.DataFrame({"label": one.label, "score": one.score, **one.probabilities} for one in predictions)
