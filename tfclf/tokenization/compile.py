"""A spec becomes TensorFlow ops."""

import re

import tensorflow as tf

from tfclf.errors import UnknownComponentError
from tfclf.tokenization import code_points
from tfclf.tokenization.normalize import Normalizer
from tfclf.tokenization.ragged import merge_inner, take_ranges
from tfclf.tokenization.spec import AddedToken, TokenizerSpec
from tfclf.tokenization.split import Splitter, character_class
from tfclf.tokenization.utf8 import valid_utf8
from tfclf.tokenization.wordpiece import WordPieceModel

# No byte of valid UTF-8, so that no text can forge it.
_FENCE = b"\xff"


class Tokenizer(tf.Module):
    """string[batch] -> int32[batch, (tokens)], without special tokens around, never truncated.

    Runs on the CPU wherever it is called: strings have no other place.
    """

    def __init__(self, spec: TokenizerSpec) -> None:
        super().__init__()
        self._normalize = Normalizer(spec.normalizer)
        self._split = Splitter()
        self._model = WordPieceModel(spec.model)
        self._added = _AddedTokens(spec) if spec.added_tokens else None

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("/CPU:0"):
            text = valid_utf8(text)
            return self._added(text, self._plain) if self._added else self._plain(text)

    def _plain(self, text: tf.Tensor) -> tf.RaggedTensor:
        words = self._split(self._normalize(text))
        return merge_inner(self._model(words.values), words.row_splits)


class _AddedTokens(tf.Module):
    """Added tokens are found in the raw text; what lies between them is tokenized by itself."""

    def __init__(self, spec: TokenizerSpec) -> None:
        super().__init__()
        for token in spec.added_tokens:
            _check_known(token, spec.origin)
        # RE2 takes the first alternative that matches; the reference the longest.
        tokens = sorted(spec.added_tokens, key=lambda token: -len(token.content))
        _, space = code_points.splitting()
        self._space = character_class(space) + "*"
        self._pattern = "|".join(
            (self._space if token.left_strip else "")
            + _escaped(token.content)
            + (self._space if token.right_strip else "")
            for token in tokens
        )
        self._strips = any(token.left_strip or token.right_strip for token in tokens)
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                [token.content for token in tokens], [token.id for token in tokens], tf.string, tf.int32
            ),
            default_value=-1,
        )

    def __call__(self, text: tf.Tensor, tokenize: tf.types.experimental.GenericFunction) -> tf.RaggedTensor:
        fenced = tf.strings.regex_replace(text, self._pattern, _FENCE + rb"\0" + _FENCE)
        return tf.cond(
            tf.reduce_all(tf.equal(fenced, text)),
            lambda: tokenize(text),
            lambda: self._around(fenced, tokenize),
        )

    def _around(self, fenced: tf.Tensor, tokenize: tf.types.experimental.GenericFunction) -> tf.RaggedTensor:
        # text, token, text, token, ..., text: within a row every second segment is a token.
        segments = tf.strings.split(fenced, _FENCE)
        place = tf.ragged.range(segments.row_lengths()).values
        is_token = place % 2 == 1
        found = segments.values
        if self._strips:
            found = tf.strings.regex_replace(found, f"^{self._space}|{self._space}$", "")
        plain = tokenize(tf.where(is_token, "", segments.values))
        count = tf.size(is_token)
        pool = tf.concat([self._ids.lookup(found), plain.values], axis=0)
        rows = take_ranges(
            pool,
            tf.where(is_token, tf.range(count), count + plain.row_splits[:-1]),
            tf.where(is_token, 1, plain.row_lengths()),
        )
        return merge_inner(rows, tf.cast(segments.row_splits, tf.int32))


def _check_known(token: AddedToken, origin: str) -> None:
    if token.single_word or token.normalized:
        setting = "single_word" if token.single_word else "normalized"
        raise UnknownComponentError(
            f"{origin}: the added token {token.content!r} has {setting}=true, which cannot be compiled exactly yet. "
            f"Expected false. Please report the checkpoint, or set it to false if training did not rely on it."
        )


def _escaped(content: str) -> str:
    return re.sub(r"([^\w\s])", r"\\\1", content, flags=re.ASCII)
