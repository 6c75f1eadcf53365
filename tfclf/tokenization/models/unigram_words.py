"""Unigram pieces of single words: whole words from a hash table, the others by Viterbi over a trie's matches.

The Rust tokenizer sums scores in float64, SentencePiece's TensorFlow ops in float32, and where two ways to cut a
word score the same (as a|aa and aa|a do) rounding decides. So the search is made of TensorFlow's own ops, in float64
and in the reference's order. Most words are one piece and never come here; of the others each distinct one does once.
Source: tokenizers 0.22, `Unigram::encode_optimized`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfclf._transformers import tokenizers
from tfclf.tokenization.models import cuts
from tfclf.tokenization.models.trie import Trie
from tfclf.tokenization.ragged import merge_inner, take_ranges
from tfclf.tokenization.spec import UnigramWords
from tfclf.tokenization.splitters.metaspace import FENCE, any_of

# The reference's: an unknown character scores the worst piece's score less this.
_UNKNOWN_PENALTY = 10.0
# What the table says of a word that has no pieces, and of one that it does not hold.
_NOTHING, _MISS = -2, -1
# Words beyond that many characters, which no language has, are searched in parts of it: one step of the search
# takes one character of every word, so that the longest word decides how many steps there are.
LONGEST_WORD = 1 << 16
# Characters that are searched together: the larger number bounds the memory, below the smaller one a second round,
# which may run beside the first, costs more than it saves.
_AT_LEAST, _AT_MOST = 1 << 13, 1 << 19


class UnigramWordsModel(tf.Module):
    """string[words] -> int32[words, (pieces)]."""

    def __init__(self, spec: UnigramWords) -> None:
        super().__init__()
        scores = [score for _, score in spec.pieces]
        # An empty word has no pieces.
        words = {"": _NOTHING, **_one_piece_words(spec)}
        self._words = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(list(words), list(words.values()), tf.string, tf.int32),
            default_value=_MISS,
        )
        self._parts = _Parts([piece for piece, _ in spec.pieces], spec.mark)
        self._trie = Trie([piece for piece, _ in spec.pieces])
        self._unknown_id = spec.unknown_id
        # After the pieces: an unknown character, and no match.
        self._unknown, self._none = len(scores), len(scores) + 1
        self._scores = tf.constant([*scores, min(scores) - _UNKNOWN_PENALTY, -np.inf], tf.float64)
        self._ids = tf.constant([*range(len(scores)), spec.unknown_id], tf.int32)

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        whole = self._words.lookup(words)
        missed = tf.where(tf.equal(whole, _MISS))[:, 0]
        distinct, of_miss = tf.unique(tf.gather(words, missed))
        ids, splits = tf.cond(
            tf.size(distinct) > 0,
            lambda: self._not_whole(distinct),
            lambda: (tf.zeros([0], tf.int32), tf.zeros([1], tf.int32)),
        )
        # One pool holds every answer: the table's, then the pieces of each miss.
        count = tf.size(words)
        at = tf.cast(missed[:, tf.newaxis], tf.int32)
        return take_ranges(
            tf.concat([whole, ids], axis=0),
            tf.tensor_scatter_nd_update(tf.range(count), at, tf.gather(count + splits[:-1], of_miss)),
            tf.tensor_scatter_nd_update(
                tf.where(tf.equal(whole, _NOTHING), 0, 1), at, tf.gather(splits[1:] - splits[:-1], of_miss)
            ),
        )

    def _not_whole(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """string[words], at least one -> int32[pieces], and int32[words + 1] splits of them."""
        # "word," is known from its parts, where it can be cut and they are all whole.
        parts = self._parts(words)
        part_ids = self._words.lookup(parts.values)
        missed = tf.cast(tf.equal(part_ids, _MISS), tf.int32)
        searched = tf.math.segment_max(missed, parts.value_rowids()) > 0
        rows = tf.where(searched)
        ids, splits = tf.cond(
            tf.size(rows) > 0,
            lambda: self._search(tf.gather_nd(words, rows)),
            lambda: (tf.zeros([0], tf.int32), tf.zeros([1], tf.int32)),
        )
        found = take_ranges(
            tf.concat([part_ids, ids], axis=0),
            tf.tensor_scatter_nd_update(
                tf.cast(parts.row_splits[:-1], tf.int32) + 1, rows, tf.size(part_ids) + splits[:-1]
            ),
            tf.tensor_scatter_nd_update(tf.cast(parts.row_lengths(), tf.int32) - 1, rows, splits[1:] - splits[:-1]),
        )
        return found.values, found.row_splits

    def _search(self, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """string[words], at least one -> int32[pieces], and int32[words + 1] splits of them."""
        decoded = tf.strings.unicode_decode(words, "UTF-8")
        points, splits = decoded.values, tf.cast(decoded.row_splits, tf.int32)
        parts = tf.ragged.range(splits[:-1], splits[1:], LONGEST_WORD, row_splits_dtype=tf.int32)
        part_splits = tf.concat([parts.values, splits[-1:]], axis=0)
        at_once = tf.clip_by_value(tf.size(points) // 2, _AT_LEAST, _AT_MOST)
        rounds = tf.size(points) // at_once + 1
        # Round i takes the parts that start in [i, i + 1) * at_once. A round may have none.
        bounds = tf.searchsorted(parts.values, tf.range(rounds + 1) * at_once)
        ids = tf.TensorArray(tf.int32, size=rounds, infer_shape=False, element_shape=[None])
        counts = tf.TensorArray(tf.int32, size=rounds, infer_shape=False, element_shape=[None])

        def search(
            index: tf.Tensor, ids: tf.TensorArray, counts: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            own = part_splits[bounds[index] : bounds[index + 1] + 1]
            found, count = tf.cond(
                tf.size(own) > 1,
                lambda: self._viterbi(points[own[0] : own[-1]], own - own[0]),
                lambda: (tf.zeros([0], tf.int32), tf.zeros([0], tf.int32)),
            )
            return index + 1, ids.write(index, found), counts.write(index, count)

        _, ids, counts = tf.while_loop(lambda index, *_: index < rounds, search, (tf.constant(0), ids, counts))
        rows = tf.RaggedTensor.from_row_lengths(ids.concat(), counts.concat(), validate=False)
        words_of_parts = merge_inner(rows, parts.row_splits)
        return words_of_parts.values, words_of_parts.row_splits

    def _viterbi(self, points: tf.Tensor, splits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """int32[characters], int32[words + 1] splits of them -> int32[pieces], int32[words] how many each has."""
        lengths = splits[1:] - splits[:-1]
        words = tf.size(lengths)
        # All in a row, with a place before, between and after the words, where every match and every path ends.
        # Not tf.repeat, which takes memory for as many words as there are, times the longest one's characters.
        word = tf.cumsum(tf.scatter_nd(splits[1:-1, tf.newaxis], tf.ones_like(splits[1:-1]), [tf.size(points)]))
        places = tf.range(tf.size(points)) + word + 1
        room = tf.size(points) + words + 1
        symbols = tf.scatter_nd(places[:, tf.newaxis], self._trie.symbols(points), [room])
        found, ends, depths = self._trie.matches(symbols)
        # By last character; longer ones to the left. Each character alone is an unknown one, if not a piece.
        longest = tf.maximum(tf.reduce_max(depths), 0) + 1
        alone = places * longest + longest - 1
        at = ends * longest + longest - 1 - depths
        pieces = tf.fill([room * longest], self._none)
        pieces = tf.tensor_scatter_nd_update(pieces, alone[:, tf.newaxis], tf.fill(tf.shape(alone), self._unknown))
        pieces = tf.tensor_scatter_nd_update(pieces, at[:, tf.newaxis], found)
        scores = tf.fill([room * longest], tf.constant(-np.inf, tf.float64))
        scores = tf.tensor_scatter_nd_update(
            scores, alone[:, tf.newaxis], tf.fill(tf.shape(alone), self._scores[self._unknown])
        )
        scores = tf.tensor_scatter_nd_update(scores, at[:, tf.newaxis], tf.gather(self._scores, found))

        first = splits[:-1] + tf.range(words) + 1
        best = _best_endings(tf.reshape(scores, [room, longest]), first, lengths)
        passed = _path(longest - best, first + lengths - 1)
        ends = tf.cast(tf.where(passed)[:, 0], tf.int32)
        ids = tf.gather(self._ids, tf.gather(pieces, ends * longest + tf.gather(best, ends)))
        word = tf.searchsorted(first, ends, side="right") - 1
        # Unknown characters side by side are one token.
        unknown = tf.equal(ids, self._unknown_id)
        again = unknown[1:] & unknown[:-1] & tf.equal(word[1:], word[:-1])
        kept = tf.where(tf.concat([[True], ~again], axis=0)[: tf.size(ids)])[:, 0]
        return tf.gather(ids, kept), tf.math.bincount(tf.gather(word, kept), minlength=words, maxlength=words)


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
        self._together = "(?s).*(?:" + "|".join(map(_escaped, together)) + ").*" if together else ""

    def __call__(self, words: tf.Tensor) -> tf.RaggedTensor:
        whole = tf.strings.join([FENCE, words])
        if not self._part:
            return tf.strings.split(whole, FENCE)
        parts = tf.strings.regex_replace(words, self._part, FENCE + rb"\0")
        if self._together:
            parts = tf.where(tf.strings.regex_full_match(words, self._together), whole, parts)
        return tf.strings.split(parts, FENCE)


def _escaped(text: str) -> str:
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)


def _best_endings(scores: tf.Tensor, first: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Which of the pieces that end at a place are the end of the best way there from the word's start.

    Args:
      scores: float64[places, longest]: of the piece that ends there and begins longest - 1, ..., 1, 0 before.
      first, lengths: int32[words]: the place of each word's first character, and the number of its characters.
    Returns: int32[places]: a column of `scores`; `longest` where no character is.
    """
    # The first characters of all words, the second ones, ...; longer words first, so that those still going on are
    # always the first ones.
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    first = tf.gather(first, order)
    count = tf.reduce_max(lengths)
    going_on = tf.size(lengths) - tf.searchsorted(tf.sort(lengths), tf.range(count), side="right")
    places = tf.TensorArray(tf.int32, size=count, infer_shape=False, element_shape=[None])
    chosen = tf.TensorArray(tf.int32, size=count, infer_shape=False, element_shape=[None])
    # The best score at each of the last places, the oldest first.
    longest = tf.shape(scores)[1]
    nowhere = tf.fill([tf.size(lengths), longest - 1], tf.constant(-np.inf, tf.float64))
    begin = tf.concat([nowhere, tf.zeros([tf.size(lengths), 1], tf.float64)], axis=1)

    def step(
        index: tf.Tensor, reached: tf.Tensor, places: tf.TensorArray, chosen: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
        place = first[: going_on[index]] + index
        reached = reached[: going_on[index]]
        ways = reached + tf.gather(scores, place)
        # Of equal ones the first: the reference keeps the one that starts first.
        chosen = chosen.write(index, tf.argmax(ways, axis=1, output_type=tf.int32))
        best = tf.reduce_max(ways, axis=1, keepdims=True)
        return index + 1, tf.concat([reached[:, 1:], best], axis=1), places.write(index, place), chosen

    shapes = (tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape(None), tf.TensorShape(None))
    *_, places, chosen = tf.while_loop(
        lambda index, *_: index < count, step, (tf.constant(0), begin, places, chosen), shape_invariants=shapes
    )
    return tf.tensor_scatter_nd_update(
        tf.fill([tf.shape(scores)[0]], longest), places.concat()[:, tf.newaxis], chosen.concat()
    )


def _path(steps: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
    """bool[places]: those passed on the way from `last` backwards by `steps`; a step of 0 is the end of a way."""
    passed = tf.TensorArray(tf.int32, size=1, dynamic_size=True, infer_shape=False, element_shape=[None])

    def back(index: tf.Tensor, at: tf.Tensor, passed: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        step = tf.gather(steps, at)
        going_on = tf.where(step > 0)[:, 0]
        at = tf.gather(at, going_on)
        return index + 1, at - tf.gather(step, going_on), passed.write(index, at)

    *_, passed = tf.while_loop(
        lambda _index, at, _: tf.size(at) > 0,
        back,
        (tf.constant(0), last, passed),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape(None)),
    )
    places = passed.concat()
    return tf.tensor_scatter_nd_update(
        tf.zeros_like(steps, tf.bool), places[:, tf.newaxis], tf.ones_like(places, tf.bool)
    )


def _one_piece_words(spec: UnigramWords) -> dict[str, int]:
    """The pieces that the reference leaves whole, with their ids."""
    package = tokenizers()
    reference = package.Tokenizer(package.models.Unigram(list(spec.pieces), spec.unknown_id, False))
    pieces = [piece for piece, _ in spec.pieces]
    answers = (encoding.ids for encoding in reference.encode_batch_fast(pieces, add_special_tokens=False))
    return {piece: ids[0] for piece, ids in zip(pieces, answers, strict=True) if len(ids) == 1}
