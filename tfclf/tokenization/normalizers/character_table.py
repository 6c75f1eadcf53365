"""Normalizers that treat every character by itself, as a table over all code points.

For BERT's normalizer the table is exact, with one exception: two combining marks that survive
accent stripping, side by side and out of canonical order. The reference's NFD swaps them; a table
cannot. 181 marks survive, most because they are younger than the reference's Unicode tables.
docs/exactness.md says when that can reach token ids.
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
from tfclf.tokenization.utf8 import change_where, is_ascii

_LATIN_END = 0x180
_OFTEN_ACCENTED = frozenset("aceinosuACEINOSU")
_ITSELF = -1  # stands for the character itself in a replacement


class CharacterTable(tf.Module):
    r"""string[n] of valid UTF-8 -> string[n], each character by itself.

    >>> table = CharacterTable(BertNormalizer(lowercase=True))
    >>> [row.decode() for row in table(tf.constant(["Caf\u00c9", "a\u4e2db"])).numpy()]
    ['cafe', 'a \u4e2d b']
    """

    def __init__(self, step: BertNormalizer | EachCharacter) -> None:
        super().__init__()
        changes = code_points.find_changes(step)
        table = _build_table(step)
        self._ascii_deleted = _byte_class([p for p in range(128) if changes.get(p) == ""])
        self._ascii_spaced = _byte_class([p for p in range(128) if changes.get(p) == " "])
        self._ascii_lower = changes.get(ord("A")) == "a"
        # Lower-casing leaves most non-ASCII rows unchanged; a scan costs less than the table.
        self._changed = f"(?s).*{table.changed}.*" if isinstance(step, EachCharacter) else ""
        self._accented = _accented_letters(changes) if self._changed else {}
        self._entry = CodePointTable(table.entries)
        # A tensor, so that all functions that tokenize share one copy in the export.
        self._replacements = tf.RaggedTensor.from_row_splits(
            tf.constant(table.replacements, tf.int32),
            tf.constant(table.splits, tf.int32),
            validate=False,
        )

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        plain = is_ascii(text)
        text = self.on_ascii(text)
        if not self._changed:
            return change_where(~plain, text, self._replace_characters)
        if self._accented:
            text = change_where(self._needs_change(text), text, self._strip_common_accents)
        return change_where(self._needs_change(text), text, self._replace_characters)

    def on_ascii(self, text: tf.Tensor) -> tf.Tensor:
        """Normalize rows of pure ASCII, in at most three ops."""
        if self._ascii_spaced:
            text = tf.strings.regex_replace(text, self._ascii_spaced, " ")
        if self._ascii_deleted:
            text = tf.strings.regex_replace(text, self._ascii_deleted, "")
        return tf.strings.lower(text) if self._ascii_lower else text

    def _needs_change(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_full_match(text, self._changed)

    def _strip_common_accents(self, text: tf.Tensor) -> tf.Tensor:
        for letter, accented in self._accented.items():
            text = tf.strings.regex_replace(text, accented, letter)
        return text

    def _replace_characters(self, text: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(text, "UTF-8", errors="replace")
        # [characters, (code points)]: "é中" becomes [[e], [space, ITSELF, space]] ...
        replaced = tf.gather(self._replacements, self._entry(points.flat_values))
        # ... and each ITSELF the character it came from: the row is [e, space, 中, space].
        source = tf.repeat(points.flat_values, replaced.row_lengths())
        values = tf.where(replaced.flat_values == _ITSELF, source, replaced.flat_values)
        splits = tf.gather(replaced.row_splits, points.row_splits)
        return tf.strings.unicode_encode(
            tf.RaggedTensor.from_row_splits(values, splits, validate=False), "UTF-8"
        )


def _accented_letters(changes: Mapping[int, str]) -> dict[str, str]:
    r"""Return ASCII letter that nothing changes -> class of the European letters that become it.

    Most rows of French, Spanish or German need nothing else, and a few scans cost a third of the
    table.

    >>> print(_accented_letters({0xE9: "e", 0xEA: "e", 0xF0: "d"}))
    {'e': '[\\x{e9}-\\x{ea}]'}
    """
    accented: dict[str, list[int]] = {}
    for point in range(0x80, _LATIN_END):
        letter = changes.get(point, "")
        if letter in _OFTEN_ACCENTED and ord(letter) not in changes:
            accented.setdefault(letter, []).append(point)
    return {letter: character_class(points) for letter, points in accented.items()}


def _byte_class(points: list[int]) -> str:
    return "[" + "".join(f"\\x{point:02x}" for point in points) + "]" if points else ""


class _Table(NamedTuple):
    """The content of every CharacterTable of one step.

    Attributes:
      changed: an RE2 class of the characters beyond ASCII that are changed.
      entries: int32[0x110000], the index of each character's replacement among the distinct ones.
      replacements: the code points of all distinct replacements, one after the other.
      splits: row splits over `replacements`.
    """

    changed: str
    entries: np.ndarray
    replacements: list[int]
    splits: list[int]


@functools.cache
def _build_table(step: BertNormalizer | EachCharacter) -> _Table:
    """Build the table; cached, because BERT's takes half a second and all checkpoints share it."""
    changes = code_points.find_changes(step)
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
