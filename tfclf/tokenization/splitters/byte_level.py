r"""GPT-2's splitter, its pattern rewritten for RE2.

The reference splits by

    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

RE2, too, takes the first alternative that matches. But it has no lookahead, and it has Unicode
tables of its own. So the last white space before a word is separated first, and the classes are
what the reference says of each code point.

>>> ByteLevelSplitter(ByteLevel())(tf.constant(["It's 3  days!"])).to_list()
[[b'It', b"'s", b' 3', b' ', b' days', b'!']]
"""

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.ragged import map_halves
from tfclf.tokenization.spec import ByteLevel

# No byte of valid UTF-8: no text holds it and no RE2 class matches it, so a word ends there.
_FENCE = b"\xff"


class ByteLevelSplitter(tf.Module):
    """string[n] of valid UTF-8 -> string[n, (words)] of raw bytes, which add up to the text."""

    def __init__(self, spec: ByteLevel) -> None:
        super().__init__()
        letters, numbers, space, others = code_points.byte_level_classes()
        self._add_prefix_space = spec.add_prefix_space
        self._use_regex = spec.use_regex
        blank = character_class(space)
        # Captures take RE2 out of its DFA, but only at a match, and runs of white space are rare.
        self._last_of_run = f"({blank})({blank}{character_class([*letters, *numbers, *others])})"
        words = (f" ?{character_class(points)}+" for points in (letters, numbers, others))
        self._word = "|".join(["'(?:s|t|re|ve|m|ll|d)", *words, f"{blank}+"])

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._add_prefix_space:
            spaced = tf.equal(tf.strings.substr(text, 0, 1), " ") | tf.equal(text, "")
            text = tf.where(spaced, text, tf.strings.join([" ", text]))
        return map_halves(text, self._split)

    def _split(self, text: tf.Tensor) -> tf.RaggedTensor:
        if self._use_regex:
            text = tf.strings.regex_replace(text, self._last_of_run, rb"\1" + _FENCE + rb"\2")
            text = tf.strings.regex_replace(text, self._word, rb"\0" + _FENCE)
        # The raw op returns each word's row. tf.strings.split would turn those into row splits,
        # which change below.
        words = tf.raw_ops.StringSplitV2(input=text, sep=_FENCE)
        # A fence at a row's end, or beside another one, separates nothing.
        kept = tf.where(tf.strings.length(words.values) > 0)[:, 0]
        rows = tf.gather(words.indices[:, 0], kept)
        splits = tf.searchsorted(rows, tf.range(tf.size(text, tf.int64) + 1), out_type=tf.int32)
        return tf.RaggedTensor.from_row_splits(
            tf.gather(words.values, kept), splits, validate=False
        )
