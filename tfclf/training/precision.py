"""Number formats: mixed precision while training on a GPU, and rounding of the final weights."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy
import tensorflow as tf
import tf_keras

from tfclf.errors import InputError

# From this compute capability on, NVIDIA's tensor cores multiply bfloat16.
_BFLOAT16_CAPABILITY = (8, 0)


def policy_for(mixed_precision: str) -> str:
    """Return the Keras policy for a recipe's `mixed_precision`; "auto" depends on the GPU.

    "auto" never chooses float16: its small range needs loss scaling, and bfloat16 does not.
    """
    if mixed_precision != "auto":
        return mixed_precision
    gpus = tf.config.list_physical_devices("GPU")
    capabilities = [
        tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        for gpu in gpus
    ]
    able = bool(gpus) and min(capabilities) >= _BFLOAT16_CAPABILITY
    return "mixed_bfloat16" if able else "float32"


def should_compile(jit_compile: bool | None) -> bool:
    """Return whether XLA compiles the step. On a CPU it gains nothing and takes minutes."""
    if jit_compile is None:
        return bool(tf.config.list_physical_devices("GPU"))
    return jit_compile


@contextlib.contextmanager
def keras_for_training(policy: str) -> Iterator[None]:
    """Make layers built inside use `policy`, and draw dropout from a tf.random.Generator."""
    policy_before = tf_keras.mixed_precision.global_policy()
    generators_before = tf_keras.backend.experimental.is_tf_random_generator_enabled()
    tf_keras.mixed_precision.set_global_policy(policy)
    tf_keras.backend.experimental.enable_tf_random_generator()
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(policy_before)
        if not generators_before:
            tf_keras.backend.experimental.disable_tf_random_generator()


def round_weights(model: Any, dtype: str) -> None:
    """Round every weight to the nearest value of `dtype`; the variables stay float32.

    Raises: InputError if a weight is too large for `dtype`; the model then stays unchanged.
    """
    rounded = []
    for weight in model.weights:
        values = weight.numpy()
        with numpy.errstate(over="ignore"):
            rounded.append(values.astype(dtype).astype(values.dtype))
        if not numpy.isfinite(rounded[-1]).all():
            raise InputError(
                f"{weight.name} holds {abs(values).max():g}, which is more than {dtype} can hold "
                f"({numpy.finfo(dtype).max:g}). Train without --round-weights."
            )
    for weight, values in zip(model.weights, rounded, strict=True):
        weight.assign(values)
