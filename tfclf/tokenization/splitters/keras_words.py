r"""KerasHub's words for WordPiece: `pretokenize` of its WordPieceTokenizer, as inside `tf.data`.

Differences from BERT's splitter:
- Format characters (zero-width marks, soft hyphens) separate words instead of vanishing.
- Only ASCII's white space counts.
- `lowercase` is NFKC_Casefold of each word after the split, by TF-Text's ICU. It also turns ﬁ to
  fi and ½ to 1⁄2 within the word.
Source: KerasHub 0.32, keras_hub/src/tokenizers/word_piece_tokenizer.py.
"""

import functools

import tensorflow as tf
import tensorflow_text as tf_text

from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import KerasWords, UntilNul
from tfclf.tokenization.utf8 import change_where, is_ascii

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


class NulCutter(tf.Module):
    r"""string[n] -> string[n], each up to its first NUL.

    TF-Text's RegexSplit, which KerasHub uses, reads C strings.

    >>> NulCutter(UntilNul())(tf.constant([b"a\0b", b"c"])).numpy().tolist()
    [b'a', b'c']
    """

    def __init__(self, _: UntilNul) -> None:
        super().__init__()

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_replace(text, r"(?s)\x00.*", "")


class Words(tf.Module):
    r"""string[n] -> string[n, (words)].

    >>> words = Words(KerasWords(lowercase=True, strip_accents=True))
    >>> words(tf.constant(["Caf\u00e9\u00adBar, OK"])).to_list()
    [[b'cafe', b'bar', b',', b'ok']]
    """

    def __init__(self, spec: KerasWords) -> None:
        super().__init__()
        self._lowercase = spec.lowercase
        self._marks = character_class(find_matching(_MARKS)) if spec.strip_accents else ""
        self._space = character_class(find_matching(_SPACE))
        self._alone = character_class(
            find_matching(_PUNCTUATION).union(_CJK if spec.split_on_cjk else ())
        )
        self._cjk = character_class(_CJK) if spec.split_on_cjk else ""

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._marks:
            text = change_where(~is_ascii(text), text, self._strip_marks)
        text = tf.strings.regex_replace(text, self._space, " ")
        words = tf.strings.split(tf.strings.regex_replace(text, self._alone, r" \0 "))
        return words.with_values(self._fold_case(words.values)) if self._lowercase else words

    def _strip_marks(self, text: tf.Tensor) -> tf.Tensor:
        # In the reference's order: it separates a Chinese character from its neighbours first, even
        # if the character has a mark.
        if self._cjk:
            text = tf.strings.regex_replace(text, self._cjk, r" \0 ")
        return tf.strings.regex_replace(tf_text.normalize_utf8(text, "NFD"), self._marks, "")

    def _fold_case(self, words: tf.Tensor) -> tf.Tensor:
        return change_where(
            ~is_ascii(words), tf.strings.lower(words), lambda rows: tf_text.case_fold_utf8(rows)
        )


@functools.cache
def find_matching(pattern: str) -> frozenset[int]:
    r"""Return the characters that this machine's RE2 matches.

    A class of them makes an export independent of the Unicode tables of a server's RE2.

    >>> sorted(find_matching(r"[a\p{Zl}]"))
    [97, 8232]
    """
    points = [*range(0xD800), *range(0xE000, 0x110000)]
    matches = tf.strings.regex_full_match([chr(point) for point in points], pattern).numpy()
    return frozenset(point for point, matched in zip(points, matches, strict=True) if matched)
