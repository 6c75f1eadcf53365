"""The TF class and its own tokenizer as a `predict`, to measure a model while and after it is trained."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy
import tensorflow as tf
from numpy.typing import NDArray

from tfclf.prediction import Prediction
from tfclf.training.batches import dataset, encode

_TEXTS_A_PART = 2_048


class Predictor:
    """Texts -> predictions, in order. Rows of like length share a batch.

    >>> next(Predictor(model, tokenizer, ["neg", "pos"], max_length=512, batch_size=32)(["well made"])).label
    'pos'
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
        while part := list(itertools.islice(remaining, _TEXTS_A_PART)):
            for row in _softmax(self._part_logits(part)):
                by_label = dict(zip(self._labels, row.tolist(), strict=True))
                label = self._labels[int(row.argmax())]
                yield Prediction(label, by_label[label], by_label)

    def _part_logits(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        encoded = encode(self._tokenizer, texts, [0] * len(texts), max_length=self._max_length)
        by_length = numpy.argsort(encoded.lengths, kind="stable")
        starts = range(0, len(texts), self._batch_size)
        batches = [by_length[start : start + self._batch_size] for start in starts]
        pad_id = self._tokenizer.pad_token_id
        found = numpy.zeros([len(texts), len(self._labels)], numpy.float32)
        for rows, (ids, mask, _) in zip(
            batches, dataset(encoded, batches, pad_id=pad_id), strict=True
        ):
            found[rows] = self._logits(ids, mask).numpy()
        return found


def _softmax(logits: NDArray[numpy.float32]) -> NDArray[numpy.float64]:
    powers = numpy.exp(logits.astype(numpy.float64) - logits.max(axis=-1, keepdims=True))
    shares: NDArray[numpy.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares
