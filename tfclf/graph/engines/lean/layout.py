"""The differences between the two layouts of rows; the rest of the encoder is the same for both."""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from tfclf.graph.engines.lean.weights import LayerValues, NormValues

Norm = Callable[[NormValues, tf.Tensor], tf.Tensor]
# [tokens, hidden_size] and a layer's values -> [tokens, hidden_size]
Step = Callable[[tf.Tensor, LayerValues], tf.Tensor]


@dataclass(frozen=True)
class Layout:
    """Rows laid out one after the other as [tokens, hidden_size], with or without padding.

    Attributes:
      attend: [tokens, 3 * hidden_size] of queries, keys and values -> [tokens, hidden_size]. Each
        row attends to itself.
      attend_first: the same for each row's first token alone. [batch, hidden_size] of their queries
        and [tokens, 2 * hidden_size] of keys and values -> [batch, hidden_size], in input order.
      trace_step: makes one function of the step of a layer that runs several times, if that pays.
      norm: returns the form of layer norm that suits the device's compiler, for tensors of so many
        rows, int32[].
      first: int32[batch], the index of each row's first token among all tokens.
    """

    attend: Callable[[tf.Tensor], tf.Tensor]
    attend_first: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    trace_step: Callable[[Step, LayerValues], Step]
    norm: Callable[[tf.Tensor], Norm]
    first: tf.Tensor
