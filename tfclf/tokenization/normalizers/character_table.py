"""Normalizers that take every character by itself, as a table over all code points.

For BERT's exact for every string but those in which two combining marks that survive accent stripping (181 do, most of
them because they are younger than the reference's Unicode tables) stand side by side out of canonical order:
the reference's NFD swaps them, a table cannot. docs/exactness.md says when that can reach token ids.
"""

import functools
import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.code_point_table import CodePointTable
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import BertNormalizer, EachCharacter
from tfclf.tokenization.utf8 import is_ascii, only_where

_LATIN_END = 0x180
_OFTEN_ACCENTED = frozenset("aceinosuACEINOSU")
_ITSELF = -1  # stands for the character itself in a replacement


class CharacterTable(tf.Module):
    """string[n] of valid UTF-8 -> string[n], each character by itself."""

    def __init__(self, step: BertNormalizer | EachCharacter) -> None:
        super().__init__()
        changes = code_points.normalized(step)
        table = _table(step)
        self._ascii_deleted = _byte_class([p for p in range(128) if changes.get(p) == ""])
        self._ascii_spaced = _byte_class([p for p in range(128) if changes.get(p) == " "])
        self._ascii_lower = changes.get(ord("A")) == "a"
        # Lower-casing leaves most rows beyond ASCII as they are; a look at them costs less than the table.
        self._concerned = f"(?s).*{table.changed}.*" if isinstance(step, EachCharacter) else ""
        self._accented = _accented_letters(changes) if self._concerned else {}
        self._entry = CodePointTable(table.entries)
        # Kept as a tensor: every function that tokenizes then shares one copy in the export.
        self._replacements = tf.RaggedTensor.from_row_splits(
            tf.constant(table.replacements, tf.int32),
            tf.constant(table.splits, tf.int32),
            validate=False,
        )

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        plain = is_ascii(text)
        text = self.on_ascii(text)
        if not self._concerned:
            return only_where(~plain, text, self._by_table)
        if self._accented:
            text = only_where(self._is_concerned(text), text, self._without_accents)
        return only_where(self._is_concerned(text), text, self._by_table)

    def on_ascii(self, text: tf.Tensor) -> tf.Tensor:
        """The same for rows of nothing but ASCII, in three ops at most."""
        if self._ascii_spaced:
            text = tf.strings.regex_replace(text, self._ascii_spaced, " ")
        if self._ascii_deleted:
            text = tf.strings.regex_replace(text, self._ascii_deleted, "")
        return tf.strings.lower(text) if self._ascii_lower else text

    def _is_concerned(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_full_match(text, self._concerned)

    def _without_accents(self, text: tf.Tensor) -> tf.Tensor:
        for letter, accented in self._accented.items():
            text = tf.strings.regex_replace(text, accented, letter)
        return text

    def _by_table(self, text: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(text, "UTF-8", errors="replace")
        replaced = tf.gather(self._replacements, self._entry(points.flat_values))
        source = tf.repeat(points.flat_values, replaced.row_lengths())
        values = tf.where(replaced.flat_values == _ITSELF, source, replaced.flat_values)
        splits = tf.gather(replaced.row_splits, points.row_splits)
        return tf.strings.unicode_encode(
            tf.RaggedTensor.from_row_splits(values, splits, validate=False), "UTF-8"
        )


def _accented_letters(changes: Mapping[int, str]) -> dict[str, str]:
    """ASCII letter that nothing changes -> a class of the European letters that become it.

    Most rows of French, Spanish or German need nothing else, and a few scans cost a third of the table.
    """
    found: dict[str, list[int]] = {}
    for point in range(0x80, _LATIN_END):
        letter = changes.get(point, "")
        if (
            len(letter) == 1
            and letter.isascii()
            and letter.isalpha()
            and ord(letter) not in changes
        ):
            found.setdefault(letter, []).append(point)
    return {
        letter: character_class(points)
        for letter, points in found.items()
        if letter in _OFTEN_ACCENTED
    }


def _byte_class(points: list[int]) -> str:
    return "[" + "".join(f"\\x{point:02x}" for point in points) + "]" if points else ""


class _Table(NamedTuple):
    """What every CharacterTable of a step holds.

    Attributes:
      changed: the characters beyond ASCII that are changed, as a class.
      entries: int32[0x110000], the place of each character's replacement among the distinct ones.
      replacements, splits: those, one after the other, and where each begins and ends.
    """

    changed: str
    entries: np.ndarray
    replacements: list[int]
    splits: list[int]


@functools.cache
def _table(step: BertNormalizer | EachCharacter) -> _Table:
    """Half a second's work for BERT's, and the same for each of its checkpoints."""
    changes = code_points.normalized(step)
    places: dict[tuple[int, ...], int] = {(_ITSELF,): 0}
    entries = np.zeros(0x110000, np.int32)
    for point, text in changes.items():
        replacement = tuple(
            _ITSELF if ord(character) == point else ord(character) for character in text
        )
        entries[point] = places.setdefault(replacement, len(places))
    return _Table(
        character_class(point for point in changes if point >= 0x80),
        entries,
        list(itertools.chain.from_iterable(places)),
        [0, *itertools.accumulate(map(len, places))],
    )
