"""What the two ways of laying rows out differ in; the rest of the encoder is one and the same."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from tfclf.encoder.weights import LayerNorm

Norm = Callable[[LayerNorm, tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Layout:
    """Rows laid out one after the other on [tokens, width], with padding between them or without.

    Attributes:
      attend: [tokens, 3 * width] of queries, keys and values -> [tokens, width], each row for itself.
      attend_first: the same for each row's first token alone -> [batch, width], in the order in which the rows came.
      norm: which of the forms of a layer norm suits the device's compiler, for [tokens, width].
      norm_first: the same for [batch, width].
      first: int32[batch], where each row's first token is among all.
    """

    attend: Callable[[tf.Tensor], tf.Tensor]
    attend_first: Callable[[tf.Tensor], tf.Tensor]
    norm: Norm
    norm_first: Norm
    first: tf.Tensor
