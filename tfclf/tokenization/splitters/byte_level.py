r"""GPT-2's splitter, its pattern written for RE2.

The reference splits by 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+. RE2 takes the first
alternative that matches as well, but it has no lookahead, and Unicode tables of its own: the last white space before a
word is set apart first, and the classes are what the reference says of each code point.
"""

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.ragged import in_parts
from tfclf.tokenization.spec import ByteLevel

# No byte of valid UTF-8, so that no text holds it and no class of RE2's matches it: a word ends there.
_FENCE = b"\xff"


class ByteLevelSplitter(tf.Module):
    """string[n] of valid UTF-8 -> string[n, (words)] of raw bytes, which add up to the row's text."""

    def __init__(self, spec: ByteLevel) -> None:
        super().__init__()
        letters, numbers, space, others = code_points.byte_level_classes()
        self._add_prefix_space = spec.add_prefix_space
        self._use_regex = spec.use_regex
        blank = character_class(space)
        # Captures take RE2 out of its DFA, but only where there is a match, and runs of white space are rare.
        self._last_of_run = f"({blank})({blank}{character_class([*letters, *numbers, *others])})"
        words = (f" ?{character_class(points)}+" for points in (letters, numbers, others))
        self._word = "|".join(["'(?:s|t|re|ve|m|ll|d)", *words, f"{blank}+"])

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._add_prefix_space:
            spaced = tf.equal(tf.strings.substr(text, 0, 1), " ") | tf.equal(text, "")
            text = tf.where(spaced, text, tf.strings.join([" ", text]))
        return in_parts(text, self._fenced)

    def _fenced(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._use_regex:
            text = tf.strings.regex_replace(text, self._last_of_run, rb"\1" + _FENCE + rb"\2")
            text = tf.strings.regex_replace(text, self._word, rb"\0" + _FENCE)
        # The op itself gives each word's row; tf.strings.split would turn that into row splits, which change below.
        words = tf.raw_ops.StringSplitV2(input=text, sep=_FENCE)
        # A fence at a row's end, or beside another, parts nothing.
        kept = tf.where(tf.strings.length(words.values) > 0)[:, 0]
        rows = tf.gather(words.indices[:, 0], kept)
        splits = tf.searchsorted(rows, tf.range(tf.size(text, tf.int64) + 1), out_type=tf.int32)
        return tf.RaggedTensor.from_row_splits(
            tf.gather(words.values, kept), splits, validate=False
        )
