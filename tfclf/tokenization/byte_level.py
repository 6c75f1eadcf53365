r"""GPT-2's splitter, its pattern written for RE2.

The reference splits by 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+. RE2 takes the first
alternative that matches as well, but it has no lookahead, and Unicode tables of its own: the last white space before a
word is set apart first, and the classes are what the reference says of each code point.
"""

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.spec import ByteLevel
from tfclf.tokenization.split import character_class
from tfclf.tokenization.utf8 import only_where

# No byte of valid UTF-8, so that no text holds it and no class of RE2's matches it: a word ends there.
_FENCE = b"\xff"


class ByteLevelSplitter(tf.Module):
    """string[n] of valid UTF-8 -> string[n, (words)] of raw bytes, spaces included: a row's words add up to its text."""

    def __init__(self, spec: ByteLevel) -> None:
        super().__init__()
        letters, numbers, space, others = code_points.byte_level_classes()
        self._add_prefix_space = spec.add_prefix_space
        self._use_regex = spec.use_regex
        blank = character_class(space)
        solid = character_class([*letters, *numbers, *others])
        self._run_before_word = f"{blank}{blank}{solid}"
        # Captures take RE2 out of its DFA; only rows with runs of white space pay for them.
        self._last_of_run = f"({blank})({blank}{solid})"
        words = (f" ?{character_class(points)}+" for points in (letters, numbers, others))
        self._word = "|".join(["'(?:s|t|re|ve|m|ll|d)", *words, f"{blank}+"])

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._add_prefix_space:
            spaced = tf.equal(tf.strings.substr(text, 0, 1), " ") | tf.equal(text, "")
            text = tf.where(spaced, text, tf.strings.join([" ", text]))
        if self._use_regex:
            has_run = ~tf.equal(tf.strings.regex_replace(text, self._run_before_word, "", replace_global=False), text)
            text = only_where(
                has_run,
                text,
                lambda rows: tf.strings.regex_replace(rows, self._last_of_run, rb"\1" + _FENCE + rb"\2"),
            )
            text = tf.strings.regex_replace(text, self._word, rb"\0" + _FENCE)
        words = tf.strings.split(text, _FENCE)
        # A fence at a row's end, or beside another, parts nothing.
        return tf.ragged.boolean_mask(words, tf.not_equal(words, ""))
