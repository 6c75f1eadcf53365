"""What the two ways of laying rows out differ in; the rest of the encoder is one and the same."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from tfclf.graph.engines.lean.weights import LayerValues, NormValues

Norm = Callable[[NormValues, tf.Tensor], tf.Tensor]
# [tokens, width] and a layer's values -> [tokens, width]
Step = Callable[[tf.Tensor, LayerValues], tf.Tensor]


@dataclass(frozen=True)
class Layout:
    """Rows laid out one after the other on [tokens, width], with padding between them or without.

    Attributes:
      attend: [tokens, 3 * width] of queries, keys and values -> [tokens, width], each row for itself.
      attend_first: the same for each row's first token alone: [batch, width] of their queries, [tokens, 2 * width] of
        all keys and values -> [batch, width], in the order in which the rows came.
      repeated: makes one function of a step that every layer but the last one takes, where that pays.
      norm: which of the forms of a layer norm suits the device's compiler, for tensors of so many rows, int32[].
      first: int32[batch], where each row's first token is among all.
    """

    attend: Callable[[tf.Tensor], tf.Tensor]
    attend_first: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    repeated: Callable[[Step, LayerValues], Step]
    norm: Callable[[tf.Tensor], Norm]
    first: tf.Tensor
