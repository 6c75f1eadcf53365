"""Texts to batches: tokenized once, shuffled by seed and epoch, grouped by length.

A batch is padded only to its own longest row. The order depends on seed and epoch alone, so an
interrupted training resumes at any step without replaying the steps before it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import tensorflow as tf
from numpy.typing import NDArray

# Batches that are shuffled together, then sorted by length: enough to save padding, few enough to
# keep batches mixed. transformers' LengthGroupedSampler uses the same number.
_BATCHES_PER_WINDOW = 50
_TEXTS_PER_CALL = 1_000
# Lengths in steps of 8 bound the number of programs that XLA compiles, and suit tensor cores.
_LENGTH_STEP = 8


@dataclass(frozen=True)
class Encoded:
    """Tokenized rows.

    Attributes:
      ids: int32[rows, (tokens)], special tokens included.
      labels: int32[rows].
      max_length: maximum tokens in a row.
    """

    ids: tf.RaggedTensor
    labels: NDArray[numpy.int32]
    max_length: int

    @property
    def lengths(self) -> NDArray[numpy.int64]:
        """int64[rows]: tokens in each row."""
        lengths: NDArray[numpy.int64] = self.ids.row_lengths().numpy()
        return lengths


def encode(
    tokenizer: Any, texts: Sequence[str], labels: Sequence[int], *, max_length: int
) -> Encoded:
    """Tokenize rows with the checkpoint's own tokenizer; add special tokens and truncate."""
    ids: list[NDArray[numpy.int32]] = []
    lengths: list[int] = []
    for part in _split_into_calls(texts):
        for row in tokenizer(part, truncation=True, max_length=max_length)["input_ids"]:
            ids.append(numpy.asarray(row, numpy.int32))
            lengths.append(len(row))
    flat = numpy.concatenate(ids) if ids else numpy.zeros(0, numpy.int32)
    return Encoded(
        ids=tf.RaggedTensor.from_row_lengths(flat, numpy.asarray(lengths, numpy.int64)),
        labels=numpy.asarray(labels, numpy.int32),
        max_length=max_length,
    )


def _split_into_calls(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), _TEXTS_PER_CALL):
        yield [_replace_surrogates(text) for text in texts[start : start + _TEXTS_PER_CALL]]


def _replace_surrogates(text: str) -> str:
    r"""Replace lone surrogates by U+FFFD, as serving does: JSON can spell them, no tokenizer can.

    >>> _replace_surrogates("a\ud800") == "a\ufffd\ufffd\ufffd"
    True
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return text


def order(
    lengths: NDArray[numpy.int64], *, batch_size: int, seed: int, epoch: int
) -> list[NDArray[numpy.int64]]:
    """Group the rows of an epoch into batches: rows of similar length together, batches shuffled.

    >>> batches = order(numpy.array([5, 90, 6, 91]), batch_size=2, seed=0, epoch=0)
    >>> sorted(sorted(batch.tolist()) for batch in batches)
    [[0, 2], [1, 3]]

    Returns: the rows of each batch; every row occurs once.
    """
    random = numpy.random.default_rng([seed, epoch])
    shuffled = random.permutation(len(lengths))
    window = batch_size * _BATCHES_PER_WINDOW
    batches = []
    for start in range(0, len(shuffled), window):
        rows = shuffled[start : start + window]
        rows = rows[numpy.argsort(lengths[rows], kind="stable")]
        batches += [rows[first : first + batch_size] for first in range(0, len(rows), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]


def dataset(
    encoded: Encoded, batches: Sequence[NDArray[numpy.int64]], *, pad_id: int
) -> tf.data.Dataset:
    """Make a dataset of these batches.

    Returns: input_ids and attention_mask, int32[batch, length]; labels, int32[batch].
    """
    rows = tf.RaggedTensor.from_row_lengths(
        numpy.concatenate(batches), numpy.asarray([len(batch) for batch in batches], numpy.int64)
    )

    def gather(chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        ids = tf.gather(encoded.ids, chosen)
        lengths = ids.row_lengths()
        # Round the longest row up to a multiple of _LENGTH_STEP: -(-13 // 8) * 8 is 16.
        longest = -(-tf.reduce_max(lengths) // _LENGTH_STEP) * _LENGTH_STEP
        longest = tf.minimum(longest, encoded.max_length)
        mask = tf.sequence_mask(lengths, longest, dtype=tf.int32)
        padded = ids.to_tensor(pad_id, shape=tf.stack([-1, longest]))
        return padded, mask, tf.gather(encoded.labels, chosen)

    return tf.data.Dataset.from_tensor_slices(rows).map(gather).prefetch(2)
