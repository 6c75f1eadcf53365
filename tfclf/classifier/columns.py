"""Columns of predictions: from the outputs of a graph, and in the order of the rows."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

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
