"""Steps that several signatures share."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def shared(
    step: Callable[..., Any], signature: Sequence[Any], *, xla: bool = False, apart: bool = False
) -> Callable[..., Any]:
    """`step` as a tf.function that is traced once, however many signatures call it.

    Without it each signature holds its own copy: an export of three times the nodes, four times the load time.

    Args:
      xla: whether XLA compiles it, once for each shape that it meets.
      apart: whether it stays a function of its own where it is called, which TensorFlow optimizes once, whatever the
        number of calls.
    """
    function: Callable[..., Any] = tf.function(
        lambda *inputs: step(*inputs),
        input_signature=signature,
        autograph=False,
        jit_compile=xla or None,
        experimental_attributes={"_noinline": True} if apart else None,
    )
    return function
