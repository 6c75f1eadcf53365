"""The packed layout: no padding anywhere but inside attention, and little there.

Linear layers, layer norms and activations run on [tokens, width], the tokens of all rows one after the
other. Attention needs rows: those are sorted by length and cut into groups where that leaves the least padding, each
padded to its own longest row by one gather, and gathered back once a layer.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfclf.graph.engines.lean.layout import Step
from tfclf.graph.engines.lean.weights import LayerValues
from tfclf.graph.tracing import shared

_GROUPS = 4
# Below this many rows the groups' overhead (8 ms on 12 layers) is more than they save.
_GROUPED_FROM = 8
# Groups begin at one of that many places, evenly spaced among the sorted rows; at least as many as groups.
_PLACES = 32
# What a row of n tokens costs, padding included: n * (n + this). Products of queries, keys and values are quadratic,
# what moves tokens to rows and back is linear, and at about this length they cost the same.
_LINEAR = 100.0


@dataclass(frozen=True)
class Group:
    """Rows of about the same length.

    Attributes:
      rows: int32[rows], which of the batch.
      places: int32[3, rows, heads, length], where each head of each token's query, key and value is among all that
        there are; padding points at any.
      keys_values: int32[2, rows, heads, length], the same of keys and values where there are no queries beside them.
      bias: [rows, 1, 1, length], 0 at tokens and very negative at padding; added to attention scores.
    """

    rows: tf.Tensor
    places: tf.Tensor
    keys_values: tf.Tensor
    bias: tf.Tensor


@dataclass(frozen=True)
class Packing:
    """Where everything is, worked out once a batch: what each layer would work out again is nodes of the graph, and
    the first answer waits for TensorFlow's optimizer to go over every one of them.

    Attributes:
      first: int32[batch], each row's first token, in the order in which the rows came.
      groups: for attention.
      back: int32[tokens, heads], where each head of each token is among the groups' padded ones.
      back_first: int32[batch], each row's place among the groups' rows.
      scale: [], 1 / sqrt(head width).
      heads: int32[2], the shape of all heads of all tokens: any number, head width.
      first_heads: int32[4], the shape of those of each row's first token: any number, heads, 1, head width.
    """

    first: tf.Tensor
    groups: tuple[Group, ...]
    back: tf.Tensor
    back_first: tf.Tensor
    scale: tf.Tensor
    heads: tf.Tensor
    first_heads: tf.Tensor


def grouped(batch: tf.Tensor) -> tf.Tensor:
    """Whether a batch of that many rows is worth groups."""
    return batch >= _GROUPED_FROM


def plan(
    row_splits: tf.Tensor, *, groups: bool, heads: int, head_width: int, dtype: tf.DType
) -> Packing:
    """Args:
    row_splits: int32[batch + 1], rows of at least one token each; at least one row.
    """
    starts = row_splits[:-1]
    lengths = row_splits[1:] - starts
    batch = tf.size(starts)
    order = tf.argsort(lengths, stable=True) if groups else tf.range(batch)
    lengths_in_order = tf.gather(lengths, order)
    sizes = _sizes(lengths_in_order) if groups else batch[tf.newaxis]
    count = sizes.shape[0]
    # Queries, keys and values; rows; heads; length.
    parts = tf.reshape(tf.range(3 * heads), [3, 1, heads, 1])
    made, begins, strides, offset = [], [], [], tf.constant(0)
    for size, rows, row_starts, row_lengths in zip(
        tf.unstack(sizes),
        *(
            tf.split(each, sizes, num=count)
            for each in (order, tf.gather(starts, order), lengths_in_order)
        ),
        strict=True,
    ):
        longest = tf.reduce_max(row_lengths)
        columns = tf.range(longest)
        inside = columns < tf.expand_dims(row_lengths, 1)
        tokens = tf.expand_dims(tf.expand_dims(row_starts, 1) + tf.where(inside, columns, 0), 1)
        bias = tf.where(inside, tf.constant(0, dtype), tf.constant(dtype.min / 2, dtype))
        made.append(
            Group(
                rows=rows,
                places=tokens * (3 * heads) + parts,
                keys_values=tokens * (2 * heads) + parts[:2],
                bias=tf.reshape(bias, tf.stack([size, 1, 1, longest])),
            )
        )
        begins.append(offset + tf.range(size) * (longest * heads))
        strides.append(tf.fill([size], longest))
        offset += size * longest * heads
    back_first = tf.math.invert_permutation(order)
    # Of each row, in the order in which the rows came: where its padded copy begins, and how far its heads are apart.
    begin, stride = (tf.gather(tf.concat(each, 0), back_first) for each in (begins, strides))
    within = tf.ragged.range(lengths, row_splits_dtype=tf.int32)
    row = within.value_rowids()
    back = tf.expand_dims(tf.gather(begin, row) + within.values, 1)
    back += tf.expand_dims(tf.gather(stride, row), 1) * tf.range(heads)
    return Packing(
        first=starts,
        groups=tuple(made),
        back=back,
        back_first=back_first,
        scale=tf.constant(head_width**-0.5, dtype),
        heads=tf.constant([-1, head_width]),
        first_heads=tf.constant([-1, heads, 1, head_width]),
    )


def _sizes(lengths: tf.Tensor) -> tf.Tensor:
    """How many rows each group takes so that attention over all of them costs the least.

    Args:
      lengths: int32[batch], ascending; at least as many as groups.
    Returns: int32[groups], each above 0.
    """
    places = tf.size(lengths) * tf.range(_PLACES + 1) // _PLACES
    longest = tf.cast(tf.gather(lengths, tf.maximum(places - 1, 0)), tf.float32)
    rows = tf.cast(places - tf.expand_dims(places, 1), tf.float32)
    # [from, to] of one group.
    cost = tf.where(rows > 0, rows * longest * (longest + _LINEAR), np.inf)
    # Of the rows up to each place: in one group, then the best way with one more.
    total, begins = cost[0], []
    for _ in range(_GROUPS - 1):
        ways = tf.expand_dims(total, 1) + cost
        begins.append(tf.argmin(ways, axis=0, output_type=tf.int32))
        total = tf.reduce_min(ways, axis=0)
    edges = [tf.constant(_PLACES)]
    for begin in reversed(begins):
        edges.insert(0, tf.gather(begin, edges[0]))
    edges = tf.gather(places, tf.stack([0, *edges]))
    return edges[1:] - edges[:-1]


def repeated(step: Step, layer: LayerValues, *, dtype: tf.DType) -> Step:
    """A layer's step as one function that TensorFlow optimizes once, and not once a layer: that is what the first
    answer waits for. What each layer takes besides its own values is taken from around it.

    Args:
      layer: any; all are of its shapes.
    """
    width = layer.attention_output.bias.shape[0]
    values = tf.nest.map_structure(tf.TensorSpec.from_tensor, layer)
    return shared(step, [tf.TensorSpec([None, width], dtype), values], apart=True)


def attend(query_key_value: tf.Tensor, packing: Packing) -> tf.Tensor:
    """Multi-head self-attention. [tokens, 3 * width] of queries, keys and values -> [tokens, width]."""
    stream = tf.reshape(query_key_value, packing.heads)
    contexts = []
    for group in packing.groups:
        query, key, value = tf.unstack(tf.gather(stream, group.places))
        contexts.append(tf.reshape(_context(query, key, value, group, packing), packing.heads))
    context = tf.gather(_joined(contexts), packing.back)
    return tf.reshape(context, [-1, query_key_value.shape[1] // 3])


def attend_first(query: tf.Tensor, key_value: tf.Tensor, packing: Packing) -> tf.Tensor:
    """`attend` of each row's first token alone.

    [batch, width] of queries, [tokens, 2 * width] of keys and values -> [batch, width].
    """
    stream = tf.reshape(key_value, packing.heads)
    contexts = []
    for group in packing.groups:
        key, value = tf.unstack(tf.gather(stream, group.keys_values))
        own = tf.reshape(tf.gather(query, group.rows), packing.first_heads)
        context = _context(own, key, value, group, packing)
        contexts.append(tf.reshape(context, [-1, query.shape[1]]))
    return tf.gather(_joined(contexts), packing.back_first)


def _context(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, group: Group, packing: Packing
) -> tf.Tensor:
    scores = tf.matmul(query * packing.scale, key, transpose_b=True) + group.bias
    return tf.matmul(tf.nn.softmax(scores), value)


def _joined(contexts: list[tf.Tensor]) -> tf.Tensor:
    return tf.concat(contexts, 0) if len(contexts) > 1 else contexts[0]
