"""The packed layout: no padding anywhere but inside attention, and little there.

Linear layers, layer norms and activations run on [tokens, hidden_size], the tokens of all rows one
after the other. Attention needs rows. It sorts them by length and divides them into the groups that
need the least padding. One gather pads each group to its own longest row, and one gather a layer
undoes it.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfclf.graph.engines.lean.layout import Step
from tfclf.graph.engines.lean.weights import LayerValues
from tfclf.graph.tracing import trace_once

Attend = Callable[[tf.Tensor], tf.Tensor]

_GROUPS = 4
# In smaller batches the groups cost more (8 ms on 12 layers) than they save.
_MIN_GROUPED_ROWS = 8
# Groups start at one of this many places, evenly spaced among the sorted rows; at least as many as
# _GROUPS.
_PLACES = 32
# A row of n tokens, padding included, costs n * (n + this). Products of queries, keys and values
# are quadratic, moving tokens to rows and back is linear; at about this length they cost the same.
_LINEAR = 100.0


class Group(NamedTuple):
    """Rows of about the same length, padded to the longest of them.

    Attributes:
      rows: int32[rows], their indices in the batch.
      places: int32[3, rows, heads, length], the index of each head of each token's query, key and
        value among all of them; padding points at any token.
      keys_values: int32[2, rows, heads, length], the same where keys and values have no queries
        beside them.
      bias: [rows, 1, 1, length], 0 at tokens and very negative at padding; added to attention
        scores.
    """

    rows: tf.Tensor
    places: tf.Tensor
    keys_values: tf.Tensor
    bias: tf.Tensor


class Packing(NamedTuple):
    """Indices and shapes of a packed batch, computed once.

    Computed in each layer, they would add nodes there. Grappler visits every node before the first
    call returns.

    Attributes:
      first: int32[batch], the index of each row's first token, in input order.
      grouped: bool[], whether there are groups; if not, the first of `groups` has all rows, and the
        others repeat it.
      groups: of rows, for attention.
      back: int32[tokens, heads], the index of each head of each token among the groups' padded
        heads.
      back_first: int32[batch], the index of each row among the groups' rows.
      head_count, head_size: of each token.
      heads: int32[2], the shape of all heads of all tokens: any number, head size.
      first_heads: int32[4], the shape of each row's first token: any number, heads, 1, head size.
    """

    first: tf.Tensor
    grouped: tf.Tensor
    groups: tuple[Group, ...]
    back: tf.Tensor
    back_first: tf.Tensor
    head_count: int
    head_size: int
    heads: tf.Tensor
    first_heads: tf.Tensor


def pad_tokens(values: tf.Tensor, row_splits: tf.Tensor, *, multiple: int) -> tf.Tensor:
    """Append zeros up to a multiple of so many tokens. Nobody reads the tokens that they make.

    oneDNN builds a kernel for each number of tokens that it meets, which takes longer than to
    compute a few more tokens.

    >>> pad_tokens(tf.constant([7, 8, 9]), tf.constant([0, 2, 3]), multiple=4).numpy().tolist()
    [7, 8, 9, 0]

    Args:
      values: [tokens, ...].
    """
    if multiple == 1:
        return values
    spare = [[0, -row_splits[-1] % multiple]]
    return tf.pad(values, spare + [[0, 0]] * (values.shape.rank - 1))


def plan(
    row_splits: tf.Tensor,
    *,
    heads: int,
    head_size: int,
    dtype: tf.DType,
    token_multiple: int = 1,
    length_multiple: int = 1,
) -> Packing:
    """Plan where the heads of each token go before attention, and come from after it.

    Two rows of 2 tokens and 1 token, with 2 heads: [3 tokens, 3 * hidden_size] is seen as 3 * 3 * 2
    heads. Token 0 has the queries 0 and 1, the keys 2 and 3, the values 4 and 5; token 1 starts at
    6 and token 2 at 12.

    >>> packing = plan(tf.constant([0, 2, 3]), heads=2, head_size=8, dtype=tf.float32)
    >>> group = packing.groups[0]
    >>> queries, keys, values = group.places.numpy().tolist()
    >>> queries  # [rows, heads, length]; the second row repeats its token as padding
    [[[0, 6], [1, 7]], [[12, 12], [13, 13]]]
    >>> keys
    [[[2, 8], [3, 9]], [[14, 14], [15, 15]]]

    Attention returns [rows, heads, length] of these heads, flattened: numbers 0 to 7. Each token
    takes its two heads back from there; 5 and 7 are padding:

    >>> packing.back.numpy().tolist()  # [tokens, heads]
    [[0, 2], [1, 3], [4, 6]]

    Small batches are not grouped. Attention alone chooses by that: a second encoder for them would
    double Grappler's work, and the weights that kernels keep.

    Args:
      row_splits: int32[batch + 1], rows of at least one token each; at least one row.
      token_multiple: as for `pad_tokens`, if that has padded the tokens.
      length_multiple: each group of rows is padded to a multiple of so many tokens.
    """
    grouped = tf.size(row_splits) - 1 >= _MIN_GROUPED_ROWS
    plan_rows = functools.partial(
        _plan_rows, row_splits, heads=heads, dtype=dtype, length_multiple=length_multiple
    )
    groups, back, back_first = tf.cond(
        grouped,
        lambda: plan_rows(groups=True),
        lambda: plan_rows(groups=False),
    )
    return Packing(
        first=row_splits[:-1],
        grouped=grouped,
        groups=groups,
        back=pad_tokens(back, row_splits, multiple=token_multiple),
        back_first=back_first,
        head_count=heads,
        head_size=head_size,
        heads=tf.constant([-1, head_size]),
        first_heads=tf.constant([-1, heads, 1, head_size]),
    )


def _plan_rows(
    row_splits: tf.Tensor, *, heads: int, dtype: tf.DType, length_multiple: int, groups: bool
) -> tuple[tuple[Group, ...], tf.Tensor, tf.Tensor]:
    """Return a Packing's `groups`, `back` and `back_first`.

    Args:
      groups: whether to sort and group rows; needs at least _GROUPS rows.
    """
    starts = row_splits[:-1]
    lengths = row_splits[1:] - starts
    batch = tf.size(starts)
    order = tf.argsort(lengths, stable=True) if groups else tf.range(batch)
    lengths_in_order = tf.gather(lengths, order)
    sizes = _choose_group_sizes(lengths_in_order) if groups else batch[tf.newaxis]
    count = sizes.shape[0]
    # Queries, keys and values; rows; heads; length.
    parts = tf.reshape(tf.range(3 * heads), [3, 1, heads, 1])
    packed_groups, begins, strides, offset = [], [], [], tf.constant(0)
    for size, rows, row_starts, row_lengths in zip(
        tf.unstack(sizes),
        *(
            tf.split(each, sizes, num=count)
            for each in (order, tf.gather(starts, order), lengths_in_order)
        ),
        strict=True,
    ):
        longest = tf.reduce_max(row_lengths)
        longest += -longest % length_multiple
        columns = tf.range(longest)
        inside = columns < tf.expand_dims(row_lengths, 1)
        # [rows, 1, length], here [[[0, 1]], [[2, 2]]]: padding repeats the row's first token.
        tokens = tf.expand_dims(tf.expand_dims(row_starts, 1) + tf.where(inside, columns, 0), 1)
        bias = tf.where(inside, tf.constant(0, dtype), tf.constant(dtype.min / 2, dtype))
        packed_groups.append(
            Group(
                rows=rows,
                # [rows, 1, length] + [3, 1, heads, 1] -> [3, rows, heads, length]
                places=tokens * (3 * heads) + parts,
                keys_values=tokens * (2 * heads) + parts[:2],
                bias=tf.reshape(bias, tf.stack([size, 1, 1, longest])),
            )
        )
        # Each row takes heads * longest places in the flattened group, head after head.
        begins.append(offset + tf.range(size) * (longest * heads))
        strides.append(tf.fill([size], longest))
        offset += size * longest * heads
    back_first = tf.math.invert_permutation(order)
    # Per row, in input order: offset of its padded copy, and stride between its heads.
    # Here begin is [0, 4] and stride [2, 2].
    begin, stride = (tf.gather(tf.concat(each, 0), back_first) for each in (begins, strides))
    within = tf.ragged.range(lengths, row_splits_dtype=tf.int32)
    row = within.value_rowids()
    # [tokens, 1] + [tokens, 1] * [heads] -> [tokens, heads]
    back = tf.expand_dims(tf.gather(begin, row) + within.values, 1)
    back += tf.expand_dims(tf.gather(stride, row), 1) * tf.range(heads)
    return tuple(packed_groups * (_GROUPS // count)), back, back_first


def _choose_group_sizes(lengths: tf.Tensor) -> tf.Tensor:
    """Choose the number of rows in each group that makes attention over all of them cheapest.

    >>> _choose_group_sizes(tf.constant([5, 5, 5, 6, 50, 52, 200, 210])).numpy()
    array([4, 2, 1, 1], dtype=int32)

    Args:
      lengths: int32[batch], ascending; at least _GROUPS rows.
    Returns: int32[groups], each above 0.
    """
    places = tf.size(lengths) * tf.range(_PLACES + 1) // _PLACES
    longest = tf.cast(tf.gather(lengths, tf.maximum(places - 1, 0)), tf.float32)
    rows = tf.cast(places - tf.expand_dims(places, 1), tf.float32)
    # cost[i, j]: the rows between places i and j as one group. Rows ascend, so the last is longest.
    cost = tf.where(rows > 0, rows * longest * (longest + _LINEAR), np.inf)
    # total[j]: the cheapest way to divide all rows before place j into one group, then two, then
    # more. begins[g][j]: where the last group of that way starts.
    total, begins = cost[0], []
    for _ in range(_GROUPS - 1):
        ways = tf.expand_dims(total, 1) + cost
        begins.append(tf.argmin(ways, axis=0, output_type=tf.int32))
        total = tf.reduce_min(ways, axis=0)
    # Walk back from the last place: where its group starts, the group before ends.
    edges = [tf.constant(_PLACES)]
    for begin in reversed(begins):
        edges.insert(0, tf.gather(begin, edges[0]))
    edges = tf.gather(places, tf.stack([0, *edges]))
    return edges[1:] - edges[:-1]


def trace_step(step: Step, layer: LayerValues, *, dtype: tf.DType) -> Step:
    """Make one function of the step of a layer that runs several times, as ALBERT's do.

    Grappler then optimizes the step once instead of once per pass; this dominates first-call
    latency. Layers with weights of their own must not share the function, see `share_attention`.

    Args:
      layer: the layer's values, which become arguments.
    """
    if tf.config.functions_run_eagerly():  # calibration: its values are no tensors
        return step
    hidden_size = layer.attention_output[0].bias.shape[0]
    values = tf.nest.map_structure(tf.TensorSpec.from_tensor, layer)
    return trace_once(step, [tf.TensorSpec([None, hidden_size], dtype), values], noinline=True)


def share_attention(packing: Packing, *, hidden_size: int, dtype: tf.DType) -> Attend:
    """Make one function of `attend`, for all layers.

    Grappler then optimizes attention once instead of once per layer. Products with weights stay
    outside, and each layer has nodes of its own for them: with TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1, a
    node's kernel keeps the first weights that it sees. So no node may meet a second weight.
    """
    return trace_once(
        functools.partial(attend, packing=packing),
        [tf.TensorSpec([None, 3 * hidden_size], dtype)],
        noinline=True,
    )


def attend(query_key_value: tf.Tensor, packing: Packing) -> tf.Tensor:
    """Compute multi-head self-attention, each row for itself.

    With queries and keys of 0, each token gets the mean of its row's values:

    >>> packing = plan(tf.constant([0, 2, 3]), heads=2, head_size=1, dtype=tf.float32)
    >>> values = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> attend(tf.concat([tf.zeros([3, 4]), values], 1), packing).numpy().round(3)
    array([[2., 3.],
           [2., 3.],
           [5., 6.]], dtype=float32)

    Args:
      query_key_value: [tokens, 3 * hidden_size].
    Returns: [tokens, hidden_size].
    """
    # [tokens, 3 * hidden_size] -> [tokens * 3 * heads, head_size]
    heads = tf.reshape(query_key_value, packing.heads)

    def attend_in(group: Group) -> tf.Tensor:
        # [3, rows, heads, length, head_size] -> three of [rows, heads, length, head_size]
        query, key, value = tf.unstack(tf.gather(heads, group.places))
        context = _attend_padded(query, key, value, group, packing)
        return tf.reshape(context, packing.heads)

    # [padded heads of all groups, head_size] -> [tokens, heads, head_size] -> [tokens, hidden_size]
    context = tf.gather(_join_groups(attend_in, packing), packing.back)
    return tf.reshape(context, [-1, query_key_value.shape[1] // 3])


def attend_first(query: tf.Tensor, key_value: tf.Tensor, packing: Packing) -> tf.Tensor:
    """Compute `attend` for each row's first token alone.

    >>> packing = plan(tf.constant([0, 2, 3]), heads=2, head_size=1, dtype=tf.float32)
    >>> values = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> key_value = tf.concat([tf.zeros([3, 2]), values], 1)
    >>> attend_first(tf.zeros([2, 2]), key_value, packing).numpy().round(3)
    array([[2., 3.],
           [5., 6.]], dtype=float32)

    Args:
      query: [batch, hidden_size].
      key_value: [tokens, 2 * hidden_size].
    Returns: [batch, hidden_size], in input order.
    """
    heads = tf.reshape(key_value, packing.heads)

    def attend_in(group: Group) -> tf.Tensor:
        # [2, rows, heads, length, head_size] -> two of [rows, heads, length, head_size]
        key, value = tf.unstack(tf.gather(heads, group.keys_values))
        # [rows, hidden_size] -> [rows, heads, 1, head_size]
        first = tf.reshape(tf.gather(query, group.rows), packing.first_heads)
        context = _attend_padded(first, key, value, group, packing)
        return tf.reshape(context, [-1, query.shape[1]])

    return tf.gather(_join_groups(attend_in, packing), packing.back_first)


def _attend_padded(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, group: Group, packing: Packing
) -> tf.Tensor:
    """Return softmax(query @ key^T / sqrt(head size)) @ value, padding masked."""
    for heads in (query, key, value):
        heads.set_shape([None, packing.head_count, None, packing.head_size])
    # Grappler fuses scale and bias into the product only if the scale is a constant of this graph,
    # and if all shapes have a known rank.
    scale = tf.constant(packing.head_size**-0.5, query.dtype)
    bias = tf.ensure_shape(group.bias, [None, 1, 1, None])
    scores = tf.matmul(query * scale, key, transpose_b=True) + bias
    return tf.matmul(tf.nn.softmax(scores), value)


def _join_groups(attend_in: Callable[[Group], tf.Tensor], packing: Packing) -> tf.Tensor:
    """Concatenate the contexts of all groups."""
    return tf.cond(
        packing.grouped,
        lambda: tf.concat([attend_in(group) for group in packing.groups], 0),
        lambda: attend_in(packing.groups[0]),
    )
