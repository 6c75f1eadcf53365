"""The bucketed layout: rows and batches padded to a short list of shapes, for XLA.

XLA compiles a program for each shape that it meets, which takes seconds, and strings cannot enter
it. So the steps whose shapes follow the text stay outside, and the compiled step meets the shapes
of the buckets only.
"""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfclf.graph.engines.lean.layout import Layout
from tfclf.graph.engines.lean.weights import NormValues
from tfclf.saved_model.buckets import Ladder

Step = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def run(
    step: Step, indices: Sequence[tf.Tensor], row_splits: tf.Tensor, *, ladder: Ladder, classes: int
) -> tf.Tensor:
    """Run a compiled step on rows of any number and length.

    Sort the rows by length and encode pieces of the largest batch size. Each piece is padded to its
    own longest row, so one long text in a large batch costs its piece and no other. Pieces bound
    the number of programs whatever the batch, and the memory too; a larger bucket would not.

    Three rows of 5, 1 and 2 tokens, in buckets of 4 or 8 tokens and 2 rows, meet two shapes:

    >>> shapes = []
    >>> def step(tokens, lengths):
    ...     shapes.append(tuple(tokens.shape))
    ...     return tf.cast(lengths, tf.float32)[:, tf.newaxis]
    >>> ids, row_splits = tf.constant([1, 1, 1, 1, 1, 2, 3, 3]), tf.constant([0, 5, 6, 8])
    >>> run(step, [ids], row_splits, ladder=Ladder((4, 8), (2,)), classes=1).numpy().tolist()
    [[5.0], [1.0], [2.0]]
    >>> shapes  # [inputs, rows, length]
    [(1, 2, 4), (1, 2, 8)]

    Args:
      step: int32[inputs, rows, length], int32[rows] of the rows' lengths (0 for a padding row)
        -> float32[rows, classes].
      indices: int32[tokens] each: the inputs of the step for each token.
      row_splits: int32[batch + 1], rows of at least one token and of at most `ladder.lengths[-1]`.
    Returns: float32[batch, classes], in input order.
    """
    # On its own, TensorFlow would put these small integer ops on a GPU, one kernel launch each.
    with tf.device("CPU:0"):
        tokens = tf.stack(indices)
        starts = row_splits[:-1]
        lengths = row_splits[1:] - starts
        batch = tf.size(starts)
        order = tf.argsort(lengths, stable=True)
        back = tf.math.invert_permutation(order)
    top = ladder.batch_sizes[-1]

    def encode_piece(done: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device("CPU:0"):
            rows = order[done : done + top]
            count = tf.size(rows)
            row_lengths = tf.gather(lengths, rows)
            padding = [[0, _pick_bucket(count, ladder.batch_sizes) - count]]
            columns = tf.range(_pick_bucket(tf.reduce_max(row_lengths), ladder.lengths))
            row_lengths = tf.pad(row_lengths, padding)
            inside = columns < row_lengths[:, tf.newaxis]
            # [rows, 1] + [rows, length]; padding may repeat any token, since attention masks it.
            places = tf.pad(tf.gather(starts, rows), padding)[:, tf.newaxis] + tf.where(
                inside, columns, 0
            )
            dense = tf.gather(tokens, places, axis=1)
        return done + count, tf.concat([logits, step(dense, row_lengths)[:count]], 0)

    _, logits = tf.while_loop(
        lambda done, _: done < batch,
        encode_piece,
        (tf.constant(0), tf.zeros([0, classes])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, classes])),
        # A piece keeps the whole device busy; two at once would only take the memory of two.
        parallel_iterations=1,
    )
    return tf.gather(logits, back)


def _pick_bucket(size: tf.Tensor, buckets: Sequence[int]) -> tf.Tensor:
    """Return the smallest bucket that holds `size`.

    >>> [int(_pick_bucket(tf.constant(size), (1, 8, 32))) for size in (1, 2, 8, 9)]
    [1, 8, 8, 32]
    """
    return tf.gather(buckets, tf.searchsorted(buckets, size[tf.newaxis])[0])


def make_layout(
    lengths: tf.Tensor, *, length: tf.Tensor, heads: int, dtype: tf.DType, epsilon: float
) -> Layout:
    """Make the layout of rows that are all padded to `length`.

    Args:
      lengths: int32[batch], tokens in each row without padding.
      length: int32[], tokens in each row with padding.
      epsilon: of layer norms.
    """
    batch = tf.size(lengths)
    # Softmax in float32 whatever the precision: XLA makes one loop of mask, softmax and casts, and
    # bfloat16 saves nothing there.
    inside = tf.sequence_mask(lengths, length)[:, tf.newaxis, tf.newaxis, :]
    bias = tf.where(inside, 0.0, tf.float32.min / 2)

    def split_heads(hidden: tf.Tensor, parts: int) -> list[tf.Tensor]:
        # [batch * length, parts * hidden_size] -> `parts` of [batch, heads, length, head_size]
        head_size = hidden.shape[1] // parts // heads
        split = tf.reshape(hidden, [batch, length, parts, heads, head_size])
        heads_by_part: list[tf.Tensor] = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        return heads_by_part

    def attend_padded(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        # [batch, heads, queries, head_size] three times -> the same shape as `query`
        scores = tf.matmul(query * query.shape[3] ** -0.5, key, transpose_b=True)
        weights = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
        return tf.matmul(tf.cast(weights, dtype), value)

    def attend(query_key_value: tf.Tensor) -> tf.Tensor:
        context = attend_padded(*split_heads(query_key_value, 3))
        return tf.reshape(
            tf.transpose(context, [0, 2, 1, 3]), [batch * length, query_key_value.shape[1] // 3]
        )

    def attend_first(query: tf.Tensor, key_value: tf.Tensor) -> tf.Tensor:
        first = tf.reshape(query, [batch, heads, 1, query.shape[1] // heads])
        return tf.reshape(attend_padded(first, *split_heads(key_value, 2)), tf.shape(query))

    norm = functools.partial(NormValues.apply_plain, epsilon=epsilon)
    return Layout(
        attend=attend,
        attend_first=attend_first,
        trace_step=lambda step, _: step,
        norm=lambda _: norm,
        first=tf.range(batch) * length,
    )
