"""The output column as an Arrow struct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_SCHEMA = "label string, score double, probabilities map<string, double>, truncated boolean"
_LISTS = "array<string>"
_DECIDED = {"labels": _LISTS, "top": _LISTS, "reason": "string"}


def output_schema(decided: Sequence[str] = ()) -> str:
    """Return the Spark type of the output column.

    >>> output_schema(["labels", "reason"]).removeprefix(_SCHEMA)
    ', labels array<string>, reason string'

    Args:
      decided: the columns of a rule.
    """
    return ", ".join([_SCHEMA, *(f"{name} {_DECIDED[name]}" for name in decided)])


def make_structs(
    columns: dict[str, np.ndarray[Any, Any]], labels: Sequence[str], *, decided: Sequence[str] = ()
) -> pa.StructArray:
    """Make one struct per row of the columns that `score_texts` gives.

    >>> columns = {"label": np.array(["up"], object), "score": np.array([0.75], np.float32),
    ...            "probabilities": np.array([[0.75, 0.25]], np.float32),
    ...            "truncated": np.array([False], object)}
    >>> make_structs(columns, ["up", "down"]).to_pylist()
    [{'label': 'up', 'score': 0.75, 'probabilities': [('up', 0.75), ('down', 0.25)],
      'truncated': False}]

    Args:
      labels: in the order of the probabilities.
      decided: the columns of a rule, which are in `columns` too.
    """
    rows = len(columns["label"])
    arrays = [
        pa.array(columns["label"].tolist(), pa.string()),
        pa.array(columns["score"].astype(np.float64)),
        _make_maps(columns.get("probabilities"), rows, labels),
        pa.array(columns["truncated"].tolist(), pa.bool_()),
    ]
    names = ["label", "score", "probabilities", "truncated"]
    for name in decided:
        kind = pa.list_(pa.string()) if _DECIDED[name] == _LISTS else pa.string()
        arrays.append(pa.array(columns[name].tolist(), kind))
        names.append(name)
    return pa.StructArray.from_arrays(arrays, names=names)


def _make_maps(
    probabilities: np.ndarray[Any, Any] | None, rows: int, labels: Sequence[str]
) -> pa.Array:
    """Make maps from label to probability, in the labels' order; null for a regression."""
    if probabilities is None:
        return pa.nulls(rows, pa.map_(pa.string(), pa.float64()))
    keys = pa.array(list(labels) * rows, pa.string())
    values = pa.array(probabilities.astype(np.float64).reshape(-1))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * len(labels))
    return pa.MapArray.from_arrays(offsets, keys, values)
