"""Data frames in memory: the same kind of table comes back, with the predictions as columns."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence, Set, Sized
from pathlib import Path
from typing import Any, TypeVar

from tfclf.classifier import LOOK_AHEAD, Classifier
from tfclf.decision import Rule, Threshold
from tfclf.errors import InputError
from tfclf.inputs import table_columns
from tfclf.loader import load
from tfclf.tables.added import Added, Names, choose_added

_Table = TypeVar("_Table")
_TABLES = (
    "a DataFrame of pandas or Polars, an Arrow table, a data set of Hugging Face, or a dict of "
    "lists"
)


def score(
    table: _Table,
    model: Classifier | str | Path,
    *,
    column: Hashable | list[Any] = "text",
    pair_column: Hashable | None = None,
    prefix: str = "",
    rename: Mapping[str, str] | None = None,
    probabilities: str = "columns",
    top_k: int | None = None,
    threshold: Threshold | None = None,
    abstain_below: float | None = None,
    long: str = "truncate",
    stride: int | None = None,
    batch_size: int = 32,
) -> _Table:
    """Classify a column of a table; return the table with the predictions as more columns.

        scored = tfclf.score(df, clf, column="review", prefix="predicted_")

    Args:
      table: a DataFrame of pandas (its index and columns are kept) or Polars, an Arrow table, a
        data set of Hugging Face `datasets` (also a streamed one, or a dict of its splits), or a
        dict of lists.
      model: a classifier, or anything that `load` takes.
      column: the column of the text, as the table names it; a list of several is joined by a space.
      pair_column: the column of the second text, for models that compare two.
      prefix: stands before the names of the added columns: label, score, one probability per label,
        truncated; with long="windows" also windows.
      rename: other names for single ones, by their usual names; these get no prefix.
      probabilities: 'columns', 'map' (one column of maps from label to probability) or 'none'.
      top_k, threshold: as in `Classifier.predict`; they add the columns `top` and `labels`, which
        hold lists of labels.
      abstain_below: as there; the label is then missing, and a column `reason` says why.
      long, stride, batch_size: as in `Classifier.predict`.
    Raises: InputError for a column that is not there, a name that is taken, a value that is no text
      (with its index) and anything that is no table; the errors of `load`.
    """
    present = _find_columns(table)
    if present is None:
        raise InputError(
            f"table is a {type(table).__name__}; expected {_TABLES}. For texts alone: clf.predict."
        )
    # pandas may number its columns, or name them by tuples.
    text = list(column) if isinstance(column, list | tuple) and column not in present else [column]
    for name in [*text, *([] if pair_column is None else [pair_column])]:
        if name not in present:
            raise InputError(
                f"table has no column {name!r}: found {', '.join(map(str, present)) or 'none'}. "
                f"Correct column= (or pair_column=)."
            )
        if present.count(name) > 1:
            raise InputError(
                f"table has {present.count(name)} columns named {name!r}; expected one. Rename or "
                f"drop the others."
            )
    if isinstance(table, Mapping) and _library_of(table) == _DICT:
        _check_lengths(table)
    classifier = model if isinstance(model, Classifier) else load(model)
    rule = Rule.of(top_k, threshold, abstain_below)
    classifier.bind_rule(rule)  # before a row is read
    added = choose_added(
        Names(prefix, rename or {}, probabilities),
        present,
        labels=classifier.manifest.probability_labels,
        has_windows=long == "windows",
        decided=() if rule is None else rule.columns,
        place="table",
        advice="Give the added columns other names: prefix='predicted_', or rename={...}.",
    )

    def predict(rows: Any) -> dict[str, list[Any]]:
        texts = _join_columns([list(rows[name]) for name in text])
        pairs = None if pair_column is None else list(rows[pair_column])
        predicted = classifier.predict_columns(
            texts,
            pairs=pairs,
            long=long,
            stride=stride,
            batch_size=batch_size,
            **({} if rule is None else rule.arguments),
        )
        return added.arrange(predicted)

    add = _ADD.get(_library_of(table))
    if add is None:
        raise InputError(
            f"table is a {type(table).__module__}.{type(table).__name__}, which cannot be scored "
            f"here; expected {_TABLES}. A lazy frame: collect it. Spark: tfclf.spark.classify."
        )
    result: _Table = add(table, predict, added, batch_size)
    return result


_Predict = Callable[[Any], dict[str, list[Any]]]


def _library_of(table: Any) -> tuple[str, str]:
    names = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(table).__mro__]
    # A subclass is a table, too, such as the GeoDataFrame of GeoPandas.
    known = next((name for name in names if name in _ADD), None)
    if known is None and isinstance(table, Mapping):
        return _DICT
    return known or names[0]


def _find_columns(table: Any) -> list[Any] | None:
    if _library_of(table) in _SPLITS:
        return _find_columns(next(iter(table.values()), {}))
    columns = table_columns(table)
    if not columns and _library_of(table) == _STREAMED:
        # A data set that is streamed from files does not know its columns: see its first row.
        return list(next(iter(table), {}))
    return columns


def _check_lengths(table: Mapping[Any, Any]) -> None:
    """Check that a dict holds columns: lists, all of one length. Raises: InputError."""
    for name, column in table.items():
        # A str would be read as its letters, a dict as its keys.
        if isinstance(column, str | bytes | Mapping | Set) or not isinstance(column, Sized):
            advice = " Of a DataFrame: to_dict('list')." if isinstance(column, Mapping) else ""
            raise InputError(
                f"table[{name!r}] is a {type(column).__name__}; expected a list with one cell for "
                f"each row.{advice}"
            )
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise InputError(f"the columns of table differ in length: {found}. Expected one length.")


def _join_columns(columns: Sequence[list[Any]]) -> list[Any]:
    if len(columns) == 1:
        return columns[0]
    for column in columns:
        for index, cell in enumerate(column):
            if not isinstance(cell, str):
                raise InputError(
                    f"row {index} holds {cell!r} ({type(cell).__name__}) where a text is to be "
                    f"joined; expected str. A missing value? Replace it by '' first."
                )
    return [" ".join(cells) for cells in zip(*columns, strict=True)]


def _add_to_pandas(table: Any, predict: _Predict, added: Added, batch_size: int) -> Any:  # noqa: ARG001
    import pandas

    types = {"string": "str", "float": "float32", "bool": "boolean", "int32": "int32"}
    columns = {
        name: pandas.Series(values, table.index, dtype=types.get(added.types[name], "object"))
        for name, values in predict(table).items()
    }
    return pandas.concat([table, pandas.DataFrame(columns, index=table.index)], axis=1)


def _add_to_polars(table: Any, predict: _Predict, added: Added, batch_size: int) -> Any:  # noqa: ARG001
    import polars

    types: dict[str, Any] = {
        "string": polars.String,
        "float": polars.Float32,
        "bool": polars.Boolean,
        "strings": polars.List(polars.String),
    }
    types |= {
        "int32": polars.Int32,
        "map": polars.Struct(dict.fromkeys(added.labels, polars.Float32)),
    }
    columns = predict(table)
    return table.with_columns(
        polars.Series(name, values, types.get(added.types[name]))
        for name, values in columns.items()
    )


def _add_to_arrow(table: Any, predict: _Predict, added: Added, batch_size: int) -> Any:  # noqa: ARG001
    import pyarrow

    from tfclf.tables.formats import parse_type

    for name, values in predict(_ArrowColumns(table)).items():
        table = table.append_column(name, pyarrow.array(values, parse_type(added.types[name])))
    return table


class _ArrowColumns:
    """The columns of an Arrow table as lists, made when they are asked for."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getitem__(self, name: str) -> list[Any]:
        values: list[Any] = self._table.column(name).to_pylist()
        return values


