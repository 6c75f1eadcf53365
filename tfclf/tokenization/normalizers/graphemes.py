r"""Grapheme cluster boundaries, as the reference draws them.

The reference's own tables (its crate unicode-segmentation) tell which characters join others. They
are asked through a charsmap that replaces whatever it looks up: two characters that come back as
one were one cluster.

>>> text = "\0e\u0301a\r\n"
>>> joins(flag_table()(tf.constant([*map(ord, text)]))).numpy().tolist()
[False, False, True, False, False, True]

Source: Unicode Standard Annex 29; tokenizers 0.22, `normalizers/precompiled.rs`.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf._transformers import tokenizers
from tfclf.tokenization.code_point_table import CodePointTable
from tfclf.tokenization.normalizers import charsmap

# Properties of a character, as flags. Regional indicators need none: they join only each other, and
# with 4 bytes each, such a cluster is never looked up.
(
    JOINS_LEFT,
    PREPEND,
    CONTROL,
    CARRIAGE_RETURN,
    LINE_FEED,
    PICTOGRAPH,
    EXTEND,
    JOINER,
    CONSONANT,
    LINKER,
    CONJUNCT,
) = (1 << bit for bit in range(11))
_L, _V, _T, _LV, _LVT = (1 << bit for bit in range(11, 16))
# Hangul, as (left, right) that join; the ranges are unchanged since Unicode 5.2.
_HANGUL = ((_L, _L | _V | _LV | _LVT), (_LV | _V, _V | _T), (_LVT | _T, _T))
_JAMO = (
    (_L, (range(0x1100, 0x1160), range(0xA960, 0xA97D))),
    (_V, (range(0x1160, 0x11A8), range(0xD7B0, 0xD7C7))),
    (_T, (range(0x11A8, 0x1200), range(0xD7CB, 0xD7FC))),
    (_LV, (range(0xAC00, 0xD7A4, 28),)),
)
_ZWJ = 0x200D
_FENCE = "\n"
_ANSWER = "X"
# A mark of two bytes that joins left. It makes the cluster before it too long to be looked up, or
# is looked up together with it.
_MARK = "\u0300"
_KA, _VIRAMA, _COPYRIGHT = "\u0915", "\u094d", "\u00a9"


def joins(flags: tf.Tensor) -> tf.Tensor:
    """Return bool[n]: whether each character belongs to the cluster of the character before it.

    Args:
      flags: int32[n], texts one after the other; each must begin with a control character.
    """
    before = tf.concat([flags[:1], flags[:-1]], axis=0)

    def has(flags: tf.Tensor, flag: int) -> tf.Tensor:
        return tf.not_equal(tf.bitwise.bitwise_and(flags, flag), 0)

    joined = has(flags, JOINS_LEFT) & ~has(before, CONTROL)
    joined |= has(before, PREPEND) & ~has(flags, CONTROL)
    joined |= has(before, CARRIAGE_RETURN) & has(flags, LINE_FEED)
    for left, right in _HANGUL:
        joined |= has(before, left) & has(flags, right)

    # A pictograph joins another across marks and a joiner; a consonant joins another across marks
    # that include a linker.
    place = tf.range(tf.size(flags))
    # The last character that is no mark, before the joiner at place - 1.
    base = tf.gather(_last_where(~has(flags, EXTEND), place), tf.maximum(place - 2, 0))
    joined |= has(flags, PICTOGRAPH) & has(before, JOINER) & has(tf.gather(flags, base), PICTOGRAPH)
    linkers = tf.cumsum(tf.cast(has(flags, LINKER), tf.int32))
    base = tf.gather(_last_where(~has(flags, CONJUNCT), place), tf.maximum(place - 1, 0))
    linked = tf.gather(linkers, tf.maximum(place - 1, 0)) > tf.gather(linkers, base)
    return joined | (has(flags, CONSONANT) & linked & has(tf.gather(flags, base), CONSONANT))


def _last_where(condition: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Return int32[n]: the last place up to each that meets the condition; 0 before the first.

    >>> condition = tf.constant([False, True, False, False, True])
    >>> _last_where(condition, tf.range(5)).numpy().tolist()
    [0, 1, 1, 1, 4]
    """
    met = tf.concat([[0], tf.boolean_mask(place, condition)], axis=0)
    return tf.gather(met, tf.cumsum(tf.cast(condition, tf.int32)))


def flag_table() -> CodePointTable:
    """Return the table from code points to flags."""
    return CodePointTable(_flags())


@functools.cache
def joining_characters() -> tuple[int, ...]:
    """Return the characters that make clusters worth a lookup.

    Without them every cluster is a single character, CR LF, or too long to be looked up.
    """
    return tuple(np.flatnonzero(_flags() & (JOINS_LEFT | PREPEND)).tolist())


@functools.cache
def _flags() -> np.ndarray:
    planes = [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xF0000)]
    planes.remove(ord(_FENCE))
    planes.remove(ord("\r"))  # it would join the fence
    all_characters = [chr(point) for point in planes]
    flags = np.zeros(0x110000, np.int64)

    def ask(
        flag: int, before: str, after: str, length: int, characters: Sequence[str] = all_characters
    ) -> None:
        """Set a flag for each character whose text comes back with `length` characters.

        The text is the character between `before` and `after`. Each of its clusters comes back as
        one character if it is looked up, and with one for each of its own if it is too long.
        """
        lengths = _measure(characters, before, after)
        points = np.array([ord(character) for character in characters])
        flags[points[lengths == length]] |= flag

    ask(JOINS_LEFT, "a", "", 1)
    ask(PREPEND, "", "a", 1)
    # Two marks that join the character make a cluster of 6 bytes or more; otherwise they are a
    # cluster of their own.
    ask(CONTROL, "", _MARK * 2, 2)
    others = [character for character in all_characters if not flags[ord(character)]]
    ask(PICTOGRAPH, f"{_COPYRIGHT}{chr(_ZWJ)}", _MARK, 4, others)
    left = [chr(point) for point in np.flatnonzero(flags & JOINS_LEFT)]
    ask(EXTEND, _COPYRIGHT, f"{chr(_ZWJ)}{_COPYRIGHT}{_MARK}", 5, left)
    # A character of 4 bytes with a mark is too long to be looked up, joined or not.
    three_bytes = [character for character in others if len(character.encode()) == 3]
    ask(CONSONANT, f"{_KA}{_VIRAMA}", _MARK, 4, three_bytes)
    ask(LINKER, _KA, f"{_KA}{_MARK}", 4, left)
    ask(CONJUNCT, f"{_KA}{_VIRAMA}", f"{_KA}{_MARK}", 5, left)
    for flag, ranges in _JAMO:
        for points in ranges:
            flags[list(points)] |= flag
    flags[[point for point in range(0xAC00, 0xD7A4) if (point - 0xAC00) % 28]] |= _LVT
    flags[_ZWJ] |= JOINER
    # CR and LF are controls that join each other.
    flags[[0, 0x0A, 0x0D]] = CONTROL
    flags[0x0A] |= LINE_FEED
    flags[0x0D] |= CARRIAGE_RETURN
    return flags


@functools.cache
def _reference() -> Any:
    return tokenizers().normalizers.Precompiled(charsmap.map_every_character(_ANSWER, but=_FENCE))


def _measure(characters: Sequence[str], before: str, after: str) -> np.ndarray:
    """Return int[characters]: the length of each after the reference has normalized it."""
    text = _FENCE.join(f"{before}{character}{after}" for character in characters)
    return np.array([len(part) for part in _reference().normalize_str(text).split(_FENCE)])
