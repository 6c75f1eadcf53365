"""Windows of long rows: where each one starts and how long it is.

Source: tokenizers 0.22, `Encoding::truncate`. The windows have the same boundaries, from either
  side, as those
of a fast tokenizer of transformers called with `return_overflowing_tokens=True, stride=...`.
"""

from typing import NamedTuple

import tensorflow as tf


class Windows(NamedTuple):
    """Windows of several rows; those of one row stand in reading order.

    Attributes:
      row: int32[windows], the row that each window belongs to.
      start: int32[windows], its first token within the row.
      length: int32[windows], its tokens, special ones not counted.
    """

    row: tf.Tensor
    start: tf.Tensor
    length: tf.Tensor


def place_further_windows(
    lengths: tf.Tensor, *, budget: int, stride: tf.Tensor, from_end: bool
) -> Windows:
    """Place every window of each row but the first, which is the truncated row itself.

    Windows of 4 tokens that share 1 with the window before; the row of 10 tokens has 0-3, 3-6 and
    6-9, and the row of 4 has none but its first:

    >>> windows = place_further_windows([10, 4, 5], budget=4, stride=[1, 1, 1], from_end=False)
    >>> [values.numpy().tolist() for values in windows]  # row, start, length
    [[0, 0, 2], [3, 6, 3], [4, 4, 2]]
    >>> windows = place_further_windows([10, 4, 5], budget=4, stride=[1, 1, 1], from_end=True)
    >>> [values.numpy().tolist() for values in windows]
    [[0, 0, 2], [3, 0, 0], [4, 4, 2]]

    Args:
      lengths: int32[batch], tokens in each row, special ones not counted.
      budget: tokens in a window, special ones not counted.
      stride: int32[batch], tokens that a window shares with the one before it; 0 to budget - 1.
      from_end: whether the first window is the row's end, as after truncation on the left.
    """
    lengths = tf.convert_to_tensor(lengths)
    step = budget - tf.convert_to_tensor(stride)
    # ceil((length - budget) / step) further windows cover what the first one leaves.
    count = (tf.maximum(lengths - budget, 0) + step - 1) // step
    numbers = tf.ragged.range(count, row_splits_dtype=tf.int32)
    row = numbers.value_rowids()
    # The n-th further window starts n + 1 steps into the row, counted from the side that is read
    # first.
    passed = (numbers.values + 1) * tf.gather(step, row)
    left = tf.gather(lengths, row) - passed
    length = tf.minimum(left, budget)
    return Windows(row, left - length if from_end else passed, length)
