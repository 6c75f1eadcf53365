"""Two models answer the same rows, which are read once -> Comparison."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tfclf.data import Row
from tfclf.errors import InputError
from tfclf.evaluation.calibration import BINS
from tfclf.evaluation.comparison import Comparison, Disagreement
from tfclf.evaluation.mcnemar import mcnemar
from tfclf.evaluation.metrics import report_of, sklearn_metrics
from tfclf.evaluation.mistakes import Top, readable
from tfclf.evaluation.tally import Predict, Tally, answered, shares_of
from tfclf.prediction import Prediction

_T = TypeVar("_T")


@dataclass(frozen=True)
class Subject:
    """A model that is to be compared.

    Attributes:
      name: for people.
      predict: takes texts, gives their predictions in the same order.
      labels: in the order of its outputs.
      independent: whether each label has a probability by itself.
    """

    name: str
    predict: Predict
    labels: Sequence[str]
    independent: bool = False


def compare(
    first: Subject,
    second: Subject,
    rows: Iterable[Row],
    *,
    batch_size: int | None = None,
    bins: int = BINS,
    mistakes: int = 0,
) -> Comparison:
    """Lets both predict every row, and compares them with the truth and with one another.

    Args:
      rows: with labels that are among both models'. Read once, one at a time, not held.
      batch_size, bins: as `evaluate` takes them.
      mistakes: how many of each model's worst ones, and of the rows on which they disagree, keep the start of their
        texts.
    Raises: as `evaluate`; InputError for two models that have not the same labels, in whatever order.
    """
    sklearn_metrics()
    _check_labels(first, second)
    labels = tuple(first.labels)
    tallies = tuple(
        Tally(labels, independent=one.independent, mistakes=mistakes) for one in (first, second)
    )
    between = _Between(mistakes)
    watches = (_Watch(), _Watch())
    pairs = zip(
        *(
            watch.answering(answered(subject.predict, watch.reading(copy), labels))
            for subject, watch, copy in zip(
                (first, second), watches, itertools.tee(rows), strict=True
            )
        ),
        strict=True,
    )
    for (row, one), (_, other) in pairs:
        for tally, prediction in zip(tallies, (one, other), strict=True):
            tally.add(row, shares_of(prediction), prediction.label)
        between.add(row, one, other)
    reports = [
        report_of(tally, runtime=watch.seconds, batch_size=batch_size, bins=bins)
        for tally, watch in zip(tallies, watches, strict=True)
    ]
    right = [
        [true == said for true, said in zip(tally.truth, tally.predicted, strict=True)]
        for tally in tallies
    ]
    counts = dict.fromkeys(itertools.product((True, False), repeat=2), 0)
    for outcome in zip(*right, strict=True):
        counts[outcome] += 1
    return Comparison(
        names=(first.name, second.name),
        first=reports[0],
        second=reports[1],
        both_right=counts[True, True],
        both_wrong=counts[False, False],
        mcnemar=mcnemar(counts[True, False], counts[False, True]),
        largest_probability_difference=between.largest,
        its_row=between.its_row,
        mean_probability_difference=between.sum / reports[0].samples,
        disagreements=tuple(between.disagreements),
        shown=tuple(between.shown.items()),
    )


class _Between:
    """What is known only of the two together."""

    def __init__(self, texts: int) -> None:
        self.rows = 0
        self.sum = self.largest = 0.0
        self.its_row = 1
        self.disagreements: list[Disagreement] = []
        self.shown: Top[Disagreement] = Top(texts)

    def add(self, row: Row, one: Prediction, other: Prediction) -> None:
        self.rows += 1
        difference = _largest_difference(shares_of(one), shares_of(other))
        self.sum += difference
        if difference > self.largest:
            self.largest, self.its_row = difference, self.rows
        if one.label == other.label:
            return
        shares = shares_of(one)[one.label], shares_of(other)[other.label]
        found = Disagreement(
            self.rows, row.label or "", one.label, shares[0], other.label, shares[1], difference
        )
        self.disagreements.append(found)
        if self.shown.wants(difference):
            self.shown.add(difference, replace(found, text=readable(row.text)))


class _Watch:
    """Seconds spent in one of two generators that take turns, without those in which rows were read."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def answering(self, answers: Iterator[_T]) -> Iterator[_T]:
        return self._timed(answers, 1)

    def reading(self, rows: Iterator[_T]) -> Iterator[_T]:
        return self._timed(rows, -1)

    def _timed(self, items: Iterator[_T], sign: int) -> Iterator[_T]:
        end = object()
        while True:
            started = time.perf_counter()
            item = next(items, end)
            self.seconds += sign * (time.perf_counter() - started)
            if item is end:
                return
            yield item  # type: ignore[misc]


def _largest_difference(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return max(abs(share - other[label]) for label, share in one.items())


def _check_labels(first: Subject, second: Subject) -> None:
    if sorted(first.labels) != sorted(second.labels):
        raise InputError(
            f"the two models have not the same labels: {first.name} has {', '.join(first.labels)}; {second.name} has "
            f"{', '.join(second.labels)}. Expected the same ones, in whatever order: compare models of one task."
        )
    if first.independent != second.independent:
        single, multi = (
            (second.name, first.name) if first.independent else (first.name, second.name)
        )
        raise InputError(
            f"{multi} is a multi-label model, whose probabilities stand by themselves, and {single} is not: their "
            f"probabilities cannot be compared. Expected two of a kind."
        )
