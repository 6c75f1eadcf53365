"""The original engine: the Hugging Face TF class itself, traced.

It takes any `TF*ForSequenceClassification`. Tracing with unknown shapes, and Grappler after it, can
change what a class computes, so `tfclf verify` compares it with the class run eagerly. It pads, so
it is slower than the lean engine.

A few of the classes answer a row by other rows of its batch, or refuse the batch:

- BART reads the last </s> of each row, and refuses rows with unequal numbers of them. A text may
  spell one.
- GPT-2 and its relatives read the token before the first padding token. In a row that begins with
  one they read the batch's last column.

Such rows run alone, which gives the answer that the class gives for them alone.
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
        self._eos_id: int | None = model.config.eos_token_id
        self._classes: int = model.config.num_labels

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
        input_ids, mask = to_dense(batch.input_ids, pad_id=self._pad_id, side=self._padding_side)
        types, _ = to_dense(batch.token_types, pad_id=0, side=self._padding_side)
        return self._encode(input_ids, mask, types)

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """Encode int32[batch, length] twice -> float32[batch, classes]; all tokens have type 0.

        A row without tokens counts as one padding token.
        """
        return self._encode(input_ids, attention_mask, tf.zeros_like(input_ids))

    def _encode(self, input_ids: tf.Tensor, mask: tf.Tensor, types: tf.Tensor) -> tf.Tensor:
        """Encode int32[batch, length] three times: regular rows together, then others one by one.

        One loop holds the only copy of the class's graph.
        """
        irregular = tf.cast(self._find_irregular(input_ids, mask), tf.int32)
        order = tf.argsort(irregular, stable=True)
        batch = tf.size(order)
        regular = batch - tf.reduce_sum(irregular)
        inputs = tf.stack([input_ids, mask, types])

        def encode_piece(done: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            count = tf.maximum(regular - done, 1)
            piece = tf.gather(inputs, order[done : done + count], axis=1)
            piece = tf.cond(done < regular, lambda: piece, lambda: self._trim(piece))
            return done + count, tf.concat([logits, self._forward(*tf.unstack(piece))], 0)

        _, logits = tf.while_loop(
            lambda done, _: done < batch,
            encode_piece,
            (tf.constant(0), tf.zeros([0, self._classes])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, self._classes])),
            parallel_iterations=1,
        )
        return tf.gather(logits, tf.math.invert_permutation(order))

    def _find_irregular(self, input_ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Find the rows that have to run alone, bool[batch].

        Those are rows without tokens, rows with a padding token inside, and rows with more closing
        tokens than others.
        """
        inside = mask > 0
        padding = tf.reduce_any(inside & (input_ids == self._pad_id), axis=1)
        irregular = padding | ~tf.reduce_any(inside, axis=1)
        if self._eos_id is None:
            return irregular
        closing = tf.reduce_sum(tf.cast(inside & (input_ids == self._eos_id), tf.int32), axis=1)
        fewest = tf.reduce_min(tf.where(irregular, tf.int32.max, closing))
        return irregular | (closing > fewest)

    def _trim(self, row: tf.Tensor) -> tf.Tensor:
        """Remove the padding around one row, int32[3, 1, length] of ids, mask and types.

        A row of padding alone keeps one padding token, and attends to it.
        """
        inside = tf.cast(row[1, 0] > 0, tf.int32)
        # [0 1 0 1 0] -> [0 1 1 2 2] and, from the end, [2 2 1 1 0]: both positive from the first
        # token to the last.
        span = (tf.cumsum(inside) > 0) & (tf.cumsum(inside, reverse=True) > 0)
        padding_token = tf.constant([[[self._pad_id]], [[1]], [[0]]])
        missing = tf.cast(~tf.reduce_any(span), tf.int32)
        return tf.concat(
            [tf.boolean_mask(row, span, axis=2), padding_token[:, :, :missing]], axis=2
        )
