"""The best-scored way to cut words into pieces: Viterbi's search, in all words at once.

The Rust tokenizer sums scores in float64, SentencePiece's TensorFlow ops in float32, and where two ways to cut a
word score the same (as a|aa and aa|a do) rounding decides. So the search is made of TensorFlow's own ops, in float64
and in the reference's order.
Source: tokenizers 0.22, `Unigram::encode_optimized`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfclf.tokenization.models.trie import Trie

# The reference's: an unknown character scores the worst piece's score less this.
_UNKNOWN_PENALTY = 10.0
# Half of a surrogate pair, which no valid text holds.
_IN_NO_PIECE = "\ud800"
_ANY = tf.TensorShape(None)


class BestPaths(tf.Module):
    """int32[characters] code points of words, none of them empty -> the pieces of the best-scored way to cut each.

    Args:
      pieces: with their scores, in the order of their ids.
      unknown_id: for characters that are no piece; a run of it is one.
    """

    # Of a word with what stands before it, in characters: `unsure` is good for so many.
    LONGEST = 1 << 14

    def __init__(self, pieces: Sequence[tuple[str, float]], unknown_id: int) -> None:
        super().__init__()
        texts = [piece for piece, _ in pieces]
        scores = [score for _, score in pieces]
        # A character that is no piece is one of its own, the unknown; so that there always is a way on.
        alone = sorted({_IN_NO_PIECE}.union(*texts).difference(texts))
        texts += alone
        unknown = min(scores) - _UNKNOWN_PENALTY
        self._trie = Trie(
            texts, np.array(scores + [unknown] * len(alone), np.float64), _IN_NO_PIECE
        )
        self._ids = self._trie.by_node(
            np.array([*range(len(scores)), *[unknown_id] * len(alone)], np.int32)
        )
        self._lengths = self._trie.by_node(np.array([len(text) for text in texts], np.int32))
        self._unknown_id = unknown_id
        # Each of as many additions as there are characters rounds a sum of as many scores, in both ways.
        largest = np.abs(scores).max() + _UNKNOWN_PENALTY
        self._near = tf.constant(
            2 * self.LONGEST**2 * largest * np.finfo(np.float64).eps, tf.float64
        )

    def __call__(
        self, points: tf.Tensor, splits: tf.Tensor, *, unsure: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The pieces of the words, and how many are whose.

        Args:
          splits: int32[words + 1] of the points.
          unsure: if given, stands for every piece of a word in which two ways score so nearly the same that rounding
            could decide otherwise if the sums began with that of what stands before it.
        Returns: int32[pieces], int32[words].
        """
        lengths = splits[1:] - splits[:-1]
        words = tf.size(lengths)
        # Not tf.repeat, which takes memory for as many words as there are, times the longest one's characters.
        word = tf.cumsum(
            tf.scatter_nd(splits[1:-1, tf.newaxis], tf.ones_like(splits[1:-1]), [tf.size(points)])
        )
        # The first characters of all words, the second ones, ...; longer words first, so that those still going on are
        # always the first ones.
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        rank = tf.scatter_nd(order[:, tf.newaxis], tf.range(words), [words])
        first, lengths = tf.gather(splits, order), tf.gather(lengths, order)
        going_on = words - tf.searchsorted(
            tf.reverse(lengths, [0]), tf.range(lengths[0] + 1), side="right"
        )
        row = tf.cumsum(going_on, exclusive=True)
        place = tf.gather(row, tf.range(tf.size(points)) - tf.gather(splits, word)) + tf.gather(
            rank, word
        )
        symbols = tf.scatter_nd(place[:, tf.newaxis], self._trie.symbols(points), [tf.size(points)])

        ends = self._ends(symbols, going_on, marked=unsure is not None)
        nodes = self._back(ends, row, first, lengths, tf.size(points))
        passed = tf.where(tf.not_equal(nodes, 0))[:, 0]
        nodes, word = tf.gather(nodes, passed), tf.gather(word, passed)
        ids = tf.gather(self._ids, tf.abs(nodes))
        # Unknown characters side by side are one token.
        unknown = tf.equal(ids, self._unknown_id)
        again = unknown[1:] & unknown[:-1] & tf.equal(word[1:], word[:-1])
        if unsure is not None:
            near = tf.math.unsorted_segment_max(tf.cast(nodes < 0, tf.int32), word, words)
            ids = tf.where(tf.gather(near, word) > 0, unsure, ids)
        kept = tf.where(tf.concat([[True], ~again], axis=0)[: tf.size(ids)])[:, 0]
        return tf.gather(ids, kept), tf.math.bincount(
            tf.gather(word, kept), minlength=words, maxlength=words
        )

    def _ends(self, symbols: tf.Tensor, going_on: tf.Tensor, *, marked: bool) -> tf.Tensor:
        """int32[places]: the node of the piece that ends the best way from the word's start to there.

        Args:
          symbols: int32[places] of the first characters, the second ones, ...
          going_on: int32[steps + 1]: how many they are, and 0.
          marked: with a minus where another way scores nearly the same.
        """
        steps = tf.size(going_on) - 1
        characters = tf.TensorArray(tf.int32, size=steps, infer_shape=False, element_shape=[None])
        characters = characters.split(symbols, going_on[:-1])
        ends = tf.TensorArray(tf.int32, size=steps, infer_shape=False, element_shape=[None])

        def step(
            index: tf.Tensor, bases: tf.Tensor, reached: tf.Tensor, ends: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
            # A column a word, a row for each place where a piece may have begun, the oldest first, with the best score
            # up to there and the base to go down from.
            there, nodes, scores, bases = self._trie.down(bases, characters.read(index))
            ways = reached + scores
            # Of equal ones the first: the reference keeps the one that starts first.
            chosen = tf.argmax(ways, axis=0, output_type=tf.int32)
            words = tf.size(chosen)
            end = tf.gather(tf.reshape(nodes, [-1]), chosen * words + tf.range(words))
            best = tf.reduce_max(ways, axis=0, keepdims=True)
            if marked:
                near = tf.reduce_sum(tf.cast(ways > best - self._near, tf.int32), axis=0)
                end = tf.where(near > 1, -end, end)
            # Rows from which no word has a piece any more go, and words that are at their end.
            oldest = tf.argmax(tf.reduce_any(there, axis=1), output_type=tf.int32)
            begin, size = tf.stack([oldest, 0]), tf.stack([-1, tf.gather(going_on, index + 1)])
            return (
                index + 1,
                tf.pad(
                    tf.slice(bases, begin, size), [[0, 1], [0, 0]], constant_values=self._trie.root
                ),
                tf.slice(tf.concat([reached, best], axis=0), begin, size),
                ends.write(index, end),
            )

        table = tf.TensorShape([None, None])
        start = [1, going_on[0]]
        *_, ends = tf.while_loop(
            lambda index, *_: index < steps,
            step,
            (tf.constant(0), tf.fill(start, self._trie.root), tf.zeros(start, tf.float64), ends),
            shape_invariants=(tf.TensorShape([]), table, table, _ANY),
        )
        return ends.concat()

    def _back(
        self, ends: tf.Tensor, row: tf.Tensor, first: tf.Tensor, lengths: tf.Tensor, size: tf.Tensor
    ) -> tf.Tensor:
        """int32[size]: at the last character of each piece on a word's best way its end, 0 elsewhere.

        Args:
          first, lengths: int32[words], longer ones first: the place of a word's first character, and their number.
        """
        places, nodes = (
            tf.TensorArray(
                tf.int32, size=0, dynamic_size=True, infer_shape=False, element_shape=[None]
            )
            for _ in range(2)
        )

        def back(
            index: tf.Tensor,
            at: tf.Tensor,
            word: tf.Tensor,
            places: tf.TensorArray,
            nodes: tf.TensorArray,
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
            end = tf.gather(ends, tf.gather(row, at) + word)
            places = places.write(index, tf.gather(first, word) + at)
            at -= tf.gather(self._lengths, tf.abs(end))
            going_on = tf.where(at >= 0)[:, 0]
            return (
                index + 1,
                tf.gather(at, going_on),
                tf.gather(word, going_on),
                places,
                nodes.write(index, end),
            )

        *_, places, nodes = tf.while_loop(
            lambda _index, at, *_: tf.size(at) > 0,
            back,
            (tf.constant(0), lengths - 1, tf.range(tf.size(lengths)), places, nodes),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None]),
                tf.TensorShape([None]),
                _ANY,
                _ANY,
            ),
        )
        return tf.scatter_nd(places.concat()[:, tf.newaxis], nodes.concat(), [size])
