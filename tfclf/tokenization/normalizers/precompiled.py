"""SentencePiece's charsmap the way the Rust tokenizers apply it.

They go by grapheme clusters: one shorter than 6 bytes is looked up whole, and the shortest key that begins it
replaces all of it (e + U+0301 becomes one letter, CR LF one space, and a mark after a letter that is a key goes). Any
other cluster goes character by character. So most rows need a table over characters alone, and those that hold a
joining character the cluster rule before it.
Source: tokenizers 0.22, `normalizers/precompiled.rs`.
"""

from collections.abc import Mapping
from string import ascii_uppercase

import numpy as np
import tensorflow as tf

from tfclf.tokenization.code_point_table import CodePointTable
from tfclf.tokenization.normalizers import charsmap, graphemes
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import Precompiled
from tfclf.tokenization.utf8 import only_where

_TOO_LONG = 6
# Stands before each text while clusters are told apart: a control, which joins nothing.
_BEFORE = "\0"


class PrecompiledRules(tf.Module):
    """string[n] of valid UTF-8 -> string[n]."""

    def __init__(self, step: Precompiled) -> None:
        super().__init__()
        rules = charsmap.rules(step.charsmap)
        entries = {text: index + 2 for index, text in enumerate(sorted(set(rules.values())))}
        # Entry 0 is the character itself, no key; entry 1 nothing at all.
        replacements = [[], [], *([ord(character) for character in text] for text in entries)]
        self._replacements = tf.ragged.constant(
            replacements, dtype=tf.int32, row_splits_dtype=tf.int32
        )
        entry_of = np.zeros(0x110000, np.int32)
        for key, text in rules.items():
            if len(key) == 1:
                entry_of[ord(key)] = entries[text]
        self._entry = CodePointTable(entry_of)
        longer = {_packed(key): entries[text] for key, text in rules.items() if _is_looked_up(key)}
        self._longer = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                list(longer), list(longer.values()), tf.int64, tf.int32
            ),
            default_value=0,
        )
        self._flags = graphemes.flag_table()
        self._joining = rf"(?s).*(?:\r\n|{character_class(graphemes.joining())}).*"
        # U+FFFF, which is no character, so that the class is never empty.
        keys = {0xFFFF, *(ord(key) for key in rules if len(key) == 1 and not key.isascii())}
        self._keys = rf"(?s).*{character_class(keys)}.*"
        self._ascii = _ByteRules(
            {key: text for key, text in rules.items() if key.isascii() and len(key) == 1}
        )

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        joining = tf.strings.regex_full_match(text, self._joining)
        plain = ~tf.strings.regex_full_match(text, self._keys) & ~joining & self._ascii.possible
        result = self._ascii(text)
        result = only_where(~plain & ~joining, text, self._by_characters, otherwise=result)
        return only_where(joining, text, self._by_clusters, otherwise=result)

    def _by_characters(self, text: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(text, "UTF-8", errors="replace")
        return self._replaced(points, self._entry(points.flat_values))

    def _by_clusters(self, text: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(
            tf.strings.join([_BEFORE, text]), "UTF-8", errors="replace"
        )
        entries = self._entries_by_clusters(points.flat_values)
        # The first one of each row is our own.
        entries = tf.tensor_scatter_nd_update(
            entries,
            points.row_splits[:-1, tf.newaxis],
            tf.ones_like(points.row_splits[:-1], tf.int32),
        )
        return self._replaced(points, entries)

    def _entries_by_clusters(self, points: tf.Tensor) -> tf.Tensor:
        joined = graphemes.joins(self._flags(points))
        cluster = tf.cumsum(tf.cast(~joined, tf.int32)) - 1
        sizes = 1 + tf.reduce_sum(
            [tf.cast(points >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000)], axis=0
        )
        starts = tf.where(~joined)[:, 0]
        looked_up = (tf.math.segment_sum(tf.ones_like(points), cluster) > 1) & (
            tf.math.segment_sum(sizes, cluster) < _TOO_LONG
        )
        # In less than 6 bytes at most three characters, because an ASCII one joins nothing but U+0600 and its like.
        entries = self._entry(points)
        following = tf.where(joined, points, 0)
        second, third = (
            tf.pad(following[shift:], [[0, tf.minimum(shift, tf.size(points))]]) for shift in (1, 2)
        )
        third = tf.where(tf.equal(second, 0), 0, third)
        first, second, third = (
            tf.cast(tf.gather(part, starts), tf.int64) for part in (points, second, third)
        )
        pair = first + second * (1 << 21)
        triple = pair + third * (1 << 42)
        found = tf.gather(entries, starts)
        for key in (pair, triple):
            found = tf.where(found > 0, found, self._longer.lookup(key))
        replaced = looked_up & (found > 0)
        entries = tf.where(joined & tf.gather(replaced, cluster), 1, entries)
        return tf.tensor_scatter_nd_update(
            entries, starts[:, tf.newaxis], tf.where(replaced, found, tf.gather(entries, starts))
        )

    def _replaced(self, points: tf.RaggedTensor, entries: tf.Tensor) -> tf.Tensor:
        replaced = tf.gather(self._replacements, entries)
        itself = tf.equal(entries, 0)
        # Of each character what replaces it, or itself.
        lengths = tf.where(itself, 1, replaced.row_lengths())
        splits = tf.pad(tf.cumsum(lengths), [[1, 0]])
        values = tf.repeat(points.flat_values, lengths)
        at = tf.where(tf.repeat(~itself, lengths))
        values = tf.tensor_scatter_nd_update(values, at, replaced.flat_values)
        rows = tf.RaggedTensor.from_row_splits(
            values, tf.gather(splits, points.row_splits), validate=False
        )
        return tf.strings.unicode_encode(rows, "UTF-8")


def _is_looked_up(key: str) -> bool:
    return len(key) > 1 and len(key.encode()) < _TOO_LONG


def _packed(key: str) -> int:
    return sum(ord(character) << 21 * place for place, character in enumerate(key))


class _ByteRules:
    """Rules for single ASCII characters as a few scans over the text."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        changes = {key: text for key, text in rules.items() if key != text}
        self._lower = all(changes.get(letter) == letter.lower() for letter in ascii_uppercase)
        if self._lower:
            changes = {key: text for key, text in changes.items() if key not in ascii_uppercase}
        texts = sorted(set(changes.values()))
        self._scans = [
            (character_class([ord(key) for key in changes if changes[key] == text]), text)
            for text in texts
        ]
        # Nothing may be replaced twice, and beyond a few scans the table is faster.
        self.possible = len(texts) <= 4 and not any(set(text) & set(changes) for text in texts)

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        if not self.possible:
            return text
        for pattern, content in self._scans:
            text = tf.strings.regex_replace(text, pattern, content.replace("\\", r"\\"))
        return tf.strings.lower(text) if self._lower else text
