"""Steps that several signatures share."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def shared(step: Callable[..., Any], signature: Sequence[tf.TypeSpec]) -> Callable[..., Any]:
    """`step` as a tf.function that is traced once, however many signatures call it.

    Without it each signature holds its own copy: an export of three times the nodes, four times the load time.
    """
    function: Callable[..., Any] = tf.function(
        lambda *inputs: step(*inputs), input_signature=signature, autograph=False
    )
    return function
