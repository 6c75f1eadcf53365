"""Added tokens: strings that are one token wherever they stand.

They are found first, the longest of them; what lies between is tokenized by itself.
Source: tokenizers 0.22, `AddedVocabulary::find_matches`.
"""

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.patterns import character_class, literal
from tfclf.tokenization.ragged import merge_inner, take_ranges
from tfclf.tokenization.spec import AddedToken
from tfclf.tokenization.white_space import WHITE_SPACE

# No byte of valid UTF-8, so that no text can forge it.
_FENCE = b"\xff"

Tokenize = Callable[[tf.Tensor], tf.RaggedTensor]


class AddedTokens(tf.Module):
    """Finds them in string[n] and lets `tokenize` do the rest: int32[n, (tokens)].

    Args:
      added: at least one; none is empty.
    """

    def __init__(self, added: Sequence[AddedToken]) -> None:
        super().__init__()
        # RE2 takes the first alternative that matches; the reference the longest.
        tokens = sorted(added, key=lambda token: -len(token.content))
        self._pattern = "|".join(literal(token.content) for token in tokens)
        places = {token.content: place for place, token in enumerate(tokens)}
        self._place = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                list(places), list(places.values()), tf.string, tf.int32
            ),
            default_value=len(tokens),
        )
        # One entry more, for what is no added token.
        self._ids = tf.constant([*(token.id for token in tokens), -1])
        self._left_strip = _flags(token.left_strip for token in tokens)
        self._right_strip = _flags(token.right_strip for token in tokens)
        self._single_word = _flags(token.single_word for token in tokens)
        self._word = (
            character_class(code_points.word_characters()) if self._single_word is not None else ""
        )

    def __call__(self, text: tf.Tensor, tokenize: Tokenize) -> tf.RaggedTensor:
        fenced = tf.strings.regex_replace(text, self._pattern, _FENCE + rb"\0" + _FENCE)
        return tf.cond(
            tf.reduce_all(tf.equal(fenced, text)),
            lambda: tokenize(text),
            lambda: self._around(fenced, tokenize),
        )

    def _around(self, fenced: tf.Tensor, tokenize: Tokenize) -> tf.RaggedTensor:
        if self._single_word is not None:
            fenced = self._without_parts_of_words(fenced, self._single_word)
        segments, is_token, places = self._segments(fenced)
        texts = tf.where(is_token, "", segments.values)
        if self._left_strip is not None:
            beside = tf.concat([tf.gather(self._left_strip, places)[1:], [False]], 0)
            texts = tf.where(
                beside, tf.strings.regex_replace(texts, WHITE_SPACE + r"+\z", ""), texts
            )
        if self._right_strip is not None:
            beside = tf.concat([[False], tf.gather(self._right_strip, places)[:-1]], 0)
            texts = tf.where(
                beside, tf.strings.regex_replace(texts, r"\A" + WHITE_SPACE + "+", ""), texts
            )
        plain = tokenize(texts)
        count = tf.size(is_token)
        pool = tf.concat([tf.gather(self._ids, places), plain.values], axis=0)
        rows = take_ranges(
            pool,
            tf.where(is_token, tf.range(count), count + plain.row_splits[:-1]),
            tf.where(is_token, 1, plain.row_lengths()),
        )
        return merge_inner(rows, tf.cast(segments.row_splits, tf.int32))

    def _segments(self, fenced: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor, tf.Tensor]:
        """Segments of each row, which of them all are tokens, and each one's place among the added tokens."""
        # text, token, text, token, ..., text: within a row every second segment is a token.
        segments = tf.strings.split(fenced, _FENCE)
        is_token = tf.ragged.range(segments.row_lengths()).values % 2 == 1
        places = tf.where(is_token, self._place.lookup(segments.values), tf.size(self._ids) - 1)
        return segments, is_token, places

    def _without_parts_of_words(self, fenced: tf.Tensor, single_word: tf.Tensor) -> tf.Tensor:
        """Takes the fences from `single_word` tokens that have a word character beside them."""
        segments, is_token, places = self._segments(fenced)
        text = segments.values
        starts_word = tf.strings.regex_full_match(text, f"(?s){self._word}.*")
        ends_word = tf.strings.regex_full_match(text, f"(?s).*{self._word}")
        # Between two tokens may be nothing; what stands beside is then the other token.
        empty = tf.equal(text, "") & ~is_token
        first = tf.ragged.range(segments.row_lengths()).values == 0
        last = tf.concat([first[1:], [True]], 0)
        ends_word |= empty & ~first & tf.concat([[False], ends_word[:-1]], 0)
        starts_word |= empty & ~last & tf.concat([starts_word[1:], [False]], 0)
        beside = tf.concat([[False], ends_word[:-1]], 0) | tf.concat([starts_word[1:], [False]], 0)
        kept = is_token & ~(tf.gather(single_word, places) & beside)
        joined = tf.where(kept, tf.strings.join([_FENCE, text, _FENCE]), text)
        return tf.strings.reduce_join(segments.with_values(joined), axis=-1)


def _flags(values: Iterable[bool]) -> tf.Tensor | None:
    """None where no token has the flag."""
    found = [*values, False]
    return tf.constant(found) if any(found) else None
