"""Ours and the reference's token ids of the same strings, side by side."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.read import read, reference


class Difference(NamedTuple):
    text: str
    ours: list[int]
    reference: list[int]


class Pair:
    """A checkpoint folder's tokenizer, compiled, beside the one that AutoTokenizer gives for it."""

    def __init__(self, folder: Path) -> None:
        tokenizer = Tokenizer(read(folder))
        self._ours: Callable[[tf.Tensor], tf.RaggedTensor] = tf.function(
            lambda text: tokenizer(text), input_signature=[tf.TensorSpec([None], tf.string)]
        )
        self._reference = reference(folder)

    def differences(self, texts: Iterable[str]) -> Iterator[Difference]:
        texts = iter(texts)
        while batch := list(itertools.islice(texts, 1000)):
            yield from (row for row in self.rows(batch) if row.ours != row.reference)

    def rows(self, texts: list[str]) -> Iterator[Difference]:
        ours = self._ours(tf.constant([text.encode() for text in texts], tf.string, [len(texts)])).to_list()
        encodings = self._reference.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
        for text, found, encoding in zip(texts, ours, encodings, strict=True):
            yield Difference(text, found, encoding.ids)
