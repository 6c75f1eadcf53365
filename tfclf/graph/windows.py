"""Long rows as overlapping windows: where each begins and how long it is.

Source: tokenizers 0.22, `Encoding::truncate`: what a fast tokenizer of transformers gives with
`return_overflowing_tokens=True, stride=...` has the same boundaries, from either side.
"""

from typing import NamedTuple

import tensorflow as tf


class Windows(NamedTuple):
    """Windows of several rows, those of one row in the order in which it is read.

    Attributes:
      row: int32[windows], the row that each is a part of.
      start: int32[windows], its first token within the row.
      length: int32[windows], its tokens, special ones not counted.
    """

    row: tf.Tensor
    start: tf.Tensor
    length: tf.Tensor


def further_windows(lengths: tf.Tensor, *, room: int, stride: tf.Tensor, from_end: bool) -> Windows:
    """Every window but the first of each row, which is what truncation leaves of it.

    >>> further_windows([10, 4], room=4, stride=[1, 1], from_end=False).start.numpy()
    array([3, 6], dtype=int32)

    Args:
      lengths: int32[batch], tokens in each row, special ones not counted.
      room: tokens in a window, special ones not counted.
      stride: int32[batch], tokens that a window shares with the one before it; 0 to room - 1.
      from_end: whether the first window is the row's end, as truncation on the left has it.
    """
    lengths = tf.convert_to_tensor(lengths)
    step = room - tf.convert_to_tensor(stride)
    count = (tf.maximum(lengths - room, 0) + step - 1) // step
    numbers = tf.ragged.range(count, row_splits_dtype=tf.int32)
    row = numbers.value_rowids()
    passed = (numbers.values + 1) * tf.gather(step, row)
    left = tf.gather(lengths, row) - passed
    length = tf.minimum(left, room)
    return Windows(row, left - length if from_end else passed, length)
