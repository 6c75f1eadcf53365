"""Rows beside the predictions made for them, while both are read one at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tfclf.errors import InputError

_Row = TypeVar("_Row")
_Prediction = TypeVar("_Prediction")


def pair_with_rows(
    rows: Iterable[_Row], predict: Callable[[Iterator[_Row]], Iterable[_Prediction]]
) -> Iterator[tuple[_Row, _Prediction]]:
    """Yield each row with its prediction.

    >>> list(pair_with_rows(["a", "bcd"], lambda rows: map(len, rows)))
    [('a', 1), ('bcd', 3)]

    `predict` may read ahead, for instance to fill a batch. Only rows that it has read and not yet
    predicted are held.

    Args:
      predict: takes the rows and yields one prediction per row, in their order.
    Raises: InputError for fewer or more predictions than rows.
    """
    waiting: deque[_Row] = deque()
    remaining = iter(rows)

    def read() -> Iterator[_Row]:
        for row in remaining:
            waiting.append(row)
            yield row

    predicted = 0
    for prediction in predict(read()):
        if not waiting:
            raise InputError(
                f"predict gave prediction {predicted + 1} after {predicted} texts; "
                f"expected one per text, in order."
            )
        predicted += 1
        yield waiting.popleft(), prediction
    # Count also the rows that `predict` never read.
    total = predicted + len(waiting) + sum(1 for _ in remaining)
    if total != predicted:
        raise InputError(
            f"predict gave {predicted} predictions for {total} texts; expected one per text."
        )
