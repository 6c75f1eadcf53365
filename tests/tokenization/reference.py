"""Our token ids and the reference's for the same strings, side by side."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.read import load_reference, read
from tfclf.tokenization.spec import Template, TokenizerSpec


class Difference(NamedTuple):
    text: str
    ours: list[int]
    reference: list[int]


@lru_cache(maxsize=4)
def _compiled(spec: TokenizerSpec) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    """Compile a spec. Many test folders have the same spec, and tracing takes a second."""
    tokenizer = Tokenizer(spec)
    traced: Callable[[tf.Tensor], tf.RaggedTensor] = tf.function(
        lambda text: tokenizer(text), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    return traced


class Pair:
    """A checkpoint folder's tokenizer, compiled, beside its reference, or beside another one."""

    def __init__(self, folder: Path, *, other: Any = None) -> None:
        spec = read(folder)
        # The graph does not hold the template, and many folders differ only in theirs.
        self._ours = _compiled(replace(spec, template=Template((), ()), origin="a test's folder"))
        self._reference = other or load_reference(folder)

    def differences(self, texts: Iterable[str]) -> Iterator[Difference]:
        texts = iter(texts)
        while batch := list(itertools.islice(texts, 1000)):
            yield from (row for row in self.rows(batch) if row.ours != row.reference)

    def rows(self, texts: list[str]) -> Iterator[Difference]:
        ours = self._ours(
            tf.constant([text.encode() for text in texts], tf.string, [len(texts)])
        ).to_list()
        for text, found, expected in zip(texts, ours, self._ids(texts), strict=True):
            yield Difference(text, found, expected)

    def _ids(self, texts: list[str]) -> list[list[int]]:
        if self._reference.is_fast:
            encodings = self._reference.backend_tokenizer.encode_batch(
                texts, add_special_tokens=False
            )
            return [encoding.ids for encoding in encodings]
        return [
            self._reference.convert_tokens_to_ids(self._reference.tokenize(text)) for text in texts
        ]
