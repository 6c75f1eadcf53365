"""Our token ids and the reference's for the same strings, side by side."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tensorflow as tf

from tfclf.tokenization import compile as compiling
from tfclf.tokenization.normalizers import chain
from tfclf.tokenization.read import load_reference, read
from tfclf.tokenization.spec import Template, TokenizerSpec


class Difference(NamedTuple):
    text: str
    ours: list[int]
    reference: list[int]


_PARTS = compiling._PARTS
_Text = Callable[[tf.Tensor], Any]


def _trace(call: _Text) -> _Text:
    return tf.function(  # type: ignore[no-any-return]
        lambda text: call(text), input_signature=[tf.TensorSpec([None], tf.string)]
    )


@lru_cache(maxsize=8)
def _trace_part(part: object) -> _Text:
    return _trace(_PARTS[type(part)](part))


@lru_cache(maxsize=8)
def _trace_chain(steps: tuple[object, ...]) -> _Text:
    return _trace(chain.Chain([_PARTS[type(step)](step) for step in steps]))


@lru_cache(maxsize=4)
def _compose(spec: TokenizerSpec) -> _Text:
    """Compile a spec: trace its parts, each once for all specs, and run them one by one.

    Tracing a whole tokenizer takes up to ten seconds, since its graph holds the model four times.
    """
    traced = dict.fromkeys((type(spec.model), type(spec.splitter)), _trace_part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_PARTS", {**_PARTS, **traced})
        tokenizer = compiling.Tokenizer(spec)
    tokenizer._normalize = _trace_chain(spec.normalizer)  # type: ignore[assignment]
    tokenizer._normalize_between = _trace_chain(spec.between)  # type: ignore[assignment]
    return tokenizer


def forget_compiled() -> None:
    for compiled in (_trace_part, _trace_chain, _compose):
        compiled.cache_clear()


class Pair:
    """A checkpoint folder's tokenizer, compiled, beside its reference, or beside another one.

    Args:
      whole: whether the tokenizer is one graph, as in an export, instead of a graph for each part.
    """

    def __init__(self, folder: Path, *, other: Any = None, whole: bool = False) -> None:
        spec = read(folder)
        # The graph does not hold the template, and many folders differ only in theirs.
        spec = replace(spec, template=Template((), ()), origin="a test's folder")
        self._ours = _trace(compiling.Tokenizer(spec)) if whole else _compose(spec)
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
