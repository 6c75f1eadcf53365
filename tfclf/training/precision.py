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
    """A recipe's `mixed_precision` -> the Keras policy; "auto" looks at the GPU.

    float16 is never picked unasked: its small range needs loss scaling, which bfloat16 does without.
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


def compiles(jit_compile: bool | None) -> bool:
    """Whether XLA compiles the step. On a CPU it gains nothing and takes minutes."""
    return bool(tf.config.list_physical_devices("GPU")) if jit_compile is None else jit_compile


@contextlib.contextmanager
def keras_for_training(policy: str) -> Iterator[None]:
    """Layers built inside compute by `policy` and draw their dropout from a tf.random.Generator."""
    before = tf_keras.mixed_precision.global_policy()
    generators_before = tf_keras.backend.experimental.is_tf_random_generator_enabled()
    tf_keras.mixed_precision.set_global_policy(policy)
    tf_keras.backend.experimental.enable_tf_random_generator()
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
        if not generators_before:
            tf_keras.backend.experimental.disable_tf_random_generator()


def round_weights(model: Any, dtype: str) -> None:
    """Rounds every weight to the nearest value that `dtype` holds exactly; the variables stay float32.

    Raises: InputError where a weight is too large for it; the model is then as it was.
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
