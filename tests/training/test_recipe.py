"""Hyper-parameters: the learning rate of each step, and values out of range."""

from typing import Any

import pytest

from tfclf.errors import InputError
from tfclf.training import Recipe


def test_the_rate_rises_then_falls_to_0() -> None:
    rates = [Recipe(learning_rate=4.0, warmup=0.25).rate_at(step, 8) for step in range(9)]
    assert rates == pytest.approx([2.0, 4.0, 4.0, 10 / 3, 8 / 3, 2.0, 4 / 3, 2 / 3, 0.0])


def test_without_warmup_the_first_rate_is_the_peak() -> None:
    assert Recipe(learning_rate=4.0, warmup=0).rate_at(0, 8) == 4.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("held_back", 1.0),
        ("round_weights", "int8"),
        ("mixed_precision", "fp16"),
        ("max_length", 2),
    ],
)
def test_a_recipe_out_of_range_is_refused_by_its_option(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"{name} is {value!r}; .*--{name.replace('_', '-')}"):
        Recipe(**{name: value})