def _add_to_data_set(table: Any, predict: _Predict, added: Added, batch_size: int) -> Any:
    import datasets

    features = table.features
    if features is not None:  # of a streamed data set they may be unknown
        # Without them the types would be guessed from the first rows.
        features = datasets.Features({**features, **_make_features(added)})
    if features is not None and not getattr(table, "num_rows", 1):
        return datasets.Dataset.from_dict({name: [] for name in features}, features=features)
    size = LOOK_AHEAD * batch_size
    return table.map(predict, batched=True, batch_size=size, features=features)


def _make_features(added: Added) -> dict[str, Any]:
    from datasets import Sequence as ListOf
    from datasets import Value

    types = {
        "map": {label: Value("float32") for label in added.labels},
        "strings": ListOf(Value("string")),
        "float": Value("float32"),
    }
    return {name: types.get(kind) or Value(kind) for name, kind in added.types.items()}


def _add_to_splits(table: Any, predict: _Predict, added: Added, batch_size: int) -> Any:
    splits = {
        name: _add_to_data_set(split, predict, added, batch_size) for name, split in table.items()
    }
    return type(table)(splits)


def _add_to_dict(table: Any, predict: _Predict, added: Added, batch_size: int) -> Any:  # noqa: ARG001
    return {**table, **predict(table)}


_DICT = ("builtins", "dict")
_STREAMED = ("datasets", "IterableDataset")
_SPLITS = (("datasets", "DatasetDict"), ("datasets", "IterableDatasetDict"))
_ADD: Mapping[tuple[str, str], Callable[[Any, _Predict, Added, int], Any]] = {
    _DICT: _add_to_dict,
    ("datasets", "Dataset"): _add_to_data_set,
    _STREAMED: _add_to_data_set,
    **dict.fromkeys(_SPLITS, _add_to_splits),
    ("pandas", "DataFrame"): _add_to_pandas,
    ("polars", "DataFrame"): _add_to_polars,
    ("pyarrow", "Table"): _add_to_arrow,
}
