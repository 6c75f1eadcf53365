r"""KerasHub's words for WordPiece: `pretokenize` of its WordPieceTokenizer, as it runs inside `tf.data`.

Differs from BERT's splitter: format characters (zero-width marks, soft hyphens) part words instead of vanishing, only
ASCII's white space counts, and `lowercase` is NFKC_Casefold of each word after the split, by TF-Text's ICU, so that
it also turns ﬁ to fi and ½ to 1⁄2 within the word.
Source: KerasHub 0.32, keras_hub/src/tokenizers/word_piece_tokenizer.py.
"""

import functools

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import KerasWords, UntilNul
from tfclf.tokenization.utf8 import is_ascii, only_where

_SPACE = r"[\s\p{Cc}\p{Cf}]"
_PUNCTUATION = r"[!-/:-@\[-`{-~\p{P}]"
_MARKS = r"\p{Mn}"
_CJK = [
    *range(0x4E00, 0xA000),
    *range(0x3400, 0x4DC0),
    *range(0x20000, 0x2A6E0),
    *range(0x2A700, 0x2B740),
    *range(0x2B740, 0x2B820),
    *range(0x2B820, 0x2CEB0),
    *range(0xF900, 0xFB00),
    *range(0x2F800, 0x2FA20),
]


class Cut(tf.Module):
    """string[n] -> string[n], each up to its first NUL: TF-Text's RegexSplit, behind KerasHub, reads C strings."""

    def __init__(self, _: UntilNul) -> None:
        super().__init__()

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_replace(text, r"(?s)\x00.*", "")


class Words(tf.Module):
    """string[n] -> string[n, (words)]."""

    def __init__(self, spec: KerasWords) -> None:
        super().__init__()
        self._lowercase = spec.lowercase
        self._marks = character_class(matching(_MARKS)) if spec.strip_accents else ""
        self._space = character_class(matching(_SPACE))
        self._alone = character_class(
            matching(_PUNCTUATION).union(_CJK if spec.split_on_cjk else ())
        )
        self._cjk = character_class(_CJK) if spec.split_on_cjk else ""

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._marks:
            text = only_where(~is_ascii(text), text, self._without_marks)
        text = tf.strings.regex_replace(text, self._space, " ")
        words = tf.strings.split(tf.strings.regex_replace(text, self._alone, r" \0 "))
        return words.with_values(self._folded(words.values)) if self._lowercase else words

    def _without_marks(self, text: tf.Tensor) -> tf.Tensor:
        # The order of the reference: a mark on a Chinese character does not keep it in a word with its neighbours.
        if self._cjk:
            text = tf.strings.regex_replace(text, self._cjk, r" \0 ")
        return tf.strings.regex_replace(tf_text.normalize_utf8(text, "NFD"), self._marks, "")

    def _folded(self, words: tf.Tensor) -> tf.Tensor:
        return only_where(
            ~is_ascii(words), tf.strings.lower(words), lambda rows: tf_text.case_fold_utf8(rows)
        )


@functools.cache
def matching(pattern: str) -> frozenset[int]:
    """The characters that RE2 finds here and now: a class of them leaves a server's Unicode tables no say."""
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    found = tf.strings.regex_full_match([chr(point) for point in points], pattern).numpy()
    return frozenset(point for point, matches in zip(points, found, strict=True) if matches)
