"""A number for each of the 1,114,112 code points, in two gathers."""

import numpy as np
import tensorflow as tf

_BLOCK = 256


class CodePointTable(tf.Module):
    """int32[n] code points -> int32[n].

    Args:
      numbers: int[0x110000], the same over long stretches.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        super().__init__()
        blocks, block_of = np.unique(numbers.reshape(-1, _BLOCK), axis=0, return_inverse=True)
        # Kept as tensors: every function that tokenizes then shares one copy in the export.
        self._numbers = tf.constant(blocks.ravel(), tf.int32)
        self._block = tf.constant(block_of.ravel() * _BLOCK, tf.int32)

    def __call__(self, points: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._numbers, tf.gather(self._block, points // _BLOCK) + points % _BLOCK)
