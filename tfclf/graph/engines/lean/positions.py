"""Position ids, counted as the TF classes count them.

Most classes take a token's index in its row. RoBERTa and its kin count from the padding's id + 1
and skip the padding token wherever it stands; a text may contain it, too.
"""

import tensorflow as tf


def count_in_rows(rows: tf.RaggedTensor, *, padding_id: int | None) -> tf.Tensor:
    """Count positions of int32[batch, (tokens)] -> int32[tokens], the rows one after the other.

    With `padding_id` 1, token 1 has position 1, and the others count from 2 in each row:

    >>> rows = tf.ragged.constant([[0, 7, 1, 2], [0, 2]], tf.int32, row_splits_dtype=tf.int32)
    >>> count_in_rows(rows, padding_id=None).numpy()
    array([0, 1, 2, 3, 0, 1], dtype=int32)
    >>> count_in_rows(rows, padding_id=1).numpy()
    array([2, 3, 1, 4, 2, 3], dtype=int32)
    """
    if padding_id is None:
        return tf.ragged.range(rows.row_lengths(), row_splits_dtype=tf.int32).values
    counted = tf.cast(tf.not_equal(rows.values, padding_id), tf.int32)
    # For the rows above: counted [1 1 0 1  1 1], seen [1 2 2 3  4 5], before_row [0, 3].
    seen = tf.cumsum(counted)
    before_row = tf.gather(tf.concat([[0], seen], 0), rows.row_splits[:-1])
    return (seen - tf.gather(before_row, rows.value_rowids())) * counted + padding_id


def count_in_columns(input_ids: tf.Tensor, *, padding_id: int | None) -> tf.Tensor:
    """Count positions of int32[batch, length] -> the same shape; masked tokens count like the rest.

    >>> count_in_columns(tf.constant([[0, 7, 1, 2], [0, 2, 1, 1]]), padding_id=1).numpy()
    array([[2, 3, 1, 4],
           [2, 3, 1, 1]], dtype=int32)
    """
    if padding_id is None:
        return tf.broadcast_to(tf.range(tf.shape(input_ids)[1]), tf.shape(input_ids))
    counted = tf.cast(tf.not_equal(input_ids, padding_id), tf.int32)
    return tf.cumsum(counted, axis=1) * counted + padding_id
