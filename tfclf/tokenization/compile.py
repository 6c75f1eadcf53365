"""Compile a tokenizer spec to TensorFlow ops."""

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
    WordRuns,
)
from tfclf.tokenization.splitters import bert, byte_level, keras_byte_words, keras_words, metaspace
from tfclf.tokenization.utf8 import replace_invalid

# Record of a spec -> the module that carries it out.
_PARTS: Mapping[type, Callable[[Any], Any]] = {
    BertNormalizer: character_table.CharacterTable,
    EachCharacter: character_table.CharacterTable,
    Precompiled: precompiled.PrecompiledRules,
    Replace: replacement.Replacement,
    ReplaceSpaces: replacement.Replacement,
    Strip: replacement.EndStripper,
    CollapseSpace: python_text.SpaceCollapser,
    PythonLower: python_text.Lower,
    BertSplitter: bert.BertWords,
    WordRuns: bert.Runs,
    ByteLevel: byte_level.ByteLevelSplitter,
    Metaspace: metaspace.MarkedWords,
    WordPiece: wordpiece.WordPieceModel,
    KerasWords: keras_words.Words,
    UntilNul: keras_words.NulCutter,
    KerasByteWords: keras_byte_words.ByteWords,
    SentencePiece: sentencepiece_op.SentencePieceModel,
    ByteBpe: byte_bpe.ByteBpeModel,
    Unigram: unigram.UnigramModel,
    UnigramWords: unigram_words.UnigramWordsModel,
}


class Tokenizer(tf.Module):
    """string[batch] -> int32[batch, (tokens)], without special tokens, never truncated.

    Always runs on the CPU: strings exist on no other device.

    Attributes:
      spec: what it was compiled from.
    """

    def __init__(self, spec: TokenizerSpec) -> None:
        super().__init__()
        self.spec = spec
        self._normalize = chain.Chain([_PARTS[type(step)](step) for step in spec.normalizer])
        self._normalize_between = chain.Chain([_PARTS[type(step)](step) for step in spec.between])
        self._split = _PARTS[type(spec.splitter)](spec.splitter) if spec.splitter else None
        self._model = _PARTS[type(spec.model)](spec.model)
        # The reference matches the normalized content of these tokens in the normalized text.
        normalized = [
            replace(token, content=self._normalize_one(token.content))
            for token in spec.added_tokens
            if token.normalized
        ]
        self._in_raw = _added_tokens([token for token in spec.added_tokens if not token.normalized])
        self._in_normalized = _added_tokens(normalized)

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("/CPU:0"):
            text = replace_invalid(text)
            if self._in_raw:
                return self._in_raw(text, self._tokenize_raw)
            return self._tokenize_raw(text)

    def _tokenize_raw(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = self._normalize(text)
        if self._in_normalized:
            return self._in_normalized(text, self._tokenize_normalized)
        return self._tokenize_normalized(text)

    def _tokenize_normalized(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = self._normalize_between(text)
        if self._split is None:
            return self._model(text)
        words = self._split(text)
        return merge_inner(self._model(words.values), words.row_splits)

    def _normalize_one(self, content: str) -> str:
        normalized: bytes = self._normalize(tf.constant([content])).numpy()[0]
        return normalized.decode()


def _added_tokens(added: Sequence[AddedToken]) -> AddedTokens | None:
    """Return None if there is nothing to match; the reference never matches an empty token."""
    tokens = [token for token in added if token.content]
    return AddedTokens(tokens) if tokens else None
