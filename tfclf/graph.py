"""Everything between strings and labels as one tf.Module: what is called in process and what is exported."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import tensorflow as tf

from tfclf.packing import Batch, Frame, to_dense
from tfclf.shared_function import shared
from tfclf.tokenization.compile import Tokenizer

ACTIVATIONS = {"single_label_classification": tf.nn.softmax, "multi_label_classification": tf.nn.sigmoid}
PROBLEM_TYPES = tuple(ACTIVATIONS)

Outputs = Mapping[str, tf.Tensor]


class Engine(Protocol):
    """Rows of token ids to logits."""

    def __call__(self, batch: Batch) -> tf.Tensor:
        """Batch, at least one token a row -> float32[batch, classes]."""

    def encode_dense(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """int32[batch, length] twice -> float32[batch, classes]."""


class Graph(tf.Module):
    """Tokenizer, frame, engine and labels; each method is one signature's work.

    Args:
      labels: in the order of the logits.
      problem_type: 'single_label_classification' (softmax) or 'multi_label_classification' (sigmoid).
    """

    def __init__(
        self, tokenizer: Tokenizer, frame: Frame, engine: Engine, *, labels: Sequence[str], problem_type: str
    ) -> None:
        super().__init__(name="classifier")
        self._frame = frame
        self._tokenizer = tokenizer
        self._tokens = shared(tokenizer, [tf.TensorSpec([None], tf.string)])
        self._engine = engine
        self._labels = tf.constant(list(labels))
        self._activation = ACTIVATIONS[problem_type]

    def classify_text(self, text: tf.Tensor) -> Outputs:
        """string[batch] -> label, score, probabilities, logits."""
        return self._answers(self._engine(self._frame.single(self._tokens(text))))

    def classify_pairs(self, text: tf.Tensor, text_pair: tf.Tensor) -> Outputs:
        """string[batch] twice -> label, score, probabilities, logits."""
        same = tf.debugging.assert_equal(
            tf.shape(text),
            tf.shape(text_pair),
            message="text and text_pair must have as many rows as one another",
        )
        with tf.control_dependencies([same]):
            rows = self._frame.pair(self._tokens(text), self._tokens(text_pair))
        return self._answers(self._engine(rows))

    def classify_examples(self, inputs: tf.Tensor) -> Outputs:
        """string[batch] of serialized tf.Example with the feature `text` -> classes, scores."""
        features = tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})
        probabilities = self.classify_text(features["text"])["probabilities"]
        classes = tf.broadcast_to(self._labels, tf.shape(probabilities))
        return {"classes": classes, "scores": probabilities}

    def tokenize(self, text: tf.Tensor) -> Outputs:
        """string[batch] -> input_ids, attention_mask."""
        rows = self._frame.single(self._tokens(text)).input_ids
        input_ids, attention_mask = to_dense(rows, pad_id=self._frame.pad_id, side=self._frame.padding_side)
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def encode(self, input_ids: tf.Tensor, attention_mask: tf.Tensor) -> Outputs:
        """int32[batch, length] twice -> logits, probabilities."""
        logits = self._engine.encode_dense(input_ids, attention_mask)
        return {"logits": logits, "probabilities": self._activation(logits)}

    def _answers(self, logits: tf.Tensor) -> Outputs:
        probabilities = self._activation(logits)
        return {
            "label": tf.gather(self._labels, tf.argmax(logits, axis=1, output_type=tf.int32)),
            "score": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
            "logits": logits,
        }
