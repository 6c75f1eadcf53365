r"""Words of a text with their offsets, as TensorFlow ops.

- Letters, digits and marks form a word. Apostrophes, hyphens and underscores inside a word belong
  to it, and so does a point or comma before a digit: `don't`, `peace-talks`, `1,000.5`.
- Scripts without spaces between words: each character with its marks is a word.
- `!!`, `?!` and `...` are one word each. Every other visible character is a word of its own,
  together with the marks, skin tones and joined emoji that follow it. A flag is one word, too.
- White space, control characters and format characters belong to no word, but for soft hyphens and
  joiners inside one.

>>> words = find_words(tf.constant(["Don't stop!! \u4eca\u65e5", ""]))
>>> [word.decode() for word in words.text.numpy()]
["Don't", 'stop', '!!', '今', '日']
>>> words.start.numpy().tolist(), words.end.numpy().tolist()
([0, 6, 10, 13, 14], [5, 10, 12, 14, 15])
"""

from typing import NamedTuple

import tensorflow as tf
from tensorflow_text.python.ops.regex_split_ops import gen_regex_split_ops

_EACH = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\x{30fc}\x{ff70}"
_HIDDEN = r"\s\p{Z}\p{Cc}\p{Cf}"
_LETTER = rf"[^\P{{L}}{_EACH}]"  # a letter, and of none of those scripts
_FIRST = rf"(?:{_LETTER}|\p{{N}})"
_NEXT = rf"(?:{_LETTER}|[\p{{N}}\p{{M}}\x{{ad}}\x{{200c}}\x{{200d}}])"
_SPACED = rf"{_FIRST}{_NEXT}*(?:(?:['\x{{2019}}\x{{2010}}\-_]{_FIRST}|[.,]\p{{N}}){_NEXT}*)*"
_UNSPACED = rf"[{_EACH}]\p{{M}}*"
_FLAG = r"[\x{1f1e6}-\x{1f1ff}]{2}"
_FOLLOWING = (
    r"[\p{M}\x{1f3fb}-\x{1f3ff}\x{e0020}-\x{e007f}]"
    rf"|\x{{200d}}[^{_HIDDEN}\p{{L}}\p{{N}}]"  # a joined emoji
)
_OTHER = rf"{_FLAG}|[!?]+|[.]+|[^{_HIDDEN}](?:{_FOLLOWING})*"
_WORD = rf"{_UNSPACED}|{_SPACED}|{_OTHER}"
_NO_WORD = rf"[{_HIDDEN}]*"
# These close a word on their left. A space is not left in front of them.
_CLOSING = r"""[,.;:!?)\]}"'\x{2019}\x{201d}\x{2026}]*"""


class Words(NamedTuple):
    """Words of several texts, [words] each, in the order of the texts.

    Attributes:
      row: int32, the text that each word is of.
      text: string.
      first_byte, last_byte: int32, the word's bytes: from the one to before the other.
      start, end: int32, the same in code points, as Python counts characters.
    """

    row: tf.Tensor
    text: tf.Tensor
    first_byte: tf.Tensor
    last_byte: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor


def find_words(text: tf.Tensor) -> Words:
    """Find the words of string[batch], which is valid UTF-8."""
    # TF-Text's RegexSplit reads C strings: it would stop at a NUL.
    text = tf.strings.regex_replace(text, r"\x00", " ")
    # Every piece of the text is there in order, words and what stands between them. The op itself:
    # its wrapper makes three RaggedTensors with checks, 200 nodes.
    pieces, first_byte, last_byte, splits = gen_regex_split_ops.regex_split_with_offsets(
        text, f"({_WORD})", f"({_WORD})"
    )
    row = tf.searchsorted(splits[1:], tf.range(tf.size(pieces, tf.int64)), side="right")
    length = tf.strings.length(pieces, unit="UTF8_CHAR")
    end = tf.cumsum(length)
    # The sum runs on from text to text: subtract what stands before each text.
    end -= tf.gather(tf.gather(tf.concat([[0], end], 0), splits), row)
    places = tf.where(~tf.strings.regex_full_match(pieces, _NO_WORD))[:, 0]
    row, text, first_byte, last_byte, start, end = (
        tf.gather(values, places)
        for values in (row, pieces, first_byte, last_byte, end - length, end)
    )
    return Words(
        row,
        text,
        tf.cast(first_byte, tf.int32),
        tf.cast(last_byte, tf.int32),
        start,
        end,
    )


def leave_out(text: tf.Tensor, first_byte: tf.Tensor, last_byte: tf.Tensor) -> tf.Tensor:
    r"""Leave the bytes from `first_byte` to before `last_byte` out of each of string[n].

    A space goes with the word, so that neither two spaces are left nor one at an edge: the space
    before it if white space, the end or a closing mark follows, else the one after a text's first
    word.

    >>> text = tf.constant(["one two three"] * 3 + ["so, (yes) ok, no"] * 2)
    >>> first, last = tf.constant([0, 4, 8, 5, 10]), tf.constant([3, 7, 13, 8, 12])
    >>> leave_out(text, first, last).numpy().tolist()
    [b'two three', b'one three', b'one two', b'so, () ok, no', b'so, (yes), no']
    """
    before = tf.strings.substr(text, tf.zeros_like(first_byte), first_byte)
    after = tf.strings.substr(text, last_byte, tf.strings.length(text))
    closes = tf.strings.regex_full_match(after, rf"(?s){_CLOSING}(?: .*)?")
    last = tf.strings.substr(before, tf.maximum(first_byte - 1, 0), tf.ones_like(first_byte))
    drops = tf.cast(closes & tf.equal(last, " "), tf.int32)
    before = tf.strings.substr(before, tf.zeros_like(first_byte), first_byte - drops)
    is_first = tf.equal(before, "")
    after = tf.where(is_first, tf.strings.regex_replace(after, "^ ", ""), after)
    return tf.strings.join([before, after])
