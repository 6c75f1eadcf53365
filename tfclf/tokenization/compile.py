"""A spec becomes TensorFlow ops."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tensorflow as tf

from tfclf.tokenization.added_tokens import AddedTokens
from tfclf.tokenization.models import byte_bpe, sentencepiece_op, unigram, unigram_words, wordpiece
from tfclf.tokenization.normalizers import (
    chain,
    character_table,
    precompiled,
    python_text,
    replacement,
)
from tfclf.tokenization.ragged import merge_inner
from tfclf.tokenization.spec import (
    AddedToken,
    BertNormalizer,
    BertSplitter,
    ByteBpe,
    ByteLevel,
    CollapseSpace,
    EachCharacter,
    KerasByteWords,
    KerasWords,
    Metaspace,
    Precompiled,
    PythonLower,
    Replace,
    ReplaceSpaces,
    SentencePiece,
    Strip,
    TokenizerSpec,
    Unigram,
    UnigramWords,
    UntilNul,
    WordPiece,
)
from tfclf.tokenization.splitters import bert, byte_level, keras_byte_words, keras_words, metaspace
from tfclf.tokenization.utf8 import valid_utf8

# Each record of a spec and the module that does what it says.
_PARTS: Mapping[type, Callable[[Any], Any]] = {
    BertNormalizer: character_table.CharacterTable,
    EachCharacter: character_table.CharacterTable,
    Precompiled: precompiled.PrecompiledRules,
    Replace: replacement.Replacement,
    ReplaceSpaces: replacement.Replacement,
    Strip: replacement.Stripped,
    CollapseSpace: python_text.SpaceCollapser,
    PythonLower: python_text.Lower,
    BertSplitter: bert.BertWords,
    ByteLevel: byte_level.ByteLevelSplitter,
    Metaspace: metaspace.MarkedWords,
    WordPiece: wordpiece.WordPieceModel,
    KerasWords: keras_words.Words,
    UntilNul: keras_words.Cut,
    KerasByteWords: keras_byte_words.ByteWords,
    SentencePiece: sentencepiece_op.SentencePieceModel,
    ByteBpe: byte_bpe.ByteBpeModel,
    Unigram: unigram.UnigramModel,
    UnigramWords: unigram_words.UnigramWordsModel,
}


class Tokenizer(tf.Module):
    """string[batch] -> int32[batch, (tokens)], without special tokens around, never truncated.

    Runs on the CPU wherever it is called: strings have no other place.
    """

    def __init__(self, spec: TokenizerSpec) -> None:
        super().__init__()
        self._normalize = chain.Chain([_PARTS[type(step)](step) for step in spec.normalizer])
        self._between_added = chain.Chain([_PARTS[type(step)](step) for step in spec.between])
        self._split = _PARTS[type(spec.splitter)](spec.splitter) if spec.splitter else None
        self._model = _PARTS[type(spec.model)](spec.model)
        # What the reference looks for in normalized text is the content, normalized too.
        normalized = [
            replace(
                token, content=self._normalize(tf.constant([token.content])).numpy()[0].decode()
            )
            for token in spec.added_tokens
            if token.normalized
        ]
        self._in_raw = _added_tokens([token for token in spec.added_tokens if not token.normalized])
        self._in_normalized = _added_tokens(normalized)

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("/CPU:0"):
            text = valid_utf8(text)
            return self._in_raw(text, self._between) if self._in_raw else self._between(text)

    def _between(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = self._normalize(text)
        return self._in_normalized(text, self._words) if self._in_normalized else self._words(text)

    def _words(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = self._between_added(text)
        if self._split is None:
            return self._model(text)
        words = self._split(text)
        return merge_inner(self._model(words.values), words.row_splits)


def _added_tokens(added: Sequence[AddedToken]) -> AddedTokens | None:
    """None where there is nothing to find; the reference never finds an empty token either."""
    found = [token for token in added if token.content]
    return AddedTokens(found) if found else None
