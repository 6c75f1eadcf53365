"""Columns of predictions: from the outputs of a graph, and in the order of the rows."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfclf.inputs import as_text_tensor, batch_by_length

if TYPE_CHECKING:
    import tensorflow as tf

Columns = dict[str, np.ndarray[Any, Any]]  # by name, one entry per row
Model = Callable[..., Columns]  # from one text tensor, or two for pairs

_SHOWN = ("label", "score", "probabilities", "truncated", "windows")


def make_columns(outputs: "Mapping[str, tf.Tensor]") -> Columns:
    """Return what a table shows of a graph's outputs; labels become str."""
    columns = {name: outputs[name].numpy() for name in _SHOWN if name in outputs}
    columns["label"] = np.array([label.decode() for label in columns["label"]], object)
    return columns


def run_by_length(texts: list[list[bytes]], batch_size: int, model: Model) -> Columns:
    """Run a model on batches of rows of like length, and put the rows back in order.

    Args:
      texts: the texts, and the pairs if there are any, one per row.
    """
    lengths = [sum(map(len, row)) for row in zip(*texts, strict=True)]
    batches = batch_by_length(lengths, batch_size)
    parts = [
        model(*(as_text_tensor([column[row] for row in batch]) for column in texts))
        for batch in batches
    ]
    order = np.argsort(np.concatenate(batches))
    return {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
