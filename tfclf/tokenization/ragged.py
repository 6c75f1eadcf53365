"""Index arithmetic on ragged rows: one gather instead of many ragged ops."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import tensorflow as tf

_Rows = TypeVar("_Rows", tf.Tensor, tf.RaggedTensor)


def take_ranges(pool: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """Gather ranges of a pool as rows: row i is pool[starts[i] : starts[i] + lengths[i]].

    Rows may overlap, repeat, or be empty:

    >>> pool = tf.constant([10, 11, 12, 13])
    >>> take_ranges(pool, tf.constant([2, 0, 0]), tf.constant([2, 3, 0])).to_list()
    [[12, 13], [10, 11, 12], []]

    Args:
      pool: [values].
      starts, lengths: int32[rows].
    Returns: [rows, (values)] with int32 row splits.
    """
    ranges = tf.ragged.range(starts, starts + lengths, row_splits_dtype=tf.int32)
    return ranges.with_values(tf.gather(pool, ranges.values))


class Ranges(NamedTuple):
    """Ragged rows not yet gathered: row i is pool[starts[i] : starts[i] + lengths[i]].

    Selecting and replacing rows moves two numbers per row and no values:

    >>> rows = Ranges.from_ragged(tf.ragged.constant([[1, 2], [3], []], row_splits_dtype=tf.int32))
    >>> rows.starts.numpy().tolist(), rows.lengths.numpy().tolist()
    ([0, 2, 3], [2, 1, 0])
    >>> rows.select(tf.constant([1, 0, 1])).take().to_list()
    [[3], [1, 2], [3]]
    >>> rows.with_rows(tf.constant([2]), rows.select(tf.constant([0]))).take().to_list()
    [[1, 2], [3], [1, 2]]

    Attributes:
      pool: [values].
      starts, lengths: int32[rows].
    """

    pool: tf.Tensor
    starts: tf.Tensor
    lengths: tf.Tensor

    @classmethod
    def from_ragged(cls, rows: tf.RaggedTensor) -> "Ranges":
        """Describe the rows of [rows, (values)], which has int32 row splits."""
        return cls(rows.values, rows.row_splits[:-1], rows.row_lengths())

    def select(self, which: tf.Tensor) -> "Ranges":
        """Return ranges whose row i is row which[i] of these."""
        return Ranges(self.pool, tf.gather(self.starts, which), tf.gather(self.lengths, which))

    def with_rows(self, places: tf.Tensor, rows: "Ranges") -> "Ranges":
        """Return these ranges with row places[i] replaced by row i of `rows`."""
        at = tf.cast(places[:, tf.newaxis], tf.int32)
        # The other pool is appended to this one, so its starts move up by this pool's size.
        return Ranges(
            tf.concat([self.pool, rows.pool], axis=0),
            tf.tensor_scatter_nd_update(self.starts, at, tf.size(self.pool) + rows.starts),
            tf.tensor_scatter_nd_update(self.lengths, at, rows.lengths),
        )

    def take(self) -> tf.RaggedTensor:
        """Gather the rows: [rows, (values)] with int32 row splits."""
        return take_ranges(self.pool, self.starts, self.lengths)


def merge_inner(rows: tf.RaggedTensor, outer_splits: tf.Tensor) -> tf.RaggedTensor:
    """Concatenate groups of rows: [inner, (values)] -> [outer, (values)].

    Pieces of words become pieces of texts. Here the first text has two words, the second one:

    >>> pieces = tf.ragged.constant([[7, 8], [9], [5, 5]])
    >>> merge_inner(pieces, tf.constant([0, 2, 3])).to_list()
    [[7, 8, 9], [5, 5]]

    Args:
      outer_splits: int32[outer + 1] row splits over the inner rows.
    """
    splits = tf.gather(rows.row_splits, outer_splits)
    return tf.RaggedTensor.from_row_splits(rows.values, splits, validate=False)


def map_halves(text: tf.Tensor, change: Callable[[tf.Tensor], _Rows]) -> _Rows:
    """Apply `change` to each half of string[n], so that TensorFlow can run both in parallel.

    One string op runs on one thread; TensorFlow runs two copies of it side by side. A loop would
    keep the graph smaller, but its iterations would share one RE2 object for each pattern, and
    contend for that object's lock at every match.

    >>> map_halves(tf.constant(["a b", "c", "d e f"]), tf.strings.split).to_list()
    [[b'a', b'b'], [b'c'], [b'd', b'e', b'f']]

    Returns: what `change(text)` returns: dense, or ragged with row splits of the same type.
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
