"""Rows beside their predictions, whatever the model reads ahead."""

import itertools
import weakref
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfclf.data.pairing import pair_with_rows
from tfclf.errors import InputError


class Text(str):
    """A row whose life can be watched."""


def predict_in_batches(rows: Iterable[str], size: int) -> Iterator[int]:
    """Predict the length of each row; read a whole batch before the first prediction."""
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, size)):
        yield from map(len, batch)


@given(rows=st.lists(st.text(max_size=3)), size=st.integers(1, 5))
def test_each_row_gets_its_own_prediction(rows: list[str], size: int) -> None:
    pairs = pair_with_rows(rows, lambda rows: predict_in_batches(rows, size))
    assert list(pairs) == [(row, len(row)) for row in rows]


def test_a_list_of_predictions_is_paired_too() -> None:
    assert list(pair_with_rows("ab", lambda rows: [row.upper() for row in rows])) == [
        ("a", "A"),
        ("b", "B"),
    ]


def test_only_the_rows_of_a_batch_are_held() -> None:
    alive: weakref.WeakSet[Text] = weakref.WeakSet()
    most = 0

    def read() -> Iterator[Text]:
        nonlocal most
        for number in range(100):
            row = Text(number)
            alive.add(row)
            most = max(most, len(alive))
            yield row

    for _ in pair_with_rows(read(), lambda rows: predict_in_batches(rows, 4)):
        pass
    assert most < 12


@pytest.mark.parametrize("size", [1, 5])
def test_missing_predictions_are_refused(size: int) -> None:
    pairs = pair_with_rows(
        ["a", "b", "c"], lambda rows: itertools.islice(predict_in_batches(rows, size), 2)
    )
    with pytest.raises(InputError, match="gave 2 predictions for 3 texts"):
        list(pairs)


def test_a_prediction_too_many_is_refused() -> None:
    pairs = pair_with_rows(["a"], lambda rows: [*map(len, rows), 0])
    with pytest.raises(InputError, match="gave prediction 2 after 1 texts"):
        list(pairs)
