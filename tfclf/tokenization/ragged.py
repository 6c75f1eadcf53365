"""Index arithmetic on ragged rows: one gather instead of many ragged ops."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

_Rows = TypeVar("_Rows", tf.Tensor, tf.RaggedTensor)


def take_ranges(pool: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """Row i is pool[starts[i] : starts[i] + lengths[i]].

    Args:
      pool: [values].
      starts, lengths: int32[rows].
    Returns: [rows, (values)] with int32 row splits.
    """
    ranges = tf.ragged.range(starts, starts + lengths, row_splits_dtype=tf.int32)
    return ranges.with_values(tf.gather(pool, ranges.values))


def with_rows(
    pool: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor, places: tf.Tensor, rows: tf.RaggedTensor, of: tf.Tensor
) -> tf.RaggedTensor:
    """`take_ranges`, but row places[i] is row of[i] of [rows, (values)] with int32 row splits."""
    at = tf.cast(places[:, tf.newaxis], tf.int32)
    return take_ranges(
        tf.concat([pool, rows.values], axis=0),
        tf.tensor_scatter_nd_update(starts, at, tf.gather(tf.size(pool) + rows.row_splits[:-1], of)),
        tf.tensor_scatter_nd_update(lengths, at, tf.gather(rows.row_splits[1:] - rows.row_splits[:-1], of)),
    )


def merge_inner(rows: tf.RaggedTensor, outer_splits: tf.Tensor) -> tf.RaggedTensor:
    """[inner, (values)] grouped by int32[outer + 1] splits over the inner rows -> [outer, (values)]."""
    splits = tf.gather(rows.row_splits, outer_splits)
    return tf.RaggedTensor.from_row_splits(rows.values, splits, validate=False)


def in_parts(text: tf.Tensor, change: Callable[[tf.Tensor], _Rows]) -> _Rows:
    """`change`s string[n] in two parts: one op is one thread's work, and TensorFlow runs copies of it side by side.

    A loop would keep the graph smaller, but then the parts share one RE2 object for each pattern, whose lock they
    would both take at every match.

    Returns: what `change(text)` would: dense, or ragged with row splits of the same type.
    """
    size = tf.size(text) // 2
    changed = [change(part) for part in tf.split(text, tf.stack([size, tf.size(text) - size]), num=2)]
    if not isinstance(changed[0], tf.RaggedTensor):
        return tf.concat(changed, axis=0)
    lengths = tf.concat([rows.row_splits[1:] - rows.row_splits[:-1] for rows in changed], axis=0)
    splits = tf.pad(tf.cumsum(lengths), [[1, 0]])
    return tf.RaggedTensor.from_row_splits(tf.concat([rows.values for rows in changed], axis=0), splits, validate=False)
