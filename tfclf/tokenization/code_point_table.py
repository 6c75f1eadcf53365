"""A table with one number for each of the 1,114,112 code points, read by two gathers."""

import numpy as np
import tensorflow as tf

_BITS = 8  # of an index within a block
_BLOCK = 1 << _BITS


class CodePointTable(tf.Module):
    """int32[n] code points -> int32[n] numbers.

    A block of 256 equal to an earlier one is stored once: a table that is 0 almost everywhere
    takes a few kilobytes instead of 4 MB.

    >>> numbers = np.zeros(0x110000, np.int32)
    >>> numbers[ord("b")] = 7
    >>> table = CodePointTable(numbers)
    >>> table(tf.constant([ord("a"), ord("b"), 0x10FFFF])).numpy().tolist()
    [0, 7, 0]
    >>> table._numbers.shape
    TensorShape([512])

    Args:
      numbers: int[0x110000], constant over long stretches.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        super().__init__()
        places: dict[bytes, int] = {}  # distinct block -> its index in `_numbers`
        block_of = [
            places.setdefault(block.tobytes(), len(places))
            for block in numbers.astype(np.int32).reshape(-1, _BLOCK)
        ]
        # Tensors rather than arrays: all functions that tokenize then share one copy in the export.
        self._numbers = tf.constant(np.frombuffer(b"".join(places), np.int32))
        self._block = tf.constant(np.array(block_of, np.int32) * _BLOCK, tf.int32)

    def __call__(self, points: tf.Tensor) -> tf.Tensor:
        block = tf.gather(self._block, tf.bitwise.right_shift(points, _BITS))
        return tf.gather(self._numbers, block + tf.bitwise.bitwise_and(points, _BLOCK - 1))
