"""What `predict` gives for each text."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """One text's answer.

    Attributes:
      label: the label with the highest probability; of a regression its one label, which names the value.
      score: the label's probability; of a regression the value.
      probabilities: by label, in the checkpoint's order; None of a regression. They add up to 1, but for a
        multi-label model, where each label stands by itself.
      truncated: whether the text is longer than the model reads, so that a part of it had no say; None where an
        export made by an older version cannot tell.
      windows: how many windows were read; None without `long="windows"`.
    """

    label: str
    score: float
    probabilities: Mapping[str, float] | None
    truncated: bool | None = None
    windows: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `tfclf predict --json` prints it: `probabilities` and `windows` only where there are any."""
        shares = {} if self.probabilities is None else {"probabilities": dict(self.probabilities)}
        windows = {} if self.windows is None else {"windows": self.windows}
        return {"label": self.label, "score": self.score, **shares, "truncated": self.truncated, **windows}


def predictions_of(answers: Mapping[str, Iterable[Any]], labels: Sequence[str]) -> Iterator[Prediction]:
    """One prediction a row.

    Args:
      answers: label (bytes), score and, where there are any, probabilities, truncated and windows, one entry a row.
      labels: in the order of the probabilities.
    """
    none = itertools.repeat(None)
    columns = [answers.get(name, none) for name in ("probabilities", "truncated", "windows")]
    for label, score, shares, truncated, windows in zip(answers["label"], answers["score"], *columns, strict=False):
        by_label = None if shares is None else dict(zip(labels, shares, strict=True))
        yield Prediction(label.decode(), score, by_label, truncated, windows)


def to_pandas(predictions: Iterable[Prediction]) -> Any:
    """A DataFrame with the columns label, score and one of each label's probability, named for the label."""
    import pandas

    return pandas.DataFrame(
        {"label": one.label, "score": one.score, **(one.probabilities or {})} for one in predictions
    )
