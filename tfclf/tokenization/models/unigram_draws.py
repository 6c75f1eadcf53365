"""The best pieces of single words by TF-Text's op, and of which words they are sure.

The op is six times as fast as a search made of TensorFlow's own ops, but it adds in float32, and breaks ties in a way
of its own. So it is asked three times, each time with other scores: round((score + noise) / _UNIT), whole numbers,
which float32 adds exactly, with noises that add up to nothing. Where the three agree on a way P to cut the word:

Let Q be another way, and t1, t2, t3 how much the op's scores of P are above those of Q; none is below 0, because the op
found P. The true score of P is above that of Q by (t1 + t2 + t3) / 3 units, up to rounding, at most one unit for each
two pieces of P and Q. So P is what float64 finds too, unless t1, t2 and t3 are all within a few units of 0. If P and Q
have the same pieces in another order they are 0 indeed: then at the first place where P and Q differ one's piece begins
the other's, and P has both; such words are not called sure. Else the noises of some pieces, each one of 2^13 numbers,
have to cancel out twice, in two independent drawings, once in some million words that have a tie at all.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from tfclf._transformers import sentencepiece
from tfclf.tokenization.models.sentencepiece_model import NO_RULES
from tfclf.tokenization.spec import UnigramWords

_NORMAL, _UNKNOWN, _UNIGRAM = 1, 2, 1
_UNIT = 2.0**-15
_NOISE = 2.0**-3
# The op's own.
_UNKNOWN_PENALTY = 10
# Sums are exact below 2^24; ways to cut a word that score worse than twice this lose to it in any case.
_MOST_UNITS, _MOST_BYTES = 1 << 23, 512
_MOST_PIECES = 8
# What the op would take for a space, or for the end of the text.
_SPACE = r"(?s).*[\x00-\x20\x{85}\x{a0}\x{3000}].*"


class Draws(tf.Module):
    """string[words], none empty -> int32[words, (pieces)], numbered as in the spec with the unknown after them; and
    bool[words], whether these are the reference's.
    """

    def __init__(self, spec: UnigramWords, unknown_score: float) -> None:
        super().__init__()
        pieces = [piece for piece, _ in spec.pieces]
        scores = np.array([score for _, score in spec.pieces])
        dice = np.random.default_rng(0)
        one, other = dice.uniform(-_NOISE, _NOISE, (2, len(pieces)))
        floor = np.round(unknown_score / _UNIT)
        # The third takes up what the first two were rounded by.
        first, second = (np.round((scores + noise) / _UNIT) for noise in (one, other))
        third = np.round(3 * scores / _UNIT) - first - second
        self._ops = [_op(pieces, units, floor) for units in (first, second, third)]
        self._units = tf.constant(np.append(np.round(-scores / _UNIT), -floor).astype(np.int32))
        # In alphabetical order the pieces that one begins follow it.
        ranks, last = _subtrees(pieces)
        self._rank = tf.constant(np.append(ranks, len(pieces)).astype(np.int32))
        self._last = tf.constant(np.append(last, len(pieces)).astype(np.int32))
        single = {piece for piece in pieces if len(piece) == 1}
        self._begins_unknown = tf.constant([*(piece[0] not in single for piece in pieces), False])
        self._unknown = len(pieces)

    def __call__(self, words: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        found, *others = (op.tokenize(words).with_row_splits_dtype(tf.int32) for op in self._ops)
        row = tf.cast(found.value_rowids(), tf.int32)
        lengths = found.row_lengths()
        count = tf.size(words)
        sure = (tf.strings.length(words) <= _MOST_BYTES) & ~tf.strings.regex_full_match(words, _SPACE)
        sure &= (lengths > 0) & (lengths <= _MOST_PIECES)
        units = tf.math.unsorted_segment_sum(tf.gather(self._units, found.values), row, count)
        sure &= (units >= 0) & (units < _MOST_UNITS)
        doubtful = self._may_be_reordered(found.values, row)
        for other in others:
            sure &= tf.equal(other.row_lengths(), lengths)
            at = tf.range(tf.size(row)) + tf.gather(other.row_splits[:-1] - found.row_splits[:-1], row)
            values = tf.concat([other.values, [-1]], axis=0)
            at = tf.clip_by_value(at, 0, tf.size(values) - 1)
            doubtful |= tf.not_equal(tf.gather(values, at), found.values)
        unknown = tf.equal(found.values, self._unknown)
        has_unknown = tf.math.unsorted_segment_max(tf.cast(unknown, tf.int32), row, count) > 0
        doubtful |= tf.gather(self._begins_unknown, found.values) & tf.gather(has_unknown, row)
        sure &= tf.math.unsorted_segment_max(tf.cast(doubtful, tf.int32), row, count) <= 0
        return found, sure

    def _may_be_reordered(self, pieces: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
        """bool[pieces]: has another one behind it in its row that it begins, or that begins with it."""
        rank, last = tf.gather(self._rank, pieces), tf.gather(self._last, pieces)
        doubtful = tf.zeros_like(row, tf.bool)
        for shift in range(1, _MOST_PIECES):
            left, right = slice(None, -shift), slice(shift, None)
            begins = (rank[left] < rank[right]) & (rank[right] <= last[left])
            begins |= (rank[right] < rank[left]) & (rank[left] <= last[right])
            begins &= tf.equal(row[left], row[right])
            doubtful |= tf.concat([begins, tf.zeros([tf.minimum(shift, tf.size(row))], tf.bool)], axis=0)
        return doubtful


def draws(spec: UnigramWords, unknown_score: float) -> Draws | None:
    """None for a model that the op cannot hold, or whose sums could not be exact."""
    scores = [score for _, score in spec.pieces]
    odd = any(character <= " " for piece, _ in spec.pieces for character in piece)
    if odd or max(scores) > 0 or unknown_score < -(_MOST_UNITS * _UNIT):
        return None
    return Draws(spec, unknown_score)


def _op(pieces: Sequence[str], units: np.ndarray, floor: float) -> tf_text.FastSentencepieceTokenizer:
    _, messages = sentencepiece()
    proto = messages.ModelProto()
    for piece, score in zip(pieces, units.tolist(), strict=True):
        proto.pieces.add(piece=piece, score=score, type=_NORMAL)
    # The op gives what is unknown the worst score of all less its penalty, so that one is put in that no word has.
    proto.pieces.add(piece="\ufffe\t\ufffe", score=0, type=_UNKNOWN)
    proto.pieces.add(piece="\ufffe\n\ufffe", score=floor + _UNKNOWN_PENALTY, type=_NORMAL)
    proto.trainer_spec.model_type = _UNIGRAM
    proto.trainer_spec.unk_id = len(pieces)
    normalizer = proto.normalizer_spec
    normalizer.precompiled_charsmap = NO_RULES
    normalizer.add_dummy_prefix = normalizer.remove_extra_whitespaces = False
    return tf_text.FastSentencepieceTokenizer(proto.SerializeToString())


def _subtrees(pieces: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """int[pieces] each: the place in alphabetical order, and the place of the last one that this one begins."""
    order = sorted(range(len(pieces)), key=pieces.__getitem__)
    ranks, last = np.empty(len(pieces), np.int64), np.empty(len(pieces), np.int64)
    ranks[order] = np.arange(len(pieces))
    open_pieces: list[int] = []
    for place, index in enumerate(order):
        while open_pieces and not pieces[index].startswith(pieces[open_pieces[-1]]):
            last[open_pieces.pop()] = place - 1
        open_pieces.append(index)
    last[open_pieces] = len(pieces) - 1
    return ranks, last
