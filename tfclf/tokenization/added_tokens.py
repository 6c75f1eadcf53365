r"""Added tokens: strings that are one token wherever they stand.

They are matched first, longest match first; the text between them is tokenized by itself. A row
is split into segments by fences, and within it every second segment is an added token:

>>> tokens = AddedTokens([AddedToken("<x>", 90), AddedToken("<xy>", 91, left_strip=True)])
>>> def lengths(text):  # stands for a tokenizer: one token per word, the word's length
...     words = tf.strings.split(text).with_row_splits_dtype(tf.int32)
...     return words.with_values(tf.strings.length(words.values))
>>> tokens(tf.constant(["a <x> bcd", "a <xy>", "efgh"]), lengths).to_list()
[[1, 90, 3], [1, 91], [4]]
>>> segments, is_token, places = tokens._split_segments(tf.constant([b"a \xff<x>\xff bcd"]))
>>> segments.to_list(), is_token.numpy().tolist(), places.numpy().tolist()
([[b'a ', b'<x>', b' bcd']], [False, True, False], [2, 1, 2])

Source: tokenizers 0.22, `AddedVocabulary::find_matches`.
"""

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.patterns import character_class, literal
from tfclf.tokenization.ragged import merge_inner, take_ranges
from tfclf.tokenization.spec import AddedToken
from tfclf.tokenization.white_space import WHITE_SPACE

# No byte of valid UTF-8, so no text can forge it.
_FENCE = b"\xff"

Tokenize = Callable[[tf.Tensor], tf.RaggedTensor]


class AddedTokens(tf.Module):
    """Matches added tokens in string[n] and leaves the rest to `tokenize`: int32[n, (tokens)].

    Args:
      added: at least one; none is empty.
    """

    def __init__(self, added: Sequence[AddedToken]) -> None:
        super().__init__()
        # RE2 takes the first alternative that matches; the reference takes the longest.
        tokens = sorted(added, key=lambda token: -len(token.content))
        self._pattern = "|".join(literal(token.content) for token in tokens)
        places = {token.content: place for place, token in enumerate(tokens)}
        self._place = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                list(places), list(places.values()), tf.string, tf.int32
            ),
            default_value=len(tokens),
        )
        # One more entry, for text that is no added token.
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
            lambda: self._tokenize_between(fenced, tokenize),
        )

    def _tokenize_between(self, fenced: tf.Tensor, tokenize: Tokenize) -> tf.RaggedTensor:
        if self._single_word is not None:
            fenced = self._remove_fences_in_words(fenced, self._single_word)
        segments, is_token, places = self._split_segments(fenced)
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
        # The pool holds one id per segment, then the tokens of all texts. An added token is a
        # range of one in the first part, a text is a range in the second.
        count = tf.size(is_token)
        pool = tf.concat([tf.gather(self._ids, places), plain.values], axis=0)
        rows = take_ranges(
            pool,
            tf.where(is_token, tf.range(count), count + plain.row_splits[:-1]),
            tf.where(is_token, 1, plain.row_lengths()),
        )
        return merge_inner(rows, tf.cast(segments.row_splits, tf.int32))

    def _split_segments(self, fenced: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor, tf.Tensor]:
        """Split string[n] at its fences.

        Returns: string[n, (segments)]; for all segments of all rows, in order: bool[segments],
          whether each is a token, and int32[segments], its index among the added tokens.
        """
        # text, token, text, token, ..., text: within a row every second segment is a token.
        segments = tf.strings.split(fenced, _FENCE)
        is_token = tf.ragged.range(segments.row_lengths()).values % 2 == 1
        places = tf.where(is_token, self._place.lookup(segments.values), tf.size(self._ids) - 1)
        return segments, is_token, places

    def _remove_fences_in_words(self, fenced: tf.Tensor, single_word: tf.Tensor) -> tf.Tensor:
        r"""Remove the fences around `single_word` tokens that touch a word character.

        >>> tokens = AddedTokens([AddedToken("e1", 90, single_word=True)])
        >>> fenced = tf.constant([b"a \xffe1\xff.", b"th\xffe1\xff"])
        >>> tokens._remove_fences_in_words(fenced, tokens._single_word).numpy().tolist()
        [b'a \xffe1\xff.', b'the1']
        """
        segments, is_token, places = self._split_segments(fenced)
        text = segments.values
        starts_word = tf.strings.regex_full_match(text, f"(?s){self._word}.*")
        ends_word = tf.strings.regex_full_match(text, f"(?s).*{self._word}")
        # Adjacent tokens have an empty text between: each is then the other's neighbour.
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
    """Return bool[tokens + 1], False for the entry of plain text; None if no token has the flag."""
    flags = [*values, False]
    return tf.constant(flags) if any(flags) else None
