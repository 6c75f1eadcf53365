"""A spec becomes TensorFlow ops."""

from collections.abc import Sequence
from dataclasses import replace

import tensorflow as tf

from tfclf.errors import UnknownComponentError
from tfclf.tokenization import code_points
from tfclf.tokenization.normalize import Normalizer
from tfclf.tokenization.ragged import merge_inner, take_ranges
from tfclf.tokenization.spec import AddedToken, TokenizerSpec
from tfclf.tokenization.split import Splitter
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
        raw = [token for token in spec.added_tokens if not token.normalized]
        normalized = [
            # What the reference looks for in normalized text is the content, normalized too.
            replace(token, content=code_points.reference_normalizer(spec.normalizer).normalize_str(token.content))
            for token in spec.added_tokens
            if token.normalized
        ]
        self._in_raw = _added_tokens(raw, spec.origin)
        self._in_normalized = _added_tokens(normalized, spec.origin)

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        with tf.device("/CPU:0"):
            text = valid_utf8(text)
            return self._in_raw(text, self._between) if self._in_raw else self._between(text)

    def _between(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = self._normalize(text)
        return self._in_normalized(text, self._words) if self._in_normalized else self._words(text)

    def _words(self, text: tf.Tensor) -> tf.RaggedTensor:
        words = self._split(text)
        return merge_inner(self._model(words.values), words.row_splits)


class _AddedTokens(tf.Module):
    """Added tokens are found first, the longest of them; what lies between is tokenized by itself."""

    def __init__(self, added: Sequence[AddedToken], origin: str) -> None:
        super().__init__()
        for token in added:
            _check_known(token, origin)
        # RE2 takes the first alternative that matches; the reference the longest. `left_strip` and `right_strip`
        # would only take white space that the splitter drops anyway.
        tokens = sorted(added, key=lambda token: -len(token.content))
        self._pattern = "|".join(_escaped(token.content) for token in tokens)
        ids = {token.content: token.id for token in tokens}
        self._ids = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(list(ids), list(ids.values()), tf.string, tf.int32),
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
        plain = tokenize(tf.where(is_token, "", segments.values))
        count = tf.size(is_token)
        pool = tf.concat([self._ids.lookup(segments.values), plain.values], axis=0)
        rows = take_ranges(
            pool,
            tf.where(is_token, tf.range(count), count + plain.row_splits[:-1]),
            tf.where(is_token, 1, plain.row_lengths()),
        )
        return merge_inner(rows, tf.cast(segments.row_splits, tf.int32))


def _added_tokens(added: Sequence[AddedToken], origin: str) -> _AddedTokens | None:
    """None where there is nothing to find; the reference never finds an empty token either."""
    found = [token for token in added if token.content]
    return _AddedTokens(found, origin) if found else None


def _check_known(token: AddedToken, origin: str) -> None:
    if token.single_word:
        raise UnknownComponentError(
            f"{origin}: the added token {token.content!r} has single_word=true, which cannot be compiled exactly yet. "
            f"Expected false. Please report the checkpoint, or set it to false if training did not rely on it."
        )


def _escaped(content: str) -> str:
    return "".join(f"\\x{{{ord(character):x}}}" for character in content)
