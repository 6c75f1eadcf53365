"""A hash table of words that are one token, as most are; the model splits each other word once."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from tfclf.tokenization.ragged import Ranges

# Table values for a word without tokens, and for a word that the table does not hold.
_NOTHING, _MISS = -2, -1


class WordTable(tf.Module):
    """string[words] -> int32[words, (tokens)].

    >>> table = WordTable({"the": 5, "": None})
    >>> def spell(words):  # stands for a model: one token per character
    ...     points = tf.strings.unicode_decode(words, "UTF-8").with_row_splits_dtype(tf.int32)
    ...     return Ranges.from_ragged(points)
    >>> table(tf.constant(["the", "ab", "", "ab"]), spell).to_list()
    [[5], [97, 98], [], [97, 98]]

    Args:
      ids: the token of each word; None for a word without tokens.
    """

    def __init__(self, ids: Mapping[str, int | None] | Mapping[bytes, int]) -> None:
        super().__init__()
        values = [_NOTHING if token is None else token for token in ids.values()]
        self._holds_nothing = _NOTHING in values
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(list(ids), values, tf.string, tf.int32),
            default_value=_MISS,
        )

    def __call__(self, words: tf.Tensor, others: Callable[[tf.Tensor], Ranges]) -> tf.RaggedTensor:
        """Look words up; ask `others` about the distinct ones not found, string[n], n may be 0."""
        known = self._table.lookup(words)
        missed = tf.where(tf.equal(known, _MISS))[:, 0]
        distinct, of_miss = tf.unique(tf.gather(words, missed))
        lengths = (
            tf.cast(tf.not_equal(known, _NOTHING), tf.int32)
            if self._holds_nothing
            else tf.ones_like(known)
        )
        # Row i is token known[i] alone, or nothing; the missed rows are then replaced.
        whole = Ranges(known, tf.range(tf.size(words)), lengths)
        return whole.with_rows(missed, others(distinct).select(of_miss)).take()
