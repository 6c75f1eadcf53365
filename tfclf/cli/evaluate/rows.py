"""The rows of `tfclf evaluate`: what a number in the column of labels means depends on who has numbered them."""

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
from tfclf.data.labels import first_places
from tfclf.data.splits import no_split
from tfclf.errors import InputError


def rows_of(
    data: Path, labels: Sequence[str], layout: Layout, *, named: str | None, card: str | None
) -> Iterable[Row]:
    """The rows, each with one of the model's labels.

    The outputs of a model need not be in the order in which its data set numbers the labels: Spark NLP's cards list
    AG News' alphabetically. So numbers are those of the data set where it is known, and of the model where it is not.

    Args:
      data: a file; or the folder of a data set, whose test split is taken.
      named: data set that the user has named.
      card: data set of the model's card.
    Raises: DataError; InputError for a data set of other labels, and for numbers that may be either's.
    """
    data_set = None if named is None else find_data_set(named)
    if data_set is not None and set(data_set.labels) != set(labels):
        raise InputError(
            f"{data_set.title} has the labels {', '.join(data_set.labels)}, and the model has {', '.join(labels)}. "
            f"Expected the same ones; correct --data-set, or leave it out."
        )
    if data_set is None and card is not None:
        of_card = DATA_SETS.get(card)
        data_set = of_card if of_card is not None and set(of_card.labels) == set(labels) else None
    if data_set is not None:
        return _of_data_set(data, data_set, layout)
    if data.is_dir():
        raise InputError(
            f"{data} is a folder. Expected a file of rows; or say with --data-set whose folder it is: "
            f"{', '.join(DATA_SETS)}."
        )
    if layout.label_base is None:
        _check_numbers(data, labels, layout)
    return labelled_rows(data, labels, layout)


def _of_data_set(data: Path, data_set: DataSet, layout: Layout) -> Iterable[Row]:
    if not data.is_dir():
        return split_rows(split_of([data], data_set), layout)
    split = find_split(data, data_set, "test")
    if split is None:
        raise no_split(data, data_set, "test")
    return split_rows(split, layout)


def _check_numbers(data: Path, labels: Sequence[str], layout: Layout) -> None:
    """Raises: InputError where numbers would mean other labels to a data set that has the same ones."""
    other = next((one for one in DATA_SETS.values() if sorted(one.labels) == sorted(labels)), None)
    if other is None or tuple(other.labels) == tuple(labels):
        return
    written = first_places(data, layout)
    if all(label.lstrip("-").isdigit() for label in written):
        raise InputError(
            f"the labels in {data} are numbers, which the model counts as {', '.join(labels)} and {other.title} as "
            f"{', '.join(other.labels)}. Say whose they are: --data-set {other.name}, or --label-base for the model's; "
            f"or write names."
        )
