"""Number formats: mixed precision, rounding, and NaN."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from tests.training.tiny import LABELS, RECIPE, weights_of
from tfclf.errors import InputError
from tfclf.training import TrainingResult


def test_rounded_weights_are_exact_in_float16(again: Callable[..., TrainingResult]) -> None:
    result = again(recipe=replace(RECIPE, epochs=1, round_weights="float16"))
    for name, values in weights_of(result.folder).items():
        assert values.dtype == numpy.float32
        numpy.testing.assert_array_equal(values, values.astype(numpy.float16), err_msg=name)


def test_a_weight_too_large_for_float16_is_refused(base: Path) -> None:
    from tfclf.training.base import open_base
    from tfclf.training.precision import round_weights
    from tfclf.training.weights import build

    model = build(open_base(base, labels=LABELS))
    model.weights[0].assign(model.weights[0] + 70_000.0)
    with pytest.raises(InputError, match=r"more than float16 can hold"):
        round_weights(model, "float16")


def test_mixed_precision_trains_and_writes_float32(again: Callable[..., TrainingResult]) -> None:
    result = again(recipe=replace(RECIPE, mixed_precision="mixed_bfloat16"))
    assert result.history[-1].loss < result.history[0].loss
    assert {values.dtype.name for values in weights_of(result.folder).values()} == {"float32"}


def test_a_loss_that_is_no_number_ends_the_training(again: Callable[..., TrainingResult]) -> None:
    with pytest.raises(InputError, match=r"The loss is nan at step \d+.*Lower --learning-rate"):
        again(recipe=replace(RECIPE, learning_rate=1e30, warmup=0.0))


def test_kerass_global_policy_is_left_as_it_was(trained: TrainingResult) -> None:
    import tf_keras

    assert trained
    assert tf_keras.mixed_precision.global_policy().name == "float32"
    assert not tf_keras.backend.experimental.is_tf_random_generator_enabled()
