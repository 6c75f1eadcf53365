"""Index arithmetic on ragged rows: one gather instead of many ragged ops."""

import tensorflow as tf


def take_ranges(pool: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tf.RaggedTensor:
    """Row i is pool[starts[i] : starts[i] + lengths[i]].

    Args:
      pool: [values].
      starts, lengths: int32[rows].
    Returns: [rows, (values)] with int32 row splits.
    """
    ranges = tf.ragged.range(starts, starts + lengths, row_splits_dtype=tf.int32)
    return ranges.with_values(tf.gather(pool, ranges.values))


def merge_inner(rows: tf.RaggedTensor, outer_splits: tf.Tensor) -> tf.RaggedTensor:
    """[inner, (values)] grouped by int32[outer + 1] splits over the inner rows -> [outer, (values)]."""
    splits = tf.gather(rows.row_splits, outer_splits)
    return tf.RaggedTensor.from_row_splits(rows.values, splits, validate=False)
