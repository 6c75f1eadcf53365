"""Which training rows are held back: chosen by seed, the same fraction of every label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from tfclf.data import Row
from tfclf.errors import DataError


@dataclass(frozen=True)
class Split:
    """Rows to train on, and rows that choose the best epoch."""

    train: tuple[Row, ...]
    held_back: tuple[Row, ...]


def split(rows: Sequence[Row], labels: Sequence[str], *, share: float, seed: int) -> Split:
    """Hold back about the fraction `share` of each label's rows.

    Rows with the same text stay together, whatever their labels: a text that occurs twice must not
    be trained on and held back at once.

    >>> rows = [Row(text, "pos") for text in ("a", "a", "b", "c")]
    >>> parts = split(rows, ["pos"], share=0.3, seed=0)
    >>> {row.text for row in parts.train} & {row.text for row in parts.held_back}
    set()

    Raises: DataError if a label has fewer than two different texts.
    """
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.text, row)
    random = numpy.random.default_rng(seed)
    held_back: set[str] = set()
    for label in labels:
        texts = [text for text, row in first.items() if row.label == label]
        if len(texts) < 2:
            raise DataError(
                f"The training rows hold {len(texts)} different texts with the label {label!r}; "
                f"expected at least 2, one to train on and one to hold back. Add rows, or take the "
                f"label out of --labels."
            )
        count = min(max(1, round(share * len(texts))), len(texts) - 1)
        held_back.update(texts[index] for index in random.permutation(len(texts))[:count])
    return Split(
        train=tuple(row for row in rows if row.text not in held_back),
        held_back=tuple(row for row in rows if row.text in held_back),
    )
