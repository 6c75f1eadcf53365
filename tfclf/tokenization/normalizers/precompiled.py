"""SentencePiece's charsmap, applied as the Rust tokenizers apply it.

They go by grapheme clusters. A cluster shorter than 6 bytes is looked up whole, and the shortest
key that begins it replaces all of it: e + U+0301 becomes one letter, CR LF one space, and a mark
after a letter that is a key disappears. Any other cluster is replaced character by character. So
most rows need only a table over characters; rows that hold a joining character need the cluster
rule first.
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
from tfclf.tokenization.utf8 import change_where

_TOO_LONG = 6
# A control, which joins nothing: put before each text while its clusters are found.
_BEFORE = "\0"


class PrecompiledRules(tf.Module):
    """string[n] of valid UTF-8 -> string[n].

    If "e" is a key, it replaces all of the cluster e + U+0301, which has three bytes. An e with
    three accents has seven, too long to be looked up: each of its characters is replaced by itself.
    """

    def __init__(self, step: Precompiled) -> None:
        super().__init__()
        rules = charsmap.read_rules(step.charsmap)
        entries = {text: index + 2 for index, text in enumerate(sorted(set(rules.values())))}
        # Entry 0 is the character itself, which is no key; entry 1 is the empty text.
        replacements = [[], [], *([ord(character) for character in text] for text in entries)]
        self._replacements = tf.ragged.constant(
            replacements, dtype=tf.int32, row_splits_dtype=tf.int32
        )
        entry_of = np.zeros(0x110000, np.int32)
        for key, text in rules.items():
            if len(key) == 1:
                entry_of[ord(key)] = entries[text]
        self._entry = CodePointTable(entry_of)
        longer = {
            _pack_key(key): entries[text] for key, text in rules.items() if _is_looked_up(key)
        }
        self._longer = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                list(longer), list(longer.values()), tf.int64, tf.int32
            ),
            default_value=0,
        )
        self._flags = graphemes.flag_table()
        self._joining = rf"(?s).*(?:\r\n|{character_class(graphemes.joining_characters())}).*"
        # U+FFFF, which is no character, keeps the class from being empty.
        keys = {0xFFFF, *(ord(key) for key in rules if len(key) == 1 and not key.isascii())}
        self._keys = rf"(?s).*{character_class(keys)}.*"
        self._ascii = _ByteRules(
            {key: text for key, text in rules.items() if key.isascii() and len(key) == 1}
        )

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        joining = tf.strings.regex_full_match(text, self._joining)
        plain = ~tf.strings.regex_full_match(text, self._keys) & ~joining & self._ascii.possible
        result = self._ascii(text)
        result = change_where(~plain & ~joining, text, self._replace_characters, otherwise=result)
        return change_where(joining, text, self._replace_clusters, otherwise=result)

    def _replace_characters(self, text: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(text, "UTF-8", errors="replace")
        return self._encode_entries(points, self._entry(points.flat_values))

    def _replace_clusters(self, text: tf.Tensor) -> tf.Tensor:
        points = tf.strings.unicode_decode(
            tf.strings.join([_BEFORE, text]), "UTF-8", errors="replace"
        )
        entries = self._look_up_clusters(points.flat_values)
        # The first character of each row is the control put there: entry 1 deletes it.
        entries = tf.tensor_scatter_nd_update(
            entries,
            points.row_splits[:-1, tf.newaxis],
            tf.ones_like(points.row_splits[:-1], tf.int32),
        )
        return self._encode_entries(points, entries)

    def _look_up_clusters(self, points: tf.Tensor) -> tf.Tensor:
        """Return int32[points]: each character's entry, by its cluster or else by itself.

        A replaced cluster has its entry at the first character, and entry 1 at the others.
        """
        # "a e U+0301 b" has joined [F F T F], cluster [0 1 1 2], starts [0 1 3].
        joined = graphemes.joins(self._flags(points))
        cluster = tf.cumsum(tf.cast(~joined, tf.int32)) - 1
        sizes = 1 + tf.reduce_sum(
            [tf.cast(points >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000)], axis=0
        )
        starts = tf.where(~joined)[:, 0]
        looked_up = (tf.math.segment_sum(tf.ones_like(points), cluster) > 1) & (
            tf.math.segment_sum(sizes, cluster) < _TOO_LONG
        )
        # Below 6 bytes a cluster has at most three characters: ASCII ones join only U+0600 and its
        # like. `second` and `third` follow a cluster's first character, 0 if there is none.
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
        # The shortest key wins: the first character, else the first two, else all three.
        entry = tf.gather(entries, starts)
        for key in (pair, triple):
            entry = tf.where(entry > 0, entry, self._longer.lookup(key))
        replaced = looked_up & (entry > 0)
        entries = tf.where(joined & tf.gather(replaced, cluster), 1, entries)
        return tf.tensor_scatter_nd_update(
            entries, starts[:, tf.newaxis], tf.where(replaced, entry, tf.gather(entries, starts))
        )

    def _encode_entries(self, points: tf.RaggedTensor, entries: tf.Tensor) -> tf.Tensor:
        """Replace each character by its entry, and encode: [n, (points)] -> string[n].

        Args:
          entries: int32[points] indices of replacements, 0 for the character itself.
        """
        replaced = tf.gather(self._replacements, entries)
        itself = tf.equal(entries, 0)
        # Repeat each character as often as its replacement is long, then overwrite the repeats.
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
    """Tell whether a key can be a cluster of several characters."""
    return len(key) > 1 and len(key.encode()) < _TOO_LONG


def _pack_key(key: str) -> int:
    """Pack up to three code points, of 21 bits each, into one int64.

    >>> _pack_key("ab") == ord("a") + (ord("b") << 21)
    True
    """
    return sum(ord(character) << 21 * place for place, character in enumerate(key))


class _ByteRules:
    r"""Rules for single ASCII characters, as a few scans over the text.

    >>> _ByteRules({"\t": " ", "\x01": ""})(tf.constant(["a\tb\x01"])).numpy().tolist()
    [b'a b']
    """

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
        # Nothing may be replaced twice; and beyond a few scans the table is faster.
        self.possible = len(texts) <= 4 and not any(set(text) & set(changes) for text in texts)

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        if not self.possible:
            return text
        for pattern, content in self._scans:
            text = tf.strings.regex_replace(text, pattern, content.replace("\\", r"\\"))
        return tf.strings.lower(text) if self._lower else text
