"""The columns that predictions add to a table: their names, which never collide in silence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfclf.errors import InputError
from tfclf.prediction import name_probability

PROBABILITIES = ("columns", "map", "none")
_TYPES: Mapping[str | int, str] = {
    "label": "string",
    "probabilities": "map",
    "truncated": "bool",
    "windows": "int32",
    "labels": "strings",
    "top": "strings",
    "reason": "string",
}


@dataclass(frozen=True)
class Names:
    """How the added columns are named.

    Attributes:
      prefix: stands before each of them: with "predicted_", `label` becomes `predicted_label`.
      renamed: other names for single ones, by their usual names; these get no prefix.
      probabilities: 'columns': one column per label; 'map': one column of maps from label to
        probability; 'none'.
    """

    prefix: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    probabilities: str = "columns"

    def __post_init__(self) -> None:
        if self.probabilities not in PROBABILITIES:
            raise InputError(
                f"probabilities is {self.probabilities!r}; expected one of "
                f"{', '.join(map(repr, PROBABILITIES))}."
            )


@dataclass(frozen=True)
class Added:
    """The columns that a model adds, in their order.

    Attributes:
      columns: by name, what each holds: 'label', 'score', 'probabilities', 'truncated', 'windows',
        'labels', 'top', 'reason', or the index of the label whose probability it is.
      labels: the labels that have probabilities; none for a regression.
    """

    columns: Mapping[str, str | int]
    labels: tuple[str, ...]

    def arrange(self, predicted: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, list[Any]]:
        """Return the columns of `Classifier.predict_columns` by their names in the table.

        >>> added = Added({"label": "label", "Up": 0}, ("Up", "Down"))
        >>> added.arrange(
        ...     {"label": np.array(["Up"]), "probabilities": np.array([[0.75, 0.25]])}
        ... )
        {'label': ['Up'], 'Up': [0.75]}
        """
        return {name: self._read(predicted, what) for name, what in self.columns.items()}

    @property
    def types(self) -> dict[str, str]:
        """Arrow's types of the columns, by name.

        'map' is from label to probability, and 'strings' a list of labels.
        """
        return {name: _TYPES.get(what, "float") for name, what in self.columns.items()}

    def _read(self, predicted: Mapping[str, np.ndarray[Any, Any]], what: str | int) -> list[Any]:
        if isinstance(what, int):
            one: list[Any] = predicted["probabilities"][:, what].tolist()
            return one
        values: list[Any] = predicted[what].tolist()
        if what == "probabilities":
            # A row without a prediction has None for each label.
            return [
                None if row[0] is None else dict(zip(self.labels, row, strict=True))
                for row in values
            ]
        return values


def choose_added(
    names: Names,
    present: Collection[str],
    *,
    labels: Sequence[str],
    has_windows: bool,
    decided: Sequence[str] = (),
    place: str,
    advice: str,
) -> Added:
    """Choose the names of the added columns.

    >>> added = choose_added(
    ...     Names(prefix="news_"), ["id"], labels=["Up", "Down"], has_windows=False,
    ...     place="rows.csv", advice="Give a prefix.",
    ... )
    >>> list(added.columns)
    ['news_label', 'news_score', 'news_Up', 'news_Down', 'news_truncated']

    Args:
      present: the columns that the table has already.
      labels: the labels that have probabilities; none for a regression.
      has_windows: whether windows are counted.
      decided: the columns of a rule: 'labels', 'top', 'reason'.
      place: the table, for messages.
      advice: the last sentence of a message about a name that is taken.
    Raises: InputError if two columns would have one name, or if `names` renames what there is not.
    """
    usual: dict[str, str | int] = {"label": "label", "score": "score"}
    if labels and names.probabilities == "map":
        usual["probabilities"] = "probabilities"
    elif names.probabilities == "columns":
        usual |= {
            name_probability(label, others=decided): index for index, label in enumerate(labels)
        }
    usual["truncated"] = "truncated"
    if has_windows:
        usual["windows"] = "windows"
    usual |= {name: name for name in decided}
    for name in names.renamed:
        if name not in usual:
            raise InputError(
                f"{name!r} is renamed, and no such column is added. Those that are: "
                f"{', '.join(usual)}. Correct the name."
            )
    columns: dict[str, str | int] = {}
    for name, what in usual.items():
        chosen = names.renamed.get(name, names.prefix + name)
        if chosen in present or chosen in columns:
            found = "has a column" if chosen in present else "would get two columns"
            raise InputError(f"{place} {found} {chosen!r}. {advice}")
        columns[chosen] = what
    return Added(columns, tuple(labels))
