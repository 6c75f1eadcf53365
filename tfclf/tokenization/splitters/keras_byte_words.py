r"""KerasHub's words for byte-level BPE: `split_strings_for_bpe` of its BytePairTokenizer, as it runs inside `tf.data`.

An imitation of GPT-2's splitter without lookahead: a mark, the digit ६, is put where a word's space begins, and taken
out again at the end. It is repeated here to the letter, the mark included, because texts hold that digit too: there
KerasHub drops it. Differs from GPT-2 besides in white space beyond ASCII, of which it knows four.
Source: KerasHub 0.32, keras_hub/src/tokenizers/byte_pair_tokenizer.py.
"""

import tensorflow as tf

from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.ragged import merge_inner
from tfclf.tokenization.spec import KerasByteWords
from tfclf.tokenization.splitters.keras_words import matching

# No byte of valid UTF-8: no pattern matches it, and no text can forge it.
_FENCE = b"\xff"
_FENCED = _FENCE + rb"\0" + _FENCE
_MARK = "\u0966"
_SPACES = "\u00a0\u2009\u202f\u3000"


class ByteWords(tf.Module):
    """string[n] -> string[n, (words)]."""

    def __init__(self, _: KerasByteWords) -> None:
        super().__init__()
        letters, digits = _inside(r"\p{L}"), _inside(r"\p{N}")
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


def _inside(pattern: str) -> str:
    return character_class(matching(pattern))[1:-1]
