"""The original engine: the Hugging Face TF class itself, traced as it is.

Takes any `TF*ForSequenceClassification` and is right by construction; pads, so it is slower.
"""

from typing import Any

import tensorflow as tf

from tfclf.packing import to_dense
from tfclf.shared_function import shared


class OriginalEngine(tf.Module):
    """int32[batch, (tokens)] -> float32[batch, classes].

    Args:
      model: an instance of the TF class.
      pad_id: fills shorter rows.
    """

    def __init__(self, model: Any, *, pad_id: int) -> None:
        super().__init__(name="original")
        # The variables are tracked and so exported; the Keras model, reached through a closure, is not.
        self._weights = list(model.weights)
        integers = tf.TensorSpec([None, None], tf.int32)
        self._call = shared(
            lambda input_ids, attention_mask: (
                model(input_ids=input_ids, attention_mask=attention_mask, training=False).logits
            ),
            [integers, integers],
        )
        self._pad_id = pad_id

    def __call__(self, input_ids: tf.RaggedTensor) -> tf.Tensor:
        # The TF classes fail on tensors without elements: an empty batch gets a row, and loses it at the end.
        batch = input_ids.nrows(out_type=tf.int32)
        dense, mask = to_dense(input_ids, pad_id=self._pad_id)
        extra = tf.cast(tf.equal(batch, 0), tf.int32)
        dense = tf.pad(dense, [[0, extra], [0, extra]], constant_values=self._pad_id)
        return self._call(dense, tf.pad(mask, [[0, extra], [0, extra]], constant_values=1))[:batch]

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """int32[batch, length] twice -> float32[batch, classes]."""
        return self._call(input_ids, attention_mask)
