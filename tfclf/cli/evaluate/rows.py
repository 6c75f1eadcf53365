"""The rows of `tfclf evaluate`, and whose order the numbers in their label column follow."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from tfclf.data import (
    DATA_SETS,
    DataSet,
    LabelledRows,
    Layout,
    find_data_set,
    find_split,
    labelled_rows,
    split_of,
    split_rows,
)
from tfclf.data.label_sets import multi_labelled_rows
from tfclf.data.labels import find_labels, is_number
from tfclf.data.layout import check_table, is_official_ag_news
from tfclf.data.lines import is_standard_input
from tfclf.data.records import check_standard_input
from tfclf.data.splits import missing_split
from tfclf.errors import InputError


def rows_of(
    data: Path,
    labels: Sequence[str],
    layout: Layout,
    *,
    named: str | None,
    card: str | None,
    card_named: bool = True,
) -> LabelledRows:
    """Return the rows, each with one of the model's labels.

    A model's outputs may be in another order than its data set's numbers: Spark NLP's cards list
    the labels of AG News alphabetically. Numbers therefore count the labels of the data set if it
    is known, and those of the model otherwise.

    Args:
      data: a file, or the folder of a data set, of which the test split is read.
      named: data set that the user named.
      card: data set of the model's card.
      card_named: whether the user named the card. If the card is only that of the model's name,
        the rows may be of any origin: numbers count its data set's labels in official files alone.
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
            certain = card_named or data.is_dir() or is_official_ag_news(data, layout)
            if not certain and _has_numbers(data, layout):
                data_set = None
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


def multi_label_rows_of(
    data: Path, labels: Sequence[str], layout: Layout, *, model: str
) -> LabelledRows:
    """Return the rows, each with several of a multi-label model's labels.

    Raises: DataError; InputError for a folder, naming the `model`.
    """
    if data.is_dir():
        raise InputError(
            f"{data} is a folder, and {model} is a multi-label model. "
            f"Expected a file of rows with a column per label, or with lists of labels."
        )
    return multi_labelled_rows(data, labels, layout)


@contextmanager
def keep_rows(data: Path, layout: Layout) -> Iterator[Path]:
    """Give a file that can be read several times; standard input and pipes are copied to one.

    Raises: DataError for standard input without `layout.format`.
    """
    if is_standard_input(data):
        check_standard_input(layout.format)
        source: AbstractContextManager[IO[bytes]] = nullcontext(sys.stdin.buffer)
        name = "standard-input"
    elif data.exists() and not data.is_file() and not data.is_dir():
        source, name = data.open("rb"), data.name
    else:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="tfclf-") as folder:
        path = Path(folder) / name
        with source as stream, path.open("wb") as copy:
            shutil.copyfileobj(stream, copy)
        yield path


def check_rows(data: Path, layout: Layout, *, named: str | None) -> None:
    """Check that rows can be read, as far as that shows without the labels of a model.

    Raises: DataError.
    """
    if not data.is_dir():
        check_table(data, layout)
    elif named is not None and find_split(data, find_data_set(named), "test") is None:
        raise missing_split(data, find_data_set(named), "test")


def _read_data_set(data: Path, data_set: DataSet, layout: Layout) -> LabelledRows:
    if not data.is_dir():
        return split_rows(split_of([data], data_set), layout)
    split = find_split(data, data_set, "test")
    if split is None:
        raise missing_split(data, data_set, "test")
    return split_rows(split, layout)


def _has_numbers(data: Path, layout: Layout) -> bool:
    return all(is_number(label) for label in find_labels(data, layout))


def _check_numbers(data: Path, labels: Sequence[str], layout: Layout) -> None:
    """Refuse numbers that mean other labels to a known data set with the same labels."""
    other = next((one for one in DATA_SETS.values() if sorted(one.labels) == sorted(labels)), None)
    if other is None or tuple(other.labels) == tuple(labels):
        return
    if _has_numbers(data, layout):
        raise InputError(
            f"the labels in {data} are numbers, which the model counts as {', '.join(labels)} and "
            f"{other.title} as {', '.join(other.labels)}. Say whose they are: --data-set "
            f"{other.name}, or --label-base for the model's; or write names."
        )
