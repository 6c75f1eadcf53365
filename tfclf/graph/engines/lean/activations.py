"""The functions between and after products, by their names in config.json."""

from collections.abc import Callable, Mapping

import tensorflow as tf

LINEAR = "linear"

FUNCTIONS: Mapping[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: tf.nn.gelu(x, approximate=True),
    "relu": tf.nn.relu,
    "tanh": tf.nn.tanh,
    LINEAR: lambda x: x,
}
