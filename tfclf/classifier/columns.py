"""Columns of predictions: from the outputs of a graph, in the order of the rows, and decided."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf.decision import Decide
from tfclf.inputs import batch_by_length

Columns = dict[str, np.ndarray[Any, Any]]  # by name, one entry per row
Model = Callable[..., Columns]  # from one text tensor, or two for pairs

_SHOWN = ("label", "score", "probabilities", "truncated", "windows")


def make_columns(outputs: Mapping[str, tf.Tensor]) -> Columns:
    """Return what a table shows of a graph's outputs; labels become str."""
    columns = {name: outputs[name].numpy() for name in _SHOWN if name in outputs}
    columns["label"] = np.array([label.decode() for label in columns["label"]], object)
    return columns


def run_by_length(
    texts: list[list[bytes]], batch_size: int, model: Model, *, streams: int = 1
) -> Columns:
    """Run a model on batches of rows of like length, and put the rows back in order.

    Args:
      texts: the texts, and the pairs if there are any, one per row.
      streams: batches that run at the same time.
    """
    lengths = [sum(map(len, row)) for row in zip(*texts, strict=True)]
    batches = batch_by_length(lengths, batch_size)

    def run(batch: list[int]) -> Columns:
        # Encoded and checked already, so `as_text_tensor` has nothing left to do.
        return model(*(tf.constant([column[row] for row in batch], tf.string) for column in texts))

    if streams == 1 or len(batches) == 1:
        parts = list(map(run, batches))
    else:
        # Python's lock is free while a graph runs. The longest batches first: a stream that began
        # one last would be left alone with it.
        with ThreadPoolExecutor(streams) as pool:
            parts = list(pool.map(run, reversed(batches)))[::-1]
    order = np.argsort(np.concatenate(batches))
    return {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}


def decide_columns(columns: Columns, decide: Decide, names: Sequence[str]) -> Columns:
    """Add the columns of a rule, and withhold the labels that it does.

    Args:
      decide: the rule, bound to the model.
      names: `Rule.columns`. The columns hold lists of labels, `reason` a str or None. The
        probabilities stand beside them, so `top` has the labels alone.
    """
    rows = list(
        map(decide, *(columns[name].tolist() for name in ("label", "score", "probabilities")))
    )
    decided: dict[str, list[Any]] = {
        "labels": [None if row.labels is None else list(row.labels) for row in rows],
        "top": [None if row.top is None else [label for label, _ in row.top] for row in rows],
        "reason": [row.reason for row in rows],
    }
    return {
        **columns,
        "label": _as_objects([row.label for row in rows]),
        **{name: _as_objects(decided[name]) for name in names},
    }


def _as_objects(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Make a column of lists; numpy.array would make a matrix of lists of equal length."""
    column = np.empty(len(values), object)
    for index, value in enumerate(values):
        column[index] = value
    return column
