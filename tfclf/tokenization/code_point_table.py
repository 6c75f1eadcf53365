"""A number for each of the 1,114,112 code points, in two gathers."""

import numpy as np
import tensorflow as tf

_BITS = 8  # of a place within a block
_BLOCK = 1 << _BITS


class CodePointTable(tf.Module):
    """int32[n] code points -> int32[n].

    Args:
      numbers: int[0x110000], the same over long stretches.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        super().__init__()
        places: dict[bytes, int] = {}  # of each different block: most are like others
        block_of = [
            places.setdefault(block.tobytes(), len(places))
            for block in numbers.astype(np.int32).reshape(-1, _BLOCK)
        ]
        # Kept as tensors: every function that tokenizes then shares one copy in the export.
        self._numbers = tf.constant(np.frombuffer(b"".join(places), np.int32))
        self._block = tf.constant(np.array(block_of, np.int32) * _BLOCK, tf.int32)

    def __call__(self, points: tf.Tensor) -> tf.Tensor:
        block = tf.gather(self._block, tf.bitwise.right_shift(points, _BITS))
        return tf.gather(self._numbers, block + tf.bitwise.bitwise_and(points, _BLOCK - 1))
