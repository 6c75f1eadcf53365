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
      split: int32[5], the shape rows, length, 3, heads, head width.
      joined: int32[2], the shape rows * length, heads * head width.
    """

    tokens: tf.Tensor
    bias: tf.Tensor
    split: tf.Tensor
    joined: tf.Tensor


@dataclass(frozen=True)
class Packing:
    """Where everything is, worked out once a batch: what each layer would work out again is nodes of the graph, and
    the first answer waits for TensorFlow's optimizer to go over every one of them.

    Attributes:
      first: int32[batch], each row's first token, in the order in which the rows came.
      groups: for attention.
      back: int32[tokens], each token's place among the groups' padded places.
      back_first: int32[batch], each row's place among the groups' rows.
      scale: [], 1 / sqrt(head width).
      to_heads, from_heads: int32[5], int32[4], permutations: 3, rows, heads, length, head width; and back to rows.
    """

    first: tf.Tensor
    groups: tuple[Group, ...]
    back: tf.Tensor
    back_first: tf.Tensor
    scale: tf.Tensor
    to_heads: tf.Tensor
    from_heads: tf.Tensor


def grouped(batch: tf.Tensor) -> tf.Tensor:
    """Whether a batch of that many rows is worth groups."""
    return batch >= _GROUPED_FROM


def plan(row_splits: tf.Tensor, *, groups: bool, heads: int, head_width: int, dtype: tf.DType) -> Packing:
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
        padded = (last - first) * longest
        split = tf.stack([last - first, longest, 3, heads, head_width])
        made.append(Group(tokens, bias[:, tf.newaxis, tf.newaxis, :], split, tf.stack([padded, heads * head_width])))
        places.append(offset + tf.range(last - first) * longest)
        offset += padded
    # Of each row, in the order in which the rows came: where its padded copy begins.
    padded_start = tf.scatter_nd(order[:, tf.newaxis], tf.concat(places, 0), [batch])
    within = tf.ragged.range(lengths, row_splits_dtype=tf.int32)
    back = tf.gather(padded_start, within.value_rowids()) + within.values
    scale = tf.constant(head_width**-0.5, dtype)
    to_heads, from_heads = tf.constant([2, 0, 3, 1, 4]), tf.constant([0, 2, 1, 3])
    back_first = tf.math.invert_permutation(order)
    return Packing(starts, tuple(made), back, back_first, scale, to_heads, from_heads)


def attend(query_key_value: tf.Tensor, packing: Packing) -> tf.Tensor:
    """Multi-head self-attention. [tokens, 3 * width] of queries, keys and values -> [tokens, width]."""
    contexts = []
    for group in packing.groups:
        query, key, value = _heads(query_key_value, group, packing)
        context = _context(query, key, value, group, packing)
        contexts.append(tf.reshape(tf.transpose(context, packing.from_heads), group.joined))
    return tf.gather(_joined(contexts), packing.back)


def attend_first(query_key_value: tf.Tensor, packing: Packing) -> tf.Tensor:
    """`attend`, of each row's first token alone -> [batch, width]."""
    contexts = []
    for group in packing.groups:
        query, key, value = _heads(query_key_value, group, packing)
        context = _context(query[:, :, :1], key, value, group, packing)
        contexts.append(tf.reshape(context, [-1, query_key_value.shape[1] // 3]))
    return tf.gather(_joined(contexts), packing.back_first)


def _heads(query_key_value: tf.Tensor, group: Group, packing: Packing) -> list[tf.Tensor]:
    """Queries, keys and values of a group's rows, each [rows, heads, length, head width]."""
    split = tf.reshape(tf.gather(query_key_value, group.tokens), group.split)
    heads: list[tf.Tensor] = tf.unstack(tf.transpose(split, packing.to_heads))
    return heads


def _context(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, group: Group, packing: Packing) -> tf.Tensor:
    scores = tf.matmul(query * packing.scale, key, transpose_b=True) + group.bias
    return tf.matmul(tf.nn.softmax(scores), value)


def _joined(contexts: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat(contexts, 0) if len(contexts) > 1 else contexts[0]
