"""Index arithmetic on ragged rows: one gather instead of many ragged ops."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

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


class Ranges(NamedTuple):
    """Rows before they are taken: row i is pool[starts[i] : starts[i] + lengths[i]], both int32[rows]."""

    pool: tf.Tensor
    starts: tf.Tensor
    lengths: tf.Tensor

    @classmethod
    def of(cls, rows: tf.RaggedTensor) -> "Ranges":
        """[rows, (values)] with int32 row splits."""
        return cls(rows.values, rows.row_splits[:-1], rows.row_lengths())

    def rows(self, which: tf.Tensor) -> "Ranges":
        """Row i is row which[i] of these."""
        return Ranges(self.pool, tf.gather(self.starts, which), tf.gather(self.lengths, which))

    def with_rows(self, places: tf.Tensor, rows: "Ranges") -> "Ranges":
        """These, but row places[i] is row i of `rows`."""
        at = tf.cast(places[:, tf.newaxis], tf.int32)
        return Ranges(
            tf.concat([self.pool, rows.pool], axis=0),
            tf.tensor_scatter_nd_update(self.starts, at, tf.size(self.pool) + rows.starts),
            tf.tensor_scatter_nd_update(self.lengths, at, rows.lengths),
        )

    def taken(self) -> tf.RaggedTensor:
        """[rows, (values)] with int32 row splits."""
        return take_ranges(self.pool, self.starts, self.lengths)


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
    changed = [
        change(part) for part in tf.split(text, tf.stack([size, tf.size(text) - size]), num=2)
    ]
    if not isinstance(changed[0], tf.RaggedTensor):
        return tf.concat(changed, axis=0)
    lengths = tf.concat([rows.row_splits[1:] - rows.row_splits[:-1] for rows in changed], axis=0)
    splits = tf.pad(tf.cumsum(lengths), [[1, 0]])
    return tf.RaggedTensor.from_row_splits(
        tf.concat([rows.values for rows in changed], axis=0), splits, validate=False
    )
