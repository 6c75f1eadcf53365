"""Unigram pieces of single words: whole words from a table, the others by a search."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfclf._transformers import tokenizers
from tfclf.tokenization.models import cuts
from tfclf.tokenization.models.best_paths import BestPaths
from tfclf.tokenization.models.word_table import WordTable
from tfclf.tokenization.patterns import literal
from tfclf.tokenization.ragged import Ranges, map_halves, merge_inner
from tfclf.tokenization.spec import UnigramWords
from tfclf.tokenization.splitters.metaspace import FENCE, any_of

# Stands for the pieces of a part of a word if rounding could decide them.
_UNSURE = -1
# Longer words, which no language has, are searched in parts of so many characters. A step of the
# search takes one character of every word, so the longest word decides the number of steps.
LONGEST_WORD = 1 << 16
# About so many characters are searched together, which bounds the memory.
_AT_ONCE = 1 << 18


class UnigramWordsModel(tf.Module):
    """string[words] -> int32[words, (pieces)].

    >>> scores = {"<unk>": 0.0, "_": -3.0, "_new": -2.0, "s": -1.0, "w": -4.0, ",": -1.0}
    >>> model = UnigramWordsModel(UnigramWords(tuple(scores.items()), unknown_id=0, mark="_"))
    >>> model(tf.constant(["_new", "_news,news", ""])).to_list()
    [[2], [2, 3, 5, 0, 4, 3], []]
    """

    def __init__(self, spec: UnigramWords) -> None:
        super().__init__()
        self._best_paths = BestPaths(spec.pieces, spec.unknown_id)
        # An empty word has no pieces.
        self._table = WordTable({"": None, **_one_piece_words(spec, self._best_paths)})
        self._parts = _Parts([piece for piece, _ in spec.pieces], spec.mark)

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        return self._table(words, lambda others: _if_any(others, self._search_words))

    def _search_words(self, words: tf.Tensor) -> Ranges:
        """Search part by part, and again the whole word if rounding could decide a part.

        Args:
          words: string[words], at least one.
        Returns: int32[words, (pieces)].
        """
        parts = map_halves(words, self._parts)
        pieces = self._table(parts.values, lambda others: _if_any(others, self._search_parts))
        pieces = merge_inner(pieces, tf.cast(parts.row_splits, tf.int32))
        # The reference sums scores from the word's start; where rounding decides, so must we.
        unsure = tf.cast(tf.where(tf.equal(pieces.values, _UNSURE))[:, 0], tf.int32)
        rows, _ = tf.unique(tf.searchsorted(pieces.row_splits, unsure, side="right") - 1)
        whole = _if_any(tf.gather(words, rows), self._search)
        return Ranges.from_ragged(pieces).with_rows(rows, whole)

    def _search_parts(self, parts: tf.Tensor) -> Ranges:
        return self._search(parts, unsure=_UNSURE)

    def _search(self, words: tf.Tensor, *, unsure: int | None = None) -> Ranges:
        """Search the best pieces, about `_AT_ONCE` characters at a time.

        Args:
          words: string[words], at least one, none empty.
          unsure: as in `BestPaths`.
        Returns: int32[words, (pieces)].
        """
        decoded = tf.strings.unicode_decode(words, "UTF-8")
        points, splits = decoded.values, tf.cast(decoded.row_splits, tf.int32)
        parts = tf.ragged.range(splits[:-1], splits[1:], LONGEST_WORD, row_splits_dtype=tf.int32)
        part_splits = tf.concat([parts.values, splits[-1:]], axis=0)
        rounds = tf.size(points) // _AT_ONCE + 1
        # Round i takes the parts that start in [i, i + 1) * _AT_ONCE. A round may have none.
        bounds = tf.searchsorted(parts.values, tf.range(rounds + 1) * _AT_ONCE)
        ids = tf.TensorArray(tf.int32, size=rounds, infer_shape=False, element_shape=[None])
        counts = tf.TensorArray(tf.int32, size=rounds, infer_shape=False, element_shape=[None])

        def search(
            index: tf.Tensor, ids: tf.TensorArray, counts: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            own = part_splits[bounds[index] : bounds[index + 1] + 1]
            pieces, count = tf.cond(
                tf.size(own) > 1,
                lambda: self._best_paths(points[own[0] : own[-1]], own - own[0], unsure=unsure),
                lambda: (tf.zeros([0], tf.int32), tf.zeros([0], tf.int32)),
            )
            return index + 1, ids.write(index, pieces), counts.write(index, count)

        _, ids, counts = tf.while_loop(
            lambda index, *_: index < rounds, search, (tf.constant(0), ids, counts)
        )
        rows = tf.RaggedTensor.from_row_lengths(ids.concat(), counts.concat(), validate=False)
        return Ranges.from_ragged(merge_inner(rows, parts.row_splits))


class _Parts(tf.Module):
    """string[words] -> string[words, (parts)], cut where no piece crosses; the first part is empty.

    >>> parts = _Parts(["_", "a", "_a", ",", ",,", "."], mark="_")
    >>> parts(tf.constant(["_aa,,a", "a"])).to_list()
    [[b'', b'_aa', b',,', b'a'], [b'', b'a']]
    """

    def __init__(self, pieces: Sequence[str], mark: str) -> None:
        super().__init__()
        separators, neutral, exceptions = cuts.find_separators(pieces, mark)
        self._part = ""
        if separators:
            run = f"(?:{any_of(separators)}+|[^{any_of(mark + separators + neutral)[1:]}+)"
            end = f"(?:(?:{run}?{any_of(neutral)}+)+{run}?|{run})" if neutral else run
            self._part = f"{mark}?{end}|{mark}"
        self._uncut = "(?s).*(?:" + "|".join(map(literal, exceptions)) + ").*" if exceptions else ""

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        whole = tf.strings.join([FENCE, words])
        if not self._part:
            return tf.strings.split(whole, FENCE)
        uncut = tf.strings.length(words) > BestPaths.LONGEST
        if self._uncut:
            uncut |= tf.strings.regex_full_match(words, self._uncut)
        parts = tf.strings.regex_replace(words, self._part, FENCE + rb"\0")
        return tf.strings.split(tf.where(uncut, whole, parts), FENCE)


def _if_any(words: tf.Tensor, change: Callable[[tf.Tensor], Ranges]) -> Ranges:
    """Return `change(words)`; no rows if there are no words."""
    nothing = tf.zeros([0], tf.int32)
    rows: Ranges = tf.cond(
        tf.size(words) > 0, lambda: change(words), lambda: Ranges(nothing, nothing, nothing)
    )
    return rows


def _one_piece_words(spec: UnigramWords, best_paths: BestPaths) -> dict[str, int]:
    """Return piece -> id of the pieces that the reference leaves whole, whatever the rounding."""
    package = tokenizers()
    reference = package.Tokenizer(package.models.Unigram(list(spec.pieces), spec.unknown_id, False))
    pieces = [piece for piece, _ in spec.pieces]
    encodings = reference.encode_batch_fast(pieces, add_special_tokens=False)
    whole = {
        piece: encoding.ids[0]
        for piece, encoding in zip(pieces, encodings, strict=True)
        if len(encoding.ids) == 1
    }
    points = np.frombuffer("".join(whole).encode("utf-32-le"), np.int32)
    ids, _ = best_paths(
        tf.constant(points), tf.constant(np.cumsum([0, *map(len, whole)]), tf.int32), unsure=_UNSURE
    )
    return {
        piece: index
        for (piece, index), searched in zip(whole.items(), ids.numpy(), strict=True)
        if searched == index
    }
