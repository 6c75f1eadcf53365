"""The bucketed layout: every row and every batch padded up to a rung of the ladder, for XLA.

XLA compiles a program for each shape that it meets, for seconds each, and strings cannot enter it. So what has
the shapes of the text stays outside, and the compiled step meets the ladder's shapes only.
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
    """Runs a compiled step on rows of any number and length.

    Rows go sorted by length and in pieces of the top batch size: a piece is padded to its own longest row, so that
    one long text in a large batch costs its piece and no other. Cutting, and not a larger rung, keeps the number
    of programs bounded whatever the batch, and the memory too.

    Args:
      step: int32[inputs, rows, length], int32[rows] of the rows' lengths, 0 for one that is padding
        -> float32[rows, classes].
      indices: each int32[tokens]: what the step takes for each token.
      row_splits: int32[batch + 1], rows of at least one token and of at most `ladder.lengths[-1]`.
    Returns: float32[batch, classes], in the order in which the rows came.
    """
    # Left to itself, a GPU would take these small integers one kernel launch a step.
    with tf.device("CPU:0"):
        tokens = tf.stack(indices)
        starts = row_splits[:-1]
        lengths = row_splits[1:] - starts
        batch = tf.size(starts)
        order = tf.argsort(lengths, stable=True)
        back = tf.math.invert_permutation(order)
    top = ladder.batch_sizes[-1]

    def piece(done: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device("CPU:0"):
            rows = order[done : done + top]
            count = tf.size(rows)
            row_lengths = tf.gather(lengths, rows)
            padding = [[0, _rung(count, ladder.batch_sizes) - count]]
            columns = tf.range(_rung(tf.reduce_max(row_lengths), ladder.lengths))
            row_lengths = tf.pad(row_lengths, padding)
            inside = columns < row_lengths[:, tf.newaxis]
            # Padding may repeat any token: attention does not look at it.
            places = tf.pad(tf.gather(starts, rows), padding)[:, tf.newaxis] + tf.where(
                inside, columns, 0
            )
            dense = tf.gather(tokens, places, axis=1)
        return done + count, tf.concat([logits, step(dense, row_lengths)[:count]], 0)

    _, logits = tf.while_loop(
        lambda done, _: done < batch,
        piece,
        (tf.constant(0), tf.zeros([0, classes])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, classes])),
        # A piece has the whole device to itself; two at once would only take the memory of two.
        parallel_iterations=1,
    )
    return tf.gather(logits, back)


def _rung(size: tf.Tensor, rungs: Sequence[int]) -> tf.Tensor:
    """The lowest rung that is not below `size`."""
    return tf.gather(rungs, tf.searchsorted(rungs, size[tf.newaxis])[0])


def layout(
    lengths: tf.Tensor, *, length: tf.Tensor, heads: int, dtype: tf.DType, epsilon: float
) -> Layout:
    """Args:
    lengths: int32[batch], of the rows without their padding.
    length: of every row with it.
    epsilon: of layer norms.
    """
    batch = tf.size(lengths)
    # float32 whatever the precision: XLA makes one loop of mask, softmax and casts, and bfloat16 saves nothing there.
    inside = tf.sequence_mask(lengths, length)[:, tf.newaxis, tf.newaxis, :]
    bias = tf.where(inside, 0.0, tf.float32.min / 2)

    def heads_of(stream: tf.Tensor, parts: int) -> list[tf.Tensor]:
        split = tf.reshape(stream, [batch, length, parts, heads, stream.shape[1] // parts // heads])
        found: list[tf.Tensor] = tf.unstack(tf.transpose(split, [2, 0, 3, 1, 4]))
        return found

    def context(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        scores = tf.matmul(query * query.shape[3] ** -0.5, key, transpose_b=True)
        weights = tf.nn.softmax(tf.cast(scores, tf.float32) + bias)
        return tf.matmul(tf.cast(weights, dtype), value)

    def attend(query_key_value: tf.Tensor) -> tf.Tensor:
        found = context(*heads_of(query_key_value, 3))
        return tf.reshape(
            tf.transpose(found, [0, 2, 1, 3]), [batch * length, query_key_value.shape[1] // 3]
        )

    def attend_first(query: tf.Tensor, key_value: tf.Tensor) -> tf.Tensor:
        own = tf.reshape(query, [batch, heads, 1, query.shape[1] // heads])
        return tf.reshape(context(own, *heads_of(key_value, 2)), tf.shape(query))

    norm = functools.partial(NormValues.plain, epsilon=epsilon)
    return Layout(
        attend=attend,
        attend_first=attend_first,
        repeated=lambda step, _: step,
        norm=lambda _: norm,
        first=tf.range(batch) * length,
    )
