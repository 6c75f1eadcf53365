"""The output column as an Arrow struct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

_SCHEMA = "label string, score double, probabilities map<string, double>, truncated boolean"


def output_schema(*, with_labels: bool) -> str:
    """Return the Spark type of the output column; `labels` is for a model with a threshold."""
    return f"{_SCHEMA}, labels array<string>" if with_labels else _SCHEMA


def make_structs(
    columns: dict[str, np.ndarray[Any, Any]], labels: Sequence[str], *, threshold: float | None
) -> pa.StructArray:
    """Make one struct per row of the columns that `score_texts` gives.

    >>> columns = {"label": np.array(["up"], object), "score": np.array([0.75], np.float32),
    ...            "probabilities": np.array([[0.75, 0.25]], np.float32),
    ...            "truncated": np.array([False], object)}
    >>> make_structs(columns, ["up", "down"], threshold=None).to_pylist()
    [{'label': 'up', 'score': 0.75, 'probabilities': [('up', 0.75), ('down', 0.25)],
      'truncated': False}]
    """
    rows = len(columns["label"])
    arrays = [
        pa.array(columns["label"].tolist(), pa.string()),
        pa.array(columns["score"].astype(np.float64)),
        _make_maps(columns.get("probabilities"), rows, labels),
        pa.array(columns["truncated"].tolist(), pa.bool_()),
    ]
    names = ["label", "score", "probabilities", "truncated"]
    if threshold is not None:
        above = columns["probabilities"] >= threshold
        chosen = [[labels[index] for index in np.flatnonzero(row).tolist()] for row in above]
        arrays.append(pa.array(chosen, pa.list_(pa.string())))
        names.append("labels")
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
