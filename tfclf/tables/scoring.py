"""Rows to predictions: the texts of a part, sorted by length, and the rows that have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfclf.data.layout import join_text
from tfclf.decision import Rule
from tfclf.errors import DataError, InputError

if TYPE_CHECKING:
    from tfclf.classifier import Classifier
    from tfclf.tables.chunks import Chunk
    from tfclf.tables.read import Table

ON_ERROR = ("fail", "skip", "null")
Predicted = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Failure:
    """A row without a prediction.

    Attributes:
      file, place: where it stands, such as "line 12".
      reason: the message of the error.
    """

    file: str
    place: str
    reason: str


@dataclass(frozen=True)
class Scored:
    """The rows of a part that go to the output.

    Attributes:
      chunks: the rows; without those that are skipped.
      predicted: by column, one value per row; object arrays with None for rows that failed.
      failures: the rows that failed.
    """

    chunks: Sequence[Chunk]
    predicted: Predicted
    failures: Sequence[Failure]


@dataclass(frozen=True)
class Options:
    """How texts are classified: the arguments of `Classifier.predict_columns`.

    Attributes:
      long, stride, batch_size, streams: as there.
      on_error: what a row without a text does: 'fail' ends the job, 'skip' leaves the row out,
        'null' writes it without a prediction.
      rule: ranks, thresholds and abstention.
    """

    long: str = "truncate"
    stride: int | None = None
    batch_size: int = 32
    on_error: str = "fail"
    streams: int = 1
    rule: Rule | None = None

    def __post_init__(self) -> None:
        if self.on_error not in ON_ERROR:
            raise InputError(
                f"on_error is {self.on_error!r}; expected one of {', '.join(map(repr, ON_ERROR))}."
            )


def score_chunks(
    classifier: Classifier,
    chunks: Sequence[Chunk],
    table: Table,
    options: Options,
    *,
    look_ahead: int,
    count: Callable[[int], None],
) -> Scored:
    """Classify the rows of a part.

    Args:
      look_ahead: rows that are sorted by length together.
      count: called with the number of rows that were classified since the last call.
    Raises: DataError for a row without a text, if `options` say so.
    """
    rows: list[tuple[str, ...]] = []
    kept: list[Chunk] = []
    good: list[bool] = []  # of the kept rows, whether they have a text
    failures: list[Failure] = []
    for chunk in chunks:
        indices = []
        for index, (row, failure, broken) in enumerate(_read_texts(chunk, table, options)):
            if failure is not None:
                failures.append(failure)
            if failure is None or (options.on_error == "null" and not broken):
                indices.append(index)
                good.append(failure is None)
            if row is not None:
                rows.append(row)
        kept.append(chunk if len(indices) == len(chunk) else chunk.select(indices))
    parts = []
    for start in range(0, max(len(rows), 1), look_ahead):
        window = rows[start : start + look_ahead]
        parts.append(
            _predict(classifier, window, has_pairs=table.pair is not None, options=options)
        )
        count(len(window))
    predicted = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    count(len(failures))
    if not all(good):
        predicted = {name: _fill(column, good) for name, column in predicted.items()}
    return Scored([chunk for chunk in kept if len(chunk)] or kept[:1], predicted, failures)


def _predict(
    classifier: Classifier, rows: Sequence[tuple[str, ...]], *, has_pairs: bool, options: Options
) -> Predicted:
    columns = list(zip(*rows, strict=True)) or [(), ()]
    return classifier.predict_columns(
        columns[0],
        pairs=columns[1] if has_pairs else None,
        long=options.long,
        stride=options.stride,
        batch_size=options.batch_size,
        streams=options.streams,
        **({} if options.rule is None else options.rule.arguments),
    )


def _read_texts(
    chunk: Chunk, table: Table, options: Options
) -> Iterator[tuple[tuple[str, ...] | None, Failure | None, bool]]:
    """Yield each row's text (and pair) or its failure, and whether the row has no cells at all."""
    for record in chunk.read_records(table.read_columns):
        try:
            if record.error is not None:
                raise record.error
            texts = [join_text(record, table.text, chunk.path)]
            if table.pair is not None:
                texts.append(join_text(record, [table.pair], chunk.path))
            yield tuple(texts), None, False
        except DataError as error:
            if options.on_error == "fail":
                raise DataError(
                    f"{error} To go on without such rows: --on-error skip, or --on-error null."
                ) from error
            failure = Failure(str(chunk.path), record.place, str(error))
            yield None, failure, record.error is not None


def _fill(column: np.ndarray[Any, Any], good: Sequence[bool]) -> np.ndarray[Any, Any]:
    """Spread a column over all rows, with None where there is no prediction."""
    filled = np.full((len(good), *column.shape[1:]), None, object)
    filled[np.array(good, bool)] = column
    return filled
