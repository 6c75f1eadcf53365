"""SentencePiece's words: each begins with a mark where a space was.

Source: tokenizers 0.22, `pre_tokenizers/metaspace.rs`.
"""

import tensorflow as tf

from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.ragged import in_parts
from tfclf.tokenization.spec import Metaspace
from tfclf.tokenization.white_space import ASCII_WHITE_SPACE, OTHER_WHITE_SPACE

# Parts what it stands between. No byte of valid UTF-8, so that no text can forge it.
FENCE = b"\xff"


class MarkedWords(tf.Module):
    """string[n] -> string[n, (words)]; empty words stand for nothing."""

    def __init__(self, spec: Metaspace) -> None:
        super().__init__()
        self._mark, self._prefix, self._at_white_space = spec.mark, spec.prefix, spec.at_white_space
        # Where there is none of that, the words lie between spaces, and each gets a mark.
        special = spec.mark if spec.at_white_space else r"  |[\t-\r]| \z"
        self._special = f"(?s).*(?:{special}).*"

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        return in_parts(text, self._words)

    def _words(self, text: tf.Tensor) -> tf.RaggedTensor:
        # tf.strings.split parts at runs of ASCII's white space, several times as fast as a pattern.
        by_patterns = (
            self._at_white_space_by_patterns
            if self._at_white_space
            else self._at_spaces_by_patterns
        )
        # Rare characters that mean the same as a space.
        text = tf.strings.regex_replace(
            text, OTHER_WHITE_SPACE if self._at_white_space else self._mark, " "
        )
        if not self._prefix:
            return by_patterns(text)
        return tf.cond(
            tf.reduce_any(tf.strings.regex_full_match(text, self._special)),
            lambda: by_patterns(text),
            lambda: self._each_marked(tf.strings.split(text)),
        )

    def _each_marked(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        return words.with_values(tf.strings.join([self._mark, words.values]))

    def _at_white_space_by_patterns(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, rf"{ASCII_WHITE_SPACE}+\z", "")
        # The space and the mark behind it are one mark, because a word that begins with one gets no other.
        text = tf.strings.regex_replace(
            text, f"{ASCII_WHITE_SPACE}+{self._mark}?|{self._mark}", f" {self._mark}"
        )
        if self._prefix:
            text = tf.strings.regex_replace(text, r"\A[^ ]", rf" {self._mark}\0")
        return tf.strings.split(text)

    def _at_spaces_by_patterns(self, text: tf.Tensor) -> tf.RaggedTensor:
        text = tf.strings.regex_replace(text, " ", FENCE + self._mark.encode())
        if self._prefix:
            # The fence is no character.
            text = tf.strings.regex_replace(text, r"(?s)\A.", FENCE + self._mark.encode() + rb"\0")
        return tf.strings.split(text, FENCE)


def any_of(characters: str) -> str:
    """An RE2 class of these characters."""
    return character_class([ord(character) for character in characters])
