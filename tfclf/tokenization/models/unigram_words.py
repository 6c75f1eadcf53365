"""Unigram pieces of single words: whole words from a table, the others by a search for the best pieces."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfclf._transformers import tokenizers
from tfclf.tokenization.models import cuts
from tfclf.tokenization.models.best_paths import BestPaths
from tfclf.tokenization.models.word_table import WordTable
from tfclf.tokenization.patterns import literal
from tfclf.tokenization.ragged import Ranges, in_parts, merge_inner
from tfclf.tokenization.spec import UnigramWords
from tfclf.tokenization.splitters.metaspace import FENCE, any_of

# Stands for the pieces of a part of a word where rounding could decide.
_UNSURE = -1
# Words beyond that many characters, which no language has, are searched in parts of it: one step of the search
# takes one character of every word, so that the longest word decides how many steps there are.
LONGEST_WORD = 1 << 16
# About so many characters are searched together, which bounds the memory.
_AT_ONCE = 1 << 18


class UnigramWordsModel(tf.Module):
    """string[words] -> int32[words, (pieces)]."""

    def __init__(self, spec: UnigramWords) -> None:
        super().__init__()
        self._best_paths = BestPaths(spec.pieces, spec.unknown_id)
        # An empty word has no pieces.
        self._table = WordTable({"": None, **_one_piece_words(spec, self._best_paths)})
        self._parts = _Parts([piece for piece, _ in spec.pieces], spec.mark)

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        return self._table(words, lambda others: _if_any(others, self._by_parts))

    def _by_parts(self, words: tf.Tensor) -> Ranges:
        """string[words], at least one -> int32[words, (pieces)]."""
        parts = in_parts(words, self._parts)
        found = self._table(parts.values, lambda others: _if_any(others, self._search_parts))
        found = merge_inner(found, tf.cast(parts.row_splits, tf.int32))
        # The reference sums from the word's start, so that there it has to begin where rounding could decide.
        unsure = tf.cast(tf.where(tf.equal(found.values, _UNSURE))[:, 0], tf.int32)
        rows, _ = tf.unique(tf.searchsorted(found.row_splits, unsure, side="right") - 1)
        return Ranges.of(found).with_rows(rows, _if_any(tf.gather(words, rows), self._search))

    def _search_parts(self, parts: tf.Tensor) -> Ranges:
        return self._search(parts, unsure=_UNSURE)

    def _search(self, words: tf.Tensor, *, unsure: int | None = None) -> Ranges:
        """string[words], at least one, none empty -> int32[words, (pieces)]. `unsure`: as `BestPaths`."""
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
            found, count = tf.cond(
                tf.size(own) > 1,
                lambda: self._best_paths(points[own[0] : own[-1]], own - own[0], unsure=unsure),
                lambda: (tf.zeros([0], tf.int32), tf.zeros([0], tf.int32)),
            )
            return index + 1, ids.write(index, found), counts.write(index, count)

        _, ids, counts = tf.while_loop(
            lambda index, *_: index < rounds, search, (tf.constant(0), ids, counts)
        )
        rows = tf.RaggedTensor.from_row_lengths(ids.concat(), counts.concat(), validate=False)
        return Ranges.of(merge_inner(rows, parts.row_splits))


class _Parts(tf.Module):
    """string[words] -> string[words, (parts)], cut where no piece goes across; the first part is empty."""

    def __init__(self, pieces: Sequence[str], mark: str) -> None:
        super().__init__()
        apart, neutral, together = cuts.apart(pieces, mark)
        self._part = ""
        if apart:
            run = f"(?:{any_of(apart)}+|[^{any_of(mark + apart + neutral)[1:]}+)"
            end = f"(?:(?:{run}?{any_of(neutral)}+)+{run}?|{run})" if neutral else run
            self._part = f"{mark}?{end}|{mark}"
        self._together = "(?s).*(?:" + "|".join(map(literal, together)) + ").*" if together else ""

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        whole = tf.strings.join([FENCE, words])
        if not self._part:
            return tf.strings.split(whole, FENCE)
        together = tf.strings.length(words) > BestPaths.LONGEST
        if self._together:
            together |= tf.strings.regex_full_match(words, self._together)
        parts = tf.strings.regex_replace(words, self._part, FENCE + rb"\0")
        return tf.strings.split(tf.where(together, whole, parts), FENCE)


def _if_any(words: tf.Tensor, change: Callable[[tf.Tensor], Ranges]) -> Ranges:
    nothing = tf.zeros([0], tf.int32)
    found: Ranges = tf.cond(
        tf.size(words) > 0, lambda: change(words), lambda: Ranges(nothing, nothing, nothing)
    )
    return found


def _one_piece_words(spec: UnigramWords, best_paths: BestPaths) -> dict[str, int]:
    """The pieces that the reference leaves whole, with their ids; not those where rounding could decide."""
    package = tokenizers()
    reference = package.Tokenizer(package.models.Unigram(list(spec.pieces), spec.unknown_id, False))
    pieces = [piece for piece, _ in spec.pieces]
    answers = (
        encoding.ids for encoding in reference.encode_batch_fast(pieces, add_special_tokens=False)
    )
    whole = {piece: ids[0] for piece, ids in zip(pieces, answers, strict=True) if len(ids) == 1}
    points = np.frombuffer("".join(whole).encode("utf-32-le"), np.int32)
    ids, _ = best_paths(
        tf.constant(points), tf.constant(np.cumsum([0, *map(len, whole)]), tf.int32), unsure=_UNSURE
    )
    return {
        piece: index
        for (piece, index), found in zip(whole.items(), ids.numpy(), strict=True)
        if found == index
    }
