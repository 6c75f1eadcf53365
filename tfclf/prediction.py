"""What `predict` gives for each text."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfclf.errors import InputError, MissingExtraError


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
        return {
            "label": self.label,
            "score": self.score,
            **shares,
            "truncated": self.truncated,
            **windows,
        }


def predictions_of(
    answers: Mapping[str, Iterable[Any]], labels: Sequence[str]
) -> Iterator[Prediction]:
    """One prediction a row.

    Args:
      answers: label (bytes), score and, where there are any, probabilities, truncated and windows, one entry a row.
      labels: in the order of the probabilities.
    """
    none = itertools.repeat(None)
    columns = [answers.get(name, none) for name in ("probabilities", "truncated", "windows")]
    for label, score, shares, truncated, windows in zip(
        answers["label"], answers["score"], *columns, strict=False
    ):
        by_label = None if shares is None else dict(zip(labels, shares, strict=True))
        yield Prediction(label.decode(), score, by_label, truncated, windows)


_OWN_COLUMNS = ("text", "label", "score", "truncated", "windows")


def to_pandas(
    predictions: Prediction | Iterable[Prediction],
    *,
    texts: str | Iterable[str] | None = None,
    labels: Sequence[str] = (),
) -> Any:
    """A DataFrame, one row a prediction.

    >>> list(tfclf.to_pandas(clf.predict(["Shares jump"])).columns)
    ['label', 'score', 'World', 'Sports', 'Business', 'Sci/Tech', 'truncated']

    The columns: `text` where `texts` are given; `label`, `score`; each label's probability under the label's name
    (none of a regression); `truncated`; `windows` where they were counted. A label that is named as one of these
    columns gets " (probability)" behind its name.

    Args:
      predictions: what `predict` gave for one text, a list or any other iterable.
      texts: what was predicted, as many.
      labels: the model's (`clf.labels`), so that also of no prediction at all come the columns of its probabilities.
    Raises: InputError where there are not as many texts as predictions; MissingExtraError without pandas.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("pandas", extra="pandas", purpose="a DataFrame") from error
    rows = [predictions] if isinstance(predictions, Prediction) else list(predictions)
    columns: dict[str, Any] = {}
    if texts is not None:
        columns["text"] = [texts] if isinstance(texts, str) else list(texts)
        if len(columns["text"]) != len(rows):
            raise InputError(
                f"there are {len(rows)} predictions and {len(columns['text'])} texts; expected as many."
            )
    columns["label"] = pandas.Series([row.label for row in rows], dtype="str")
    columns["score"] = pandas.Series([row.score for row in rows], dtype="float64")
    of_first = next(
        (row.probabilities for row in rows if row.probabilities is not None),
        dict.fromkeys(labels, 0.0),
    )
    for label in {} if rows and rows[0].probabilities is None else of_first:
        shares = [(row.probabilities or {})[label] for row in rows]
        name = f"{label} (probability)" if label in _OWN_COLUMNS else label
        columns[name] = pandas.Series(shares, dtype="float64")
    columns["truncated"] = pandas.Series([row.truncated for row in rows], dtype="boolean")
    if any(row.windows is not None for row in rows):
        columns["windows"] = pandas.Series([row.windows for row in rows], dtype="Int64")
    return pandas.DataFrame(columns)
