"""SentencePiece's words: each begins with a mark where a space was.

Source: tokenizers 0.22, `pre_tokenizers/metaspace.rs`.
"""

import tensorflow as tf

from tfclf.tokenization.spec import Metaspace
from tfclf.tokenization.split import character_class
from tfclf.tokenization.white_space import WHITE_SPACE

# No byte of valid UTF-8, so that no text can forge it.
_FENCE = b"\xff"


class MarkedWords(tf.Module):
    """string[n] -> string[n, (words)]. The first of each row is empty, which stands for no token."""

    def __init__(self, spec: Metaspace) -> None:
        super().__init__()
        self._spec = spec
        mark = _any_of(spec.mark)
        self._mark = mark
        self._uncut = f"{mark}?{_other_than(spec.mark)}+|{mark}"
        self._cut = ""
        if spec.apart:
            run = f"(?:{_any_of(spec.apart)}+|{_other_than(spec.mark + spec.apart + spec.neutral)}+)"
            end = f"(?:(?:{run}?{_any_of(spec.neutral)}+)+{run}?|{run})" if spec.neutral else run
            self._cut = f"{mark}?{end}|{mark}"
        self._together = "|".join("".join(f"\\x{{{ord(c):x}}}" for c in piece) for piece in spec.together)

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._spec.at_white_space:
            # The space and the mark behind it are one mark, because a word that begins with one gets no other.
            text = tf.strings.regex_replace(text, rf"{WHITE_SPACE}+\z", "")
            text = tf.strings.regex_replace(text, rf"{WHITE_SPACE}+{self._mark}?", self._spec.mark)
        else:
            text = tf.strings.regex_replace(text, " ", self._spec.mark)
        if self._spec.prefix:
            text = tf.strings.regex_replace(text, rf"\A{_other_than(self._spec.mark)}", rf"{self._spec.mark}\0")
        return tf.strings.split(self._fenced(text), _FENCE)

    def _fenced(self, text: tf.Tensor) -> tf.Tensor:
        rewrite = _FENCE + rb"\0"
        if not self._cut:
            return tf.strings.regex_replace(text, self._uncut, rewrite)
        cut = tf.strings.regex_replace(text, self._cut, rewrite)
        if not self._together:
            return cut
        whole = tf.strings.regex_full_match(text, f"(?s).*(?:{self._together}).*")
        return tf.cond(
            tf.reduce_any(whole),
            lambda: tf.where(whole, tf.strings.regex_replace(text, self._uncut, rewrite), cut),
            lambda: cut,
        )


def _any_of(characters: str) -> str:
    return character_class([ord(character) for character in characters])


def _other_than(characters: str) -> str:
    return "[^" + _any_of(characters)[1:]
