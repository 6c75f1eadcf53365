"""The TF class and its tokenizer as a `predict`, to measure a model during and after training."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy
import tensorflow as tf
from numpy.typing import NDArray

from tfclf.prediction import Prediction
from tfclf.training.batches import dataset, encode

_TEXTS_PER_PART = 2_048


class Predictor:
    """Predicts texts in order. Rows of similar length share a batch.

    predict = Predictor(model, tokenizer, ["neg", "pos"], max_length=512, batch_size=32)
    next(predict(["well made"])).label   # 'pos'
    """

    def __init__(
        self, model: Any, tokenizer: Any, labels: Sequence[str], *, max_length: int, batch_size: int
    ) -> None:
        self._tokenizer = tokenizer
        self._labels = tuple(labels)
        self._max_length = max_length
        self._batch_size = batch_size
        ids = tf.TensorSpec([None, None], tf.int32)

        @tf.function(input_signature=[ids, ids])
        def logits(input_ids: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            return tf.cast(model(inputs, training=False).logits, tf.float32)

        self._logits = logits

    def __call__(self, texts: Iterable[str]) -> Iterator[Prediction]:
        remaining = iter(texts)
        while part := list(itertools.islice(remaining, _TEXTS_PER_PART)):
            for row in _softmax(self._compute_logits(part)):
                by_label = dict(zip(self._labels, row.tolist(), strict=True))
                label = self._labels[int(row.argmax())]
                yield Prediction(label, by_label[label], by_label)

    def _compute_logits(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        encoded = encode(self._tokenizer, texts, [0] * len(texts), max_length=self._max_length)
        by_length = numpy.argsort(encoded.lengths, kind="stable")
        starts = range(0, len(texts), self._batch_size)
        batches = [by_length[start : start + self._batch_size] for start in starts]
        inputs = dataset(encoded, batches, pad_id=self._tokenizer.pad_token_id)
        logits = numpy.zeros([len(texts), len(self._labels)], numpy.float32)
        for rows, (ids, mask, _) in zip(batches, inputs, strict=True):
            logits[rows] = self._logits(ids, mask).numpy()
        return logits


def _softmax(logits: NDArray[numpy.float32]) -> NDArray[numpy.float64]:
    """Compute softmax in float64: [rows, classes] -> [rows, classes].

    >>> _softmax(numpy.zeros([1, 2], numpy.float32))
    array([[0.5, 0.5]])
    """
    powers = numpy.exp(logits.astype(numpy.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[numpy.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
