"""The original engine: the Hugging Face TF class itself, traced.

It takes any `TF*ForSequenceClassification`. Tracing with unknown shapes, and Grappler after it, can
change what a class computes, so `tfclf verify` compares it with the class run eagerly. It pads, so
it is slower than the lean engine.
"""

from typing import Any

import tensorflow as tf

from tfclf.graph.engines.rounding import keep_rounding
from tfclf.graph.framing import Batch, to_dense


class OriginalEngine(tf.Module):
    """Rows of token ids -> float32[batch, classes].

    Args:
      model: an instance of the TF class.
      token_types: whether the class takes them.
      pad_id, padding_side: the id that pads shorter rows, and where: 'right' or 'left'.
    """

    def __init__(
        self, model: Any, *, token_types: bool, pad_id: int, padding_side: str = "right"
    ) -> None:
        super().__init__(name="original")
        self._padding_side = padding_side
        # The variables are tracked and so exported. The Keras model, reached through a closure, is
        # not.
        self._weights = list(model.weights)
        self._pad_id = pad_id

        def forward(input_ids: tf.Tensor, attention_mask: tf.Tensor, types: tf.Tensor) -> tf.Tensor:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            if token_types:
                inputs["token_type_ids"] = types
            return model(inputs, training=False, return_dict=True).logits

        # Not `trace_once`: some of the classes, DeBERTa's among them, need autograph.
        traced = tf.function(forward, input_signature=[tf.TensorSpec([None, None], tf.int32)] * 3)
        self._forward = keep_rounding(traced.get_concrete_function())

    def __call__(self, batch: Batch) -> tf.Tensor:
        """Encode a Batch -> float32[batch, classes]."""
        # The TF classes fail on tensors without elements: pad an empty batch with one row, and drop
        # it at the end. `extra` is 1 then, else 0.
        rows = batch.input_ids.nrows(out_type=tf.int32)
        extra = tf.cast(tf.equal(rows, 0), tf.int32)
        input_ids, mask = to_dense(batch.input_ids, pad_id=self._pad_id, side=self._padding_side)
        types, _ = to_dense(batch.token_types, pad_id=0, side=self._padding_side)
        inputs = (
            tf.pad(values, [[0, extra], [0, extra]], constant_values=filling)
            for values, filling in ((input_ids, self._pad_id), (mask, 1), (types, 0))
        )
        return self._forward(*inputs)[:rows]

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """Encode int32[batch, length] twice -> float32[batch, classes]; all tokens have type 0."""
        return self._forward(input_ids, attention_mask, tf.zeros_like(input_ids))
