"""Words that are one token, as most are, from a hash table; of the others each distinct one is asked about once."""

from collections.abc import Callable, Mapping

import tensorflow as tf

from tfclf.tokenization.ragged import Ranges

# What the table says of a word that has no tokens, and of one that it does not hold.
_NOTHING, _MISS = -2, -1


class WordTable(tf.Module):
    """string[words] -> int32[words, (tokens)].

    Args:
      ids: the token of each word; None: it has none.
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
        """`others` says what the distinct words are, string[n], that the table does not hold; they may be none."""
        known = self._table.lookup(words)
        missed = tf.where(tf.equal(known, _MISS))[:, 0]
        distinct, of_miss = tf.unique(tf.gather(words, missed))
        lengths = (
            tf.cast(tf.not_equal(known, _NOTHING), tf.int32)
            if self._holds_nothing
            else tf.ones_like(known)
        )
        whole = Ranges(known, tf.range(tf.size(words)), lengths)
        return whole.with_rows(missed, others(distinct).rows(of_miss)).taken()
