"""Two models predict the same rows, which are read once -> Comparison."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tfclf.data import Row
from tfclf.errors import InputError
from tfclf.evaluation.calibration import BINS
from tfclf.evaluation.comparison import Comparison
from tfclf.evaluation.mcnemar import mcnemar
from tfclf.evaluation.metrics import report_of, require_sklearn
from tfclf.evaluation.mistakes import Top, make_readable
from tfclf.evaluation.pair_scores import Disagreement
from tfclf.evaluation.tally import Predict, Tally, predict_rows, probabilities_of
from tfclf.prediction import Prediction

_T = TypeVar("_T")


@dataclass(frozen=True)
class Subject:
    """A model to be compared.

    Attributes:
      name: for people.
      predict: takes texts and gives their predictions in the same order.
      labels: in the order of its outputs.
      independent: whether each label has a probability of its own.
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
    """Predict every row with both models; compare them with the truth and with one another.

    Args:
      rows: rows whose labels are among both models'. Read once, one at a time, not held.
      batch_size, bins: as in `evaluate`.
      mistakes: how many of each model's worst mistakes, and of the disagreements, keep the start of
        their texts.
    Raises: as `evaluate`; InputError for two models with different labels. Their order may differ.
    """
    require_sklearn()
    _check_labels(first, second)
    labels = tuple(first.labels)
    subjects = (first, second)
    tallies = tuple(
        Tally(labels, independent=one.independent, mistakes=mistakes) for one in subjects
    )
    differences = _Differences(mistakes)
    watches = (_Watch(), _Watch())
    copies = itertools.tee(rows)
    predicted = [
        watch.time_predicting(predict_rows(subject.predict, watch.time_reading(copy), labels))
        for subject, watch, copy in zip(subjects, watches, copies, strict=True)
    ]
    # The two take turns row by row, so `tee` holds no more rows than a batch.
    for (row, one), (_, other) in zip(*predicted, strict=True):
        for tally, prediction in zip(tallies, (one, other), strict=True):
            tally.add(row, probabilities_of(prediction), prediction.label)
        differences.add(row, one, other)
    reports = [
        report_of(tally, runtime=watch.seconds, batch_size=batch_size, bins=bins)
        for tally, watch in zip(tallies, watches, strict=True)
    ]
    outcomes = _count_outcomes(*tallies)
    return Comparison(
        names=(first.name, second.name),
        first=reports[0],
        second=reports[1],
        both_right=outcomes[True, True],
        both_wrong=outcomes[False, False],
        mcnemar=mcnemar(outcomes[True, False], outcomes[False, True]),
        largest_probability_difference=differences.largest,
        its_row=differences.its_row,
        mean_probability_difference=differences.sum / reports[0].samples,
        disagreements=tuple(differences.disagreements),
        shown=tuple(differences.shown.items()),
    )


class _Differences:
    """The differences between the two models' predictions so far."""

    def __init__(self, texts: int) -> None:
        self.rows = 0
        self.sum = self.largest = 0.0
        self.its_row = 1
        self.disagreements: list[Disagreement] = []
        self.shown: Top[Disagreement] = Top(texts)

    def add(self, row: Row, one: Prediction, other: Prediction) -> None:
        self.rows += 1
        first, second = probabilities_of(one), probabilities_of(other)
        difference = _largest_difference(first, second)
        self.sum += difference
        if difference > self.largest:
            self.largest, self.its_row = difference, self.rows
        if one.label == other.label:
            return
        disagreement = Disagreement(
            row=self.rows,
            true=row.label or "",
            first=one.label,
            first_probability=first[one.label],
            second=other.label,
            second_probability=second[other.label],
            largest_difference=difference,
        )
        self.disagreements.append(disagreement)
        if self.shown.wants(difference):
            self.shown.add(difference, replace(disagreement, text=make_readable(row.text)))


class _Watch:
    """Seconds spent in one of two generators that take turns, without the time to read rows."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time_predicting(self, predictions: Iterator[_T]) -> Iterator[_T]:
        return self._time(predictions, 1)

    def time_reading(self, rows: Iterator[_T]) -> Iterator[_T]:
        return self._time(rows, -1)

    def _time(self, items: Iterator[_T], sign: int) -> Iterator[_T]:
        end = object()
        while True:
            started = time.perf_counter()
            item = next(items, end)
            self.seconds += sign * (time.perf_counter() - started)
            if item is end:
                return
            yield item  # type: ignore[misc]


def _count_outcomes(first: Tally, second: Tally) -> Counter[tuple[bool, bool]]:
    """Count rows by whether each of the two models is right."""
    rows = zip(first.truth, first.predicted, second.predicted, strict=True)
    return Counter((one == true, other == true) for true, one, other in rows)


def _largest_difference(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the largest difference between two probabilities of a label.

    >>> _largest_difference({"neg": 0.75, "pos": 0.25}, {"pos": 0.5, "neg": 0.5})
    0.25
    """
    return max(abs(probability - other[label]) for label, probability in one.items())


def _check_labels(first: Subject, second: Subject) -> None:
    if sorted(first.labels) != sorted(second.labels):
        raise InputError(
            f"the two models have different labels: {first.name} has {', '.join(first.labels)}; "
            f"{second.name} has {', '.join(second.labels)}. Expected the same ones, in any order: "
            f"compare models of one task."
        )
    if first.independent != second.independent:
        single, multi = first.name, second.name
        if first.independent:
            single, multi = multi, single
        raise InputError(
            f"{multi} is a multi-label model, whose probabilities are independent, and {single} is "
            f"not: their probabilities cannot be compared. Expected two of a kind."
        )
