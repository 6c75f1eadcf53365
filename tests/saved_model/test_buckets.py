"""Padding buckets: few sizes, none of them far above the rows that they hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfclf
from tfclf.errors import InputError
from tfclf.saved_model.buckets import Ladder, compose_text


@given(st.integers(1, 5_000), st.data())
def test_no_row_is_padded_to_more_than_twice_its_length_or_32(
    max_length: int, data: st.DataObject
) -> None:
    ladder = Ladder.up_to(max_length)
    assert ladder.lengths[-1] == max_length
    length = data.draw(st.integers(1, max_length))
    assert min(bucket for bucket in ladder.lengths if bucket >= length) <= max(32, 2 * length)


def test_a_model_of_512_tokens_has_15_buckets() -> None:
    assert len(Ladder.up_to(512).rungs) == 15


@pytest.mark.parametrize("max_length", [5, 32, 33, 128, 512, 4096])
def test_usual_are_buckets_for_one_text_and_for_full_batches(max_length: int) -> None:
    ladder = Ladder.up_to(max_length)
    assert set(ladder.usual) <= set(ladder.rungs)
    assert {size for size, _ in ladder.usual} == {1, 32}


@pytest.mark.parametrize("sizes", [(), (0, 1), (8, 8), (8, 1), (1.5,), ("8",), (True, 2)], ids=str)
def test_sizes_that_do_not_go_up_are_refused(sizes: Any) -> None:
    with pytest.raises(
        InputError,
        match=r"the ladder's batch_sizes are .*expected whole numbers above 0 that go up",
    ):
        Ladder((32,), sizes)


@pytest.mark.parametrize("length", [3, 4, 32, 100, 512])
def test_a_text_for_a_bucket_has_just_its_tokens(classifier: tfclf.Classifier, length: int) -> None:
    text = compose_text(length, classifier._count_tokens)
    assert classifier.tokenize([text]).row_lengths().numpy().tolist() == [length]


def test_where_words_take_several_tokens_the_text_stays_below() -> None:
    text = compose_text(100, lambda text: 2 + 7 * len(text.split()))
    assert 2 + 7 * len(text.split()) == 100
    assert compose_text(99, lambda text: 2 + 7 * len(text.split())).count("news") == 13
