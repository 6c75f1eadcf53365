"""The best-scored segmentation of words into pieces: Viterbi's search over all words at once.

The Rust tokenizer sums scores in float64, SentencePiece's TensorFlow ops in float32. Where two
segmentations score the same (a|aa and aa|a do), rounding decides. So this search is made of
TensorFlow's own ops, in float64 and in the reference's order.
Source: tokenizers 0.22, `Unigram::encode_optimized`.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfclf.tokenization.models.trie import Trie

# The reference's: an unknown character scores the worst piece's score minus this.
_UNKNOWN_PENALTY = 10.0
# Half of a surrogate pair, which no valid text holds.
_IN_NO_PIECE = "\ud800"
_ANY = tf.TensorShape(None)


class BestPaths(tf.Module):
    """Code points of words -> the pieces of each word's best-scored segmentation.

    Of "aab", aa|b scores -2.5, a|a|b -3.0 and a|ab -3.5. A run of unknown characters is one piece:

    >>> pieces = [("<unk>", 0.0), ("a", -1.0), ("b", -1.0), ("aa", -1.5), ("ab", -2.5)]
    >>> paths = BestPaths(pieces, unknown_id=0)
    >>> words = ["b", "aab", "bxyz"]
    >>> points = tf.constant([ord(character) for word in words for character in word])
    >>> ids, counts = paths(points, tf.constant([0, 1, 4, 8]))
    >>> ids.numpy().tolist(), counts.numpy().tolist()
    ([2, 3, 2, 2, 0], [1, 2, 2])

    With `unsure`, words whose two best segmentations tie, or nearly so, are marked. In "aa" here
    a|a and aa both score -2.0:

    >>> ties = BestPaths([("<unk>", 0.0), ("a", -1.0), ("aa", -2.0)], unknown_id=0)
    >>> points = tf.constant([ord("a")] * 3)
    >>> [part.numpy().tolist() for part in ties(points, tf.constant([0, 1, 3]), unsure=-1)]
    [[1, -1], [1, 1]]

    Args:
      pieces: with their scores, in the order of their ids.
      unknown_id: the id of characters that are no piece.
    """

    # Characters in a word and what stands before it, up to which `unsure` is reliable.
    LONGEST = 1 << 14

    def __init__(self, pieces: Sequence[tuple[str, float]], unknown_id: int) -> None:
        super().__init__()
        texts = [piece for piece, _ in pieces]
        scores = [score for _, score in pieces]
        # Each character that is no piece becomes one, the unknown, so there is always a next step.
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
        # A bound on the rounding error: at most LONGEST additions, each of which rounds a sum of
        # at most LONGEST scores; twice, once for each of the two segmentations.
        largest = np.abs(scores).max() + _UNKNOWN_PENALTY
        self._near = tf.constant(
            2 * self.LONGEST**2 * largest * np.finfo(np.float64).eps, tf.float64
        )

    def __call__(
        self, points: tf.Tensor, splits: tf.Tensor, *, unsure: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Segment words into pieces.

        Args:
          points: int32[characters] of all words, none of them empty.
          splits: int32[words + 1] row splits over the points.
          unsure: if given, replaces every piece of a word in which two segmentations score so
            nearly the same that rounding could decide otherwise if the sums started before the
            word.
        Returns: int32[pieces] ids, int32[words] numbers of pieces.
        """
        # The comments follow the words "b" and "aab": points [b a a b], splits [0 1 4].
        lengths = splits[1:] - splits[:-1]  # [1 3]
        words = tf.size(lengths)
        # The word of each character: [0 1 1 1]. Not tf.repeat, which takes memory for
        # words x longest word.
        word = tf.cumsum(
            tf.scatter_nd(splits[1:-1, tf.newaxis], tf.ones_like(splits[1:-1]), [tf.size(points)])
        )
        # Step i of the search takes character i of every word that has one. With longer words
        # first, the words still active are always the first columns:
        #   step 0: a b    step 1: a    step 2: b
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)  # [1 0]
        rank = tf.scatter_nd(order[:, tf.newaxis], tf.range(words), [words])  # [1 0]
        first, lengths = tf.gather(splits, order), tf.gather(lengths, order)  # [1 0], [3 1]
        # Words with more than i characters, and a final 0: [2 1 1 0].
        active = words - tf.searchsorted(
            tf.reverse(lengths, [0]), tf.range(lengths[0] + 1), side="right"
        )
        # The steps are stored one after the other: step i begins at row[i], [0 2 3 4], and
        # character i of a word stands at row[i] + rank: [1 0 2 3].
        row = tf.cumsum(active, exclusive=True)
        index = tf.range(tf.size(points)) - tf.gather(splits, word)
        place = tf.gather(row, index) + tf.gather(rank, word)
        symbols = tf.scatter_nd(place[:, tf.newaxis], self._trie.symbols(points), [tf.size(points)])

        ends = self._find_ends(symbols, active, marked=unsure is not None)
        # At the last character of each piece its node, 0 elsewhere: [b 0 aa b].
        nodes = self._walk_back(ends, row, first, lengths, tf.size(points))
        chosen = tf.where(tf.not_equal(nodes, 0))[:, 0]
        nodes, word = tf.gather(nodes, chosen), tf.gather(word, chosen)  # [b aa b], [0 1 1]
        ids = tf.gather(self._ids, tf.abs(nodes))
        # Adjacent unknown characters of a word are one token.
        unknown = tf.equal(ids, self._unknown_id)
        repeated = unknown[1:] & unknown[:-1] & tf.equal(word[1:], word[:-1])
        if unsure is not None:
            near = tf.math.unsorted_segment_max(tf.cast(nodes < 0, tf.int32), word, words)
            ids = tf.where(tf.gather(near, word) > 0, unsure, ids)
        kept = tf.where(tf.concat([[True], ~repeated], axis=0)[: tf.size(ids)])[:, 0]
        return tf.gather(ids, kept), tf.math.bincount(
            tf.gather(word, kept), minlength=words, maxlength=words
        )

    def _find_ends(self, symbols: tf.Tensor, active: tf.Tensor, *, marked: bool) -> tf.Tensor:
        """Find the last piece of the best segmentation of every prefix of every word.

        Args:
          symbols: int32[characters], step by step: all first characters, all second ones, ...
          active: int32[steps + 1]: the number of words in each step, and 0.
          marked: negate the node if another segmentation scores nearly the same.
        Returns: int32[characters] nodes, in the order of `symbols`.
        """
        steps = tf.size(active) - 1
        characters = tf.TensorArray(tf.int32, size=steps, infer_shape=False, element_shape=[None])
        characters = characters.split(symbols, active[:-1])
        ends = tf.TensorArray(tf.int32, size=steps, infer_shape=False, element_shape=[None])

        def step(
            index: tf.Tensor, bases: tf.Tensor, reached: tf.Tensor, ends: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
            # `bases` and `reached` are [starts, words]. A row is a position where a piece may
            # have begun, oldest first: the best score up to it, and the trie base that the
            # characters since then lead to. In step 1 of "aab", row 0 has read "aa", row 1 "a".
            exists, nodes, scores, bases = self._trie.descend(bases, characters.read(index))
            sums = reached + scores
            # argmax takes the first of equal sums; the reference, too, keeps the earliest start.
            chosen = tf.argmax(sums, axis=0, output_type=tf.int32)
            words = tf.size(chosen)
            end = tf.gather(tf.reshape(nodes, [-1]), chosen * words + tf.range(words))
            best = tf.reduce_max(sums, axis=0, keepdims=True)
            if marked:
                near = tf.reduce_sum(tf.cast(sums > best - self._near, tf.int32), axis=0)
                end = tf.where(near > 1, -end, end)
            # Drop the oldest rows that lead to no piece in any word, and the words that end here.
            oldest = tf.argmax(tf.reduce_any(exists, axis=1), output_type=tf.int32)
            begin, size = tf.stack([oldest, 0]), tf.stack([-1, tf.gather(active, index + 1)])
            # A new row begins after this character, at the root.
            bases = tf.pad(
                tf.slice(bases, begin, size), [[0, 1], [0, 0]], constant_values=self._trie.root
            )
            reached = tf.slice(tf.concat([reached, best], axis=0), begin, size)
            return index + 1, bases, reached, ends.write(index, end)

        table = tf.TensorShape([None, None])
        start = [1, active[0]]
        *_, ends = tf.while_loop(
            lambda index, *_: index < steps,
            step,
            (tf.constant(0), tf.fill(start, self._trie.root), tf.zeros(start, tf.float64), ends),
            shape_invariants=(tf.TensorShape([]), table, table, _ANY),
        )
        return ends.concat()

    def _walk_back(
        self, ends: tf.Tensor, row: tf.Tensor, first: tf.Tensor, lengths: tf.Tensor, size: tf.Tensor
    ) -> tf.Tensor:
        """Follow the best segmentation of each word from its last piece to its first.

        Args:
          ends: int32[characters] nodes, step by step, as `_find_ends` returns them.
          row: int32[steps + 1]: where each step begins in `ends`.
          first, lengths: int32[words], longer words first: index of a word's first character, and
            its number of characters.
          size: the number of characters.
        Returns: int32[size], word by word: at the last character of each piece its node, 0
          elsewhere.
        """
        places, nodes = (
            tf.TensorArray(
                tf.int32, size=0, dynamic_size=True, infer_shape=False, element_shape=[None]
            )
            for _ in range(2)
        )

        def step(
            index: tf.Tensor,
            at: tf.Tensor,
            word: tf.Tensor,
            places: tf.TensorArray,
            nodes: tf.TensorArray,
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray, tf.TensorArray]:
            # `at` is the index in its word of the last character not yet covered: 2 for "aab",
            # whose end is b; then 1, whose end is aa; then -1, and the word is done.
            end = tf.gather(ends, tf.gather(row, at) + word)
            places = places.write(index, tf.gather(first, word) + at)
            nodes = nodes.write(index, end)
            at -= tf.gather(self._lengths, tf.abs(end))
            open_words = tf.where(at >= 0)[:, 0]
            return index + 1, tf.gather(at, open_words), tf.gather(word, open_words), places, nodes

        any_length = tf.TensorShape([None])
        *_, places, nodes = tf.while_loop(
            lambda _index, at, *_: tf.size(at) > 0,
            step,
            (tf.constant(0), lengths - 1, tf.range(tf.size(lengths)), places, nodes),
            shape_invariants=(tf.TensorShape([]), any_length, any_length, _ANY, _ANY),
        )
        return tf.scatter_nd(places.concat()[:, tf.newaxis], nodes.concat(), [size])
