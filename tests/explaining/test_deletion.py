"""Explained words are worth something: without them the label's probability falls most."""

import pytest

import tfclf
from bench.explain import measure_falls
from samples.checkpoints import DEMO
from tfclf.sample_texts import HEADLINES


@pytest.mark.sample(5)
@pytest.mark.parametrize("count", [2, 5])
def test_without_the_strongest_words_the_probability_falls_most(count: int) -> None:
    falls = measure_falls(tfclf.load(DEMO), HEADLINES, count=count)
    assert falls.strongest >= 3 * falls.at_random


@pytest.mark.verify
def test_on_500_rows_five_words_make_three_times_the_difference(ag_news: list[str]) -> None:
    falls = measure_falls(tfclf.load(DEMO), ag_news[:500])
    assert falls.strongest >= 3 * falls.at_random
