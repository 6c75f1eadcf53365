r"""KerasHub's words for byte-level BPE: `split_strings_for_bpe` of its BytePairTokenizer.

It is an imitation of GPT-2's splitter without lookahead, as it runs inside `tf.data`: it puts a
mark, the digit ६, where a word's space begins, and takes it out again at the end. This module
repeats it to the letter, the mark included, because texts hold that digit too, and KerasHub drops
it there. Another difference from GPT-2: of the white space beyond ASCII it knows only four.
Source: KerasHub 0.32, keras_hub/src/tokenizers/byte_pair_tokenizer.py.
"""

import tensorflow as tf

from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.ragged import merge_inner
from tfclf.tokenization.spec import KerasByteWords
from tfclf.tokenization.splitters.keras_words import find_matching

# No byte of valid UTF-8: no pattern matches it, and no text can forge it.
_FENCE = b"\xff"
_FENCED = _FENCE + rb"\0" + _FENCE
_MARK = "\u0966"
_SPACES = "\u00a0\u2009\u202f\u3000"


class ByteWords(tf.Module):
    r"""string[n] -> string[n, (words)].

    >>> ByteWords(KerasByteWords())(tf.constant(["It's 3  days!"])).to_list()
    [[b'It', b"'s", b' 3', b' ', b' days', b'!']]
    """

    def __init__(self, _: KerasByteWords) -> None:
        super().__init__()
        letters, digits = _class_body(r"\p{L}"), _class_body(r"\p{N}")
        self._words = (
            rf"'s|'t|'re|'ve|'m|'ll|'d|[\s{_SPACES}]+[\n\r\t\f{_MARK}{_SPACES}]"
            rf"| ?[{letters}]+| ?[{digits}]+| ?[^\s{letters}{digits}{_SPACES}]+"
        )

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, rf" [^\s{_SPACES}]", rf"{_MARK}\0")
        text = tf.strings.regex_replace(text, rf"\s{_SPACES}$", rf"\0{_MARK}")
        words = tf.strings.split(tf.strings.regex_replace(text, self._words, _FENCED), _FENCE)
        # The last of several spaces belongs to the word after it.
        last = tf.strings.regex_replace(words.values, rf"[ \t\r\f\v{_MARK}{_SPACES}]$", _FENCED)
        words = merge_inner(tf.strings.split(last, _FENCE), words.row_splits)
        return tf.ragged.boolean_mask(words, (words != "") & (words != _MARK))


def _class_body(pattern: str) -> str:
    """Return the inside of a class of all characters that match, to be part of another class."""
    return character_class(find_matching(pattern))[1:-1]
