"""The rows of `tfclf evaluate`, and whose order the numbers in their label column follow."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tfclf.data import (
    DATA_SETS,
    DataSet,
    Layout,
    Row,
    find_data_set,
    find_split,
    labelled_rows,
    split_of,
    split_rows,
)
from tfclf.data.labels import find_labels
from tfclf.data.splits import missing_split
from tfclf.errors import InputError


def rows_of(
    data: Path, labels: Sequence[str], layout: Layout, *, named: str | None, card: str | None
) -> Iterable[Row]:
    """Return the rows, each with one of the model's labels.

    A model's outputs may be in another order than its data set's numbers: Spark NLP's cards list
    the labels of AG News alphabetically. Numbers therefore count the labels of the data set if it
    is known, and those of the model otherwise.

    Args:
      data: a file, or the folder of a data set, of which the test split is read.
      named: data set that the user named.
      card: data set of the model's card.
    Raises: DataError; InputError for a data set with other labels, and for numbers that may count
      either's labels.
    """
    data_set = None if named is None else find_data_set(named)
    if data_set is not None and set(data_set.labels) != set(labels):
        raise InputError(
            f"{data_set.title} has the labels {', '.join(data_set.labels)}, and the model has "
            f"{', '.join(labels)}. Expected the same ones; correct --data-set, or leave it out."
        )
    if data_set is None and card is not None:
        candidate = DATA_SETS.get(card)
        if candidate is not None and set(candidate.labels) == set(labels):
            data_set = candidate
    if data_set is not None:
        return _read_data_set(data, data_set, layout)
    if data.is_dir():
        raise InputError(
            f"{data} is a folder. Expected a file of rows; or say with --data-set whose folder it "
            f"is: {', '.join(DATA_SETS)}."
        )
    if layout.label_base is None:
        _check_numbers(data, labels, layout)
    return labelled_rows(data, labels, layout)


def _read_data_set(data: Path, data_set: DataSet, layout: Layout) -> Iterable[Row]:
    if not data.is_dir():
        return split_rows(split_of([data], data_set), layout)
    split = find_split(data, data_set, "test")
    if split is None:
        raise missing_split(data, data_set, "test")
    return split_rows(split, layout)


def _check_numbers(data: Path, labels: Sequence[str], layout: Layout) -> None:
    """Refuse numbers that mean other labels to a known data set with the same labels."""
    other = next((one for one in DATA_SETS.values() if sorted(one.labels) == sorted(labels)), None)
    if other is None or tuple(other.labels) == tuple(labels):
        return
    written = find_labels(data, layout)
    if all(label.lstrip("-").isdigit() for label in written):
        raise InputError(
            f"the labels in {data} are numbers, which the model counts as {', '.join(labels)} and "
            f"{other.title} as {', '.join(other.labels)}. Say whose they are: --data-set "
            f"{other.name}, or --label-base for the model's; or write names."
        )
