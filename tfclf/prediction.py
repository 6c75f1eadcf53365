"""Prediction: the result of `predict` for one text."""

import html
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tfclf.decision import Decide
from tfclf.errors import InputError, MissingExtraError
from tfclf.inputs import check_texts, unwrap_scalar

_SHOWN = 6  # labels in the short form of a prediction or a classifier

# `Prediction` alone means Prediction[str]: only abstain_below makes a label that may be None.
if TYPE_CHECKING:
    from typing_extensions import TypeVar as _TypeVar

    _Label = _TypeVar("_Label", bound=str | None, default=str, covariant=True)
else:
    _Label = TypeVar("_Label", covariant=True)


@dataclass(frozen=True, repr=False)
class Prediction(Generic[_Label]):
    """The prediction for one text.

    The last three attributes are None unless the call asks for them, and are then not shown either.

    Attributes:
      label: the label with the highest probability; for a regression its one label, which names the
        value. None if `abstain_below` was given and `score` is below it.
      score: the label's probability; for a regression the value.
      probabilities: by label, in the checkpoint's order; None for a regression. They add up to 1,
        except for a multi-label model, which scores each label by itself.
      truncated: whether the text is longer than the model reads, and a part of it was ignored; None
        if the export was made by an older version, which cannot tell.
      windows: the number of windows that were read; None without `long="windows"`.
      labels: of a multi-label model with `threshold`: the labels at or above it, in the
        checkpoint's order.
      top: with `top_k`: the likeliest labels and their probabilities, best first.
      reason: with `abstain_below`: why `label` is None; None if it is not.
    """

    label: _Label
    score: float
    probabilities: Mapping[str, float] | None
    truncated: bool | None = None
    windows: int | None = None
    labels: tuple[str, ...] | None = None
    top: tuple[tuple[str, float], ...] | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        """Return a short form: numbers with four digits, and the six likeliest labels.

        >>> Prediction("World", 0.99123456, {"World": 0.99123456, "Sports": 0.00876544}, False)
        Prediction(label='World', score=0.9912, probabilities={'World': 0.9912, 'Sports': 0.0088},
                   truncated=False)
        """
        parts = [f"label={self.label!r}", f"score={round(float(self.score), 4)!r}"]
        if self.probabilities is not None:
            shown = [f"{label!r}: {value}" for label, value in self._likeliest()]
            more = ", ..." if len(self.probabilities) > _SHOWN else ""
            parts.append(f"probabilities={{{', '.join(shown)}{more}}}")
        parts.append(f"truncated={self.truncated!r}")
        if self.windows is not None:
            parts.append(f"windows={self.windows!r}")
        if self.labels is not None:
            parts.append(f"labels={self.labels!r}")
        if self.top is not None:
            top = tuple((label, round(float(value), 4)) for label, value in self.top)
            parts.append(f"top={top!r}")
        if self.reason is not None:
            parts.append(f"reason={self.reason!r}")
        return f"Prediction({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Return a table for a notebook."""
        rows: list[tuple[str, object]] = [
            ("label", self.label),
            ("score", round(float(self.score), 4)),
        ]
        rows += [(f"P({label})", value) for label, value in self._likeliest()]
        rows.append(("truncated", self.truncated))
        if self.windows is not None:
            rows.append(("windows", self.windows))
        if self.labels is not None:
            rows.append(("labels", ", ".join(self.labels) or "none"))
        for rank, (label, value) in enumerate(self.top or (), 1):
            rows.append((f"top {rank}", f"{label} ({round(float(value), 4)})"))
        if self.reason is not None:
            rows.append(("reason", self.reason))
        return make_html_table("Prediction", rows)

    def _likeliest(self) -> list[tuple[str, float]]:
        """Return the labels and rounded probabilities to show; in their order if all fit."""
        rows = list((self.probabilities or {}).items())
        if len(rows) > _SHOWN:
            rows = sorted(rows, key=lambda row: -row[1])[:_SHOWN]
        return [(label, round(float(value), 4)) for label, value in rows]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that `tfclf predict --json` prints.

        >>> Prediction("World", 0.75, {"World": 0.75, "Sports": 0.25}, truncated=False).to_dict()
        {'label': 'World', 'score': 0.75, 'probabilities': {'World': 0.75, 'Sports': 0.25},
         'truncated': False}
        >>> Prediction("stars", 3.5, None).to_dict()
        {'label': 'stars', 'score': 3.5, 'truncated': None}
        >>> Prediction("up", 0.75, None, top=(("up", 0.75), ("down", 0.5))).to_dict()["top"]
        [{'label': 'up', 'probability': 0.75}, {'label': 'down', 'probability': 0.5}]
        """
        content: dict[str, Any] = {"label": self.label, "score": self.score}
        if self.probabilities is not None:
            content["probabilities"] = dict(self.probabilities)
        content["truncated"] = self.truncated
        if self.windows is not None:
            content["windows"] = self.windows
        if self.labels is not None:
            content["labels"] = list(self.labels)
        if self.top is not None:
            content["top"] = [{"label": label, "probability": value} for label, value in self.top]
        if self.reason is not None:
            content["reason"] = self.reason
        return content


def make_predictions(
    outputs: Mapping[str, Iterable[Any]], labels: Sequence[str], decide: Decide | None = None
) -> Iterator[Prediction]:
    """Make one Prediction per row of a model's outputs.

    >>> outputs = {"label": [b"up"], "score": [0.9], "probabilities": [[0.9, 0.1]]}
    >>> next(make_predictions(outputs, ["up", "down"])).probabilities
    {'up': 0.9, 'down': 0.1}

    Args:
      outputs: by name, one entry per row: label (str or bytes), score and, if the model gives
        them, probabilities, truncated and windows.
      labels: in the order of the probabilities.
      decide: adds ranks, thresholds and abstention, as `Rule.bind` made it. A label may then be
        None, whatever the type says: a caller with `abstain_below` gives its own result the type.
    """
    none = itertools.repeat(None)
    columns = [outputs.get(name, none) for name in ("probabilities", "truncated", "windows")]
    for label, score, probabilities, truncated, windows in zip(
        outputs["label"], outputs["score"], *columns, strict=False
    ):
        by_label = None if probabilities is None else dict(zip(labels, probabilities, strict=True))
        name = label.decode() if isinstance(label, bytes) else label
        if decide is None:
            yield Prediction(name, score, by_label, truncated, windows)
            continue
        made: Any = decide(name, score, probabilities)
        yield Prediction(
            made.label,
            score,
            by_label,
            truncated,
            windows,
            labels=made.labels,
            top=made.top,
            reason=made.reason,
        )


def make_html_table(title: str, rows: Iterable[tuple[str, object]]) -> str:
    """Make an HTML table of names and values, escaped.

    >>> make_html_table("Facts", [("a < b", True)])
    '<table><caption>Facts</caption><tr><th>a &lt; b</th><td>True</td></tr></table>'
    """
    lines = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{lines}</table>"


def shorten_labels(labels: Sequence[str]) -> str:
    """Name the first labels.

    >>> shorten_labels(["a", "b"]), shorten_labels("abcdefgh")
    ('a, b', 'a, b, c, d, e, f, ... (8)')
    """
    more = f", ... ({len(labels)})" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more


_OWN_COLUMNS = ("text", "label", "score", "truncated", "windows")


def name_probability(label: str, *, others: Collection[str] = ()) -> str:
    """Name the column of a label's probability: as the label, unless another column is named so.

    >>> name_probability("World"), name_probability("score")
    ('World', 'score (probability)')
    >>> name_probability("top"), name_probability("top", others=["top"])
    ('top', 'top (probability)')

    Args:
      others: columns that not every table has.
    """
    return f"{label} (probability)" if label in _OWN_COLUMNS or label in others else label


def to_pandas(
    predictions: Prediction[str | None] | Iterable[Prediction[str | None]],
    *,
    texts: str | Iterable[str] | None = None,
    labels: Sequence[str] = (),
) -> Any:
    """Return a pandas DataFrame with one row per prediction.

    >>> list(tfclf.to_pandas(clf.predict(["Shares jump"])).columns)
    ['label', 'score', 'World', 'Sports', 'Business', 'Sci/Tech', 'truncated']

    The columns are `text`, if `texts` are given; `label`; `score`; one probability per label under
    the label's name (none for a regression); `truncated`; and `windows`, `labels`, `top` and
    `reason`, if a prediction has them. If a label has the name of another column, " (probability)"
    follows its name.

    A list of predictions has no index of its own. To join them to a DataFrame, give its column:
    `df.join(tfclf.to_pandas(clf.predict(df["text"]), texts=df["text"]).drop(columns="text"))`.

    Args:
      predictions: the result of `predict` for one text, a list, or any other iterable.
      texts: the texts that were predicted, one per prediction; the result has the index of a
        Series.
      labels: the model's labels (`clf.labels`); with them an empty result has the probability
        columns, too.
    Raises: InputError if the numbers of texts and predictions differ, or if texts is a table;
      MissingExtraError without pandas.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingExtraError("pandas", extra="pandas", purpose="a DataFrame") from error
    rows = [predictions] if isinstance(predictions, Prediction) else list(predictions)
    columns: dict[str, Any] = {}
    if texts is not None:
        if isinstance(texts, str):
            texts = [texts]
        check_texts(texts)
        columns["text"] = [unwrap_scalar(text) for text in texts]
        if len(columns["text"]) != len(rows):
            raise InputError(
                f"there are {len(rows)} predictions and {len(columns['text'])} texts; "
                f"expected one text per prediction."
            )
    columns["label"] = pandas.Series([row.label for row in rows], dtype="str")
    columns["score"] = pandas.Series([row.score for row in rows], dtype="float64")
    if rows and rows[0].probabilities is None:  # a regression
        labels = ()
    elif rows:
        labels = tuple(rows[0].probabilities or ())
    decided = [
        name
        for name in ("labels", "top", "reason")
        if any(getattr(row, name) is not None for row in rows)
    ]
    for label in labels:
        probabilities = [(row.probabilities or {})[label] for row in rows]
        columns[name_probability(label, others=decided)] = pandas.Series(
            probabilities, dtype="float64"
        )
    columns["truncated"] = pandas.Series([row.truncated for row in rows], dtype="boolean")
    if any(row.windows is not None for row in rows):
        columns["windows"] = pandas.Series([row.windows for row in rows], dtype="Int64")
    for name in decided:
        dtype = "str" if name == "reason" else "object"
        columns[name] = pandas.Series([getattr(row, name) for row in rows], dtype=dtype)
    frame = pandas.DataFrame(columns)
    if isinstance(texts, pandas.Series):
        frame.index = texts.index
    return frame
