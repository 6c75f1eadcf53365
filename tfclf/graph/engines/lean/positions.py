"""Position ids, as the TF classes count them.

Most take a token's place in its row. RoBERTa's kin count from the padding's id + 1 and pass the padding's
token over, wherever it stands: a text may hold it, too.
"""

import tensorflow as tf


def in_rows(rows: tf.RaggedTensor, *, padding_id: int | None) -> tf.Tensor:
    """int32[batch, (tokens)] -> int32[tokens], of all rows one after the other."""
    if padding_id is None:
        return tf.ragged.range(rows.row_lengths(), row_splits_dtype=tf.int32).values
    counted = tf.cast(tf.not_equal(rows.values, padding_id), tf.int32)
    seen = tf.cumsum(counted)
    before_row = tf.gather(tf.concat([[0], seen], 0), rows.row_splits[:-1])
    return (seen - tf.gather(before_row, rows.value_rowids())) * counted + padding_id


def in_columns(input_ids: tf.Tensor, *, padding_id: int | None) -> tf.Tensor:
    """int32[batch, length] -> the same; what a mask would hide counts like the rest."""
    if padding_id is None:
        return tf.broadcast_to(tf.range(tf.shape(input_ids)[1]), tf.shape(input_ids))
    counted = tf.cast(tf.not_equal(input_ids, padding_id), tf.int32)
    return tf.cumsum(counted, axis=1) * counted + padding_id
