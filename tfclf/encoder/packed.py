"""The packed layout: no padding anywhere but inside attention, and little there.

Linear layers, layer norms and activations run on [tokens, width], the tokens of all rows one after the
other. Attention needs rows: those are sorted by length and cut into groups, each padded to its own longest
row by one gather, and gathered back once a layer.
"""

import itertools
from dataclasses import dataclass

import tensorflow as tf

_GROUPS = 4
# Below this many rows the groups' overhead (8 ms on 12 layers) is more than they save.
_GROUPED_FROM = 8


@dataclass(frozen=True)
class Group:
    """Rows of about the same length.

    Attributes:
      tokens: int32[rows, length], where each place's token is among all tokens; padding points at any.
      bias: [rows, 1, 1, length], 0 at tokens and very negative at padding; added to attention scores.
    """

    tokens: tf.Tensor
    bias: tf.Tensor


@dataclass(frozen=True)
class Packing:
    """Where everything is, worked out once a batch.

    Attributes:
      first: int32[batch], each row's first token, in the order in which the rows came.
      groups: for attention.
      back: int32[tokens], each token's place among the groups' padded places.
    """

    first: tf.Tensor
    groups: tuple[Group, ...]
    back: tf.Tensor


def grouped(batch: tf.Tensor) -> tf.Tensor:
    """Whether a batch of that many rows is worth groups."""
    return batch >= _GROUPED_FROM


def plan(row_splits: tf.Tensor, *, groups: bool, dtype: tf.DType) -> Packing:
    """Args:
    row_splits: int32[batch + 1], rows of at least one token each; at least one row.
    """
    starts = row_splits[:-1]
    lengths = row_splits[1:] - starts
    count = _GROUPS if groups else 1
    batch = tf.size(starts)
    order = tf.argsort(lengths, stable=True) if groups else tf.range(batch)
    edges = [batch * index // count for index in range(count + 1)]
    made, places, offset = [], [], tf.constant(0)
    for first, last in itertools.pairwise(edges):
        rows = order[first:last]
        group_lengths = tf.gather(lengths, rows)
        longest = tf.reduce_max(group_lengths)
        columns = tf.range(longest)
        inside = columns < group_lengths[:, tf.newaxis]
        tokens = tf.gather(starts, rows)[:, tf.newaxis] + tf.where(inside, columns, 0)
        bias = tf.where(inside, tf.constant(0, dtype), tf.constant(dtype.min / 2, dtype))
        made.append(Group(tokens, bias[:, tf.newaxis, tf.newaxis, :]))
        places.append(offset + tf.range(last - first) * longest)
        offset += (last - first) * longest
    # Of each row, in the order in which the rows came: where its padded copy begins.
    padded_start = tf.scatter_nd(order[:, tf.newaxis], tf.concat(places, 0), [batch])
    within = tf.ragged.range(lengths, row_splits_dtype=tf.int32)
    back = tf.gather(padded_start, within.value_rowids()) + within.values
    return Packing(starts, tuple(made), back)


def attend(query_key_value: tf.Tensor, packing: Packing, *, heads: int) -> tf.Tensor:
    """Multi-head self-attention. [tokens, 3 * width] of queries, keys and values -> [tokens, width]."""
    width = query_key_value.shape[1] // 3
    contexts = [_attend_group(query_key_value, group, heads, width) for group in packing.groups]
    return tf.gather(tf.concat(contexts, 0) if len(contexts) > 1 else contexts[0], packing.back)


def _attend_group(query_key_value: tf.Tensor, group: Group, heads: int, width: int) -> tf.Tensor:
    rows, length = tf.unstack(tf.shape(group.tokens))
    padded = tf.gather(query_key_value, group.tokens)
    split = tf.reshape(padded, [rows, length, 3, heads, width // heads])
    query, key, value = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
    scores = tf.matmul(query * (width // heads) ** -0.5, key, transpose_b=True) + group.bias
    context = tf.matmul(tf.nn.softmax(scores), value)
    return tf.reshape(tf.transpose(context, [0, 2, 1, 3]), [rows * length, width])
