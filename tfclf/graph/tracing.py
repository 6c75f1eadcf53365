"""Steps that several signatures share."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def trace_once(
    step: Callable[..., Any],
    signature: Sequence[Any],
    *,
    xla: bool = False,
    noinline: bool = False,
) -> Callable[..., Any]:
    """Make `step` a tf.function that is traced once, however many signatures call it.

    Otherwise each signature holds its own copy, and an export has three times the nodes and four
    times the load time.

    >>> traces = []
    >>> double = trace_once(lambda x: traces.append(x) or 2 * x, [tf.TensorSpec([None], tf.int32)])
    >>> double(tf.constant([1])).numpy(), double(tf.constant([1, 2])).numpy(), len(traces)
    (array([2], dtype=int32), array([2, 4], dtype=int32), 1)

    Args:
      xla: whether XLA compiles it, once for each shape that it meets.
      noinline: whether calls keep the function boundary, so that Grappler optimizes the body once
        whatever the number of calls.
    """
    function: Callable[..., Any] = tf.function(
        lambda *inputs: step(*inputs),
        input_signature=signature,
        autograph=False,
        jit_compile=xla or None,
        experimental_attributes={"_noinline": True} if noinline else None,
    )
    return function
