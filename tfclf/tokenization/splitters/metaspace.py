"""SentencePiece's words: a mark at a word's start stands for the space before it.

>>> words = MarkedWords(Metaspace(mark="_"))
>>> words(tf.constant(["Peace talks", "a  b "])).to_list()
[[b'_Peace', b'_talks'], [b'', b'_a', b'_', b'_b', b'_']]
>>> words = MarkedWords(Metaspace(mark="_", at_white_space=True))
>>> words(tf.constant(["Peace talks", "a  b "])).to_list()
[[b'_Peace', b'_talks'], [b'_a', b'_b']]

Source: tokenizers 0.22, `pre_tokenizers/metaspace.rs`.
"""

import tensorflow as tf

from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.ragged import map_halves
from tfclf.tokenization.spec import Metaspace
from tfclf.tokenization.white_space import ASCII_WHITE_SPACE, OTHER_WHITE_SPACE

# Separates words. No byte of valid UTF-8, so no text can forge it.
FENCE = b"\xff"


class MarkedWords(tf.Module):
    """string[n] -> string[n, (words)]; empty words stand for nothing."""

    def __init__(self, spec: Metaspace) -> None:
        super().__init__()
        self._mark, self._prefix, self._at_white_space = spec.mark, spec.prefix, spec.at_white_space
        # Without any of these, the words are what lies between spaces, and each gets a mark.
        special = spec.mark if spec.at_white_space else r"  |[\t-\r]| \z"
        self._special = f"(?s).*(?:{special}).*"

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        return map_halves(text, self._split)

    def _split(self, text: tf.Tensor) -> tf.RaggedTensor:
        split = self._split_at_white_space if self._at_white_space else self._split_at_spaces
        # Rare characters that mean the same as a space.
        text = tf.strings.regex_replace(
            text, OTHER_WHITE_SPACE if self._at_white_space else self._mark, " "
        )
        if not self._prefix:
            return split(text)
        # Without a separator, tf.strings.split splits at runs of ASCII white space, several times
        # as fast as the patterns do.
        return tf.cond(
            tf.reduce_any(tf.strings.regex_full_match(text, self._special)),
            lambda: split(text),
            lambda: self._mark_words(tf.strings.split(text)),
        )

    def _mark_words(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        return words.with_values(tf.strings.join([self._mark, words.values]))

    def _split_at_white_space(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, rf"{ASCII_WHITE_SPACE}+\z", "")
        # A space and the mark after it are one mark: a word that begins with one gets no other.
        text = tf.strings.regex_replace(
            text, f"{ASCII_WHITE_SPACE}+{self._mark}?|{self._mark}", f" {self._mark}"
        )
        if self._prefix:
            text = tf.strings.regex_replace(text, r"\A[^ ]", rf" {self._mark}\0")
        return tf.strings.split(text)

    def _split_at_spaces(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, " ", FENCE + self._mark.encode())
        if self._prefix:
            # Matches no text that begins with a fence, which is no character to RE2.
            text = tf.strings.regex_replace(text, r"(?s)\A.", FENCE + self._mark.encode() + rb"\0")
        return tf.strings.split(text, FENCE)


def any_of(characters: str) -> str:
    r"""Return an RE2 class of these characters.

    >>> print(any_of("ab,"))
    [\x{2c}-\x{2c}\x{61}-\x{62}]
    """
    return character_class([ord(character) for character in characters])
