"""Rows with any number of labels each, for multi-label models: lists, or a column per label."""

import ast
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfclf.data.labels import LabelledRows, number_labels, resolve_labels
from tfclf.data.layout import Layout, Row, open_table, read_label_cells
from tfclf.data.lines import refuse_pipe
from tfclf.data.records import Record
from tfclf.errors import DataError

_LIST_NAMES = ("label", "labels", "class", "polarity", "sentiment")
_FLAGS = {"0": False, "1": True, "false": False, "true": True}
_Read = Callable[[str, Any], tuple[str, ...]]


def multi_labelled_rows(
    path: str | Path, labels: Sequence[str], layout: Layout | None = None
) -> LabelledRows:
    """Read the rows of a file, each with all of its labels in `Row.labels`, in the model's order.

        rows = multi_labelled_rows("comments.csv", ["toxic", "insult", "threat"])
        next(rows).labels   # ('toxic', 'insult')

    Two layouts are known. In the first, each label is a column of its own, named as the model names
    it, with 0 or 1 in each row. In the second, one column holds a list of labels: an array in JSON
    and Parquet, a JSON array in a CSV cell. The lists hold names, or numbers as in `labelled_rows`.

    Args:
      path, layout: as in `read_rows`.
      labels: the model's, in the order of its outputs.
    Raises: DataError, also for rows of a single label each.
    """
    numbers: dict[str, str] = {}
    rows = _read_multi(Path(path), tuple(labels), layout or Layout(), numbers)
    return LabelledRows(rows, numbers)


def _read_multi(
    path: Path, labels: tuple[str, ...], layout: Layout, numbers: dict[str, str]
) -> Iterator[Row]:
    refuse_pipe(path)
    first, _ = open_table(path, layout)
    present = [label for label in labels if label in first.cells]
    if layout.label is None and present:
        missing = [label for label in labels if label not in present]
        if missing:
            raise DataError(
                f"{path} has a column for the label {', '.join(present)} and none for "
                f"{', '.join(missing)}. Expected one column for each of the model's labels."
            )
        for place, row, cells in read_label_cells(path, layout, labels):
            flags = [_read_flag(cell, label, place, path) for label, cell in cells.items()]
            yield replace(row, labels=tuple(_select(labels, flags)))
        return
    column = _find_list_column(first, labels, layout, path)
    meaning = _find_meaning(path, labels, layout, column)
    numbers |= number_labels(meaning, labels)
    for place, row, lists in read_label_cells(path, layout, (column,)):
        chosen = {meaning[one] for one in _read_list(lists[column], column, place, path)}
        yield replace(row, labels=tuple(label for label in labels if label in chosen))


def _select(labels: Sequence[str], flags: Sequence[bool]) -> Iterator[str]:
    return (label for label, flag in zip(labels, flags, strict=True) if flag)


def _find_list_column(
    first: Record, labels: Sequence[str], layout: Layout, path: Path
) -> str | int:
    columns = list(first.cells)
    if layout.label is not None:
        if layout.label in columns:
            return layout.label
        if layout.label.isdigit() and int(layout.label) < len(columns):
            return columns[int(layout.label)]
    else:
        matches = [name for name in columns if str(name).lower() in _LIST_NAMES]
        if len(matches) == 1:
            return matches[0]
    names = ", ".join(str(name) for name in columns)
    raise DataError(
        f"{path}: no column holds the labels: found {names}. The model is multi-label; expected a "
        f"column of 0 and 1 for each of {', '.join(labels)}, or one column of lists of labels. "
        f"Name that with --label-column."
    )


def _find_meaning(
    path: Path, labels: Sequence[str], layout: Layout, column: str | int
) -> Mapping[str, str]:
    places: dict[str, str] = {}
    flags = len(labels) > 1
    for place, _, cells in read_label_cells(path, layout, (column,)):
        written = _read_list(cells[column], column, place, path)
        flags = flags and len(written) == len(labels) and set(written) <= {"0", "1"}
        if len(set(written)) != len(written) and not flags:
            raise DataError(
                f"{path}, {place}: {column} names a label twice: {', '.join(written)}. "
                f"Expected each label at most once. Are these flags, a 0 or 1 for each label? "
                f"Then write a column for each label."
            )
        for one in written:
            places.setdefault(one, place)
    if flags and places:
        raise DataError(
            f"{path}: every list in {column} is {len(labels)} long and holds only 0 and 1: numbers "
            f"of labels, or a flag for each label? Write the labels' names, or a column for each."
        )
    return resolve_labels(places, labels, path, label_base=layout.label_base)


def _read_list(cell: Any, column: str | int, place: str, path: Path) -> list[str]:
    """Return the labels in a cell, as the file spells them.

    >>> _read_list('["toxic", 2]', "label", "line 2", Path("rows.csv"))
    ['toxic', '2']
    >>> _read_list("['toxic', 'insult']", "label", "line 2", Path("rows.csv"))
    ['toxic', 'insult']

    Raises: DataError unless it is a list of names or numbers.
    """
    items = _parse_list(cell) if isinstance(cell, str) else cell
    if not isinstance(items, list):
        raise DataError(
            f"{path}, {place}: {column} is {cell!r}, and the model is multi-label. Expected a list "
            f'of labels, such as ["a", "b"] or [], or a column of 0 and 1 for each label. '
            f"Rows of one label each are for a single-label model."
        )
    for one in items:
        if isinstance(one, bool | float) or not isinstance(one, str | int):
            raise DataError(
                f"{path}, {place}: {column} holds {one!r}; expected labels' names or their numbers."
                f" For a 0 or 1 for each label, write a column for each label."
            )
    return [str(one).strip() for one in items]


def _parse_list(cell: str) -> Any:
    """Parse the list in a cell of a CSV file, in JSON or as Python's `str` writes it."""
    if cell.strip().startswith("["):
        with contextlib.suppress(json.JSONDecodeError, RecursionError):
            return json.loads(cell)
        # pandas writes a column of lists so. Nothing but literals is evaluated.
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(cell.strip())
    return cell


def _read_flag(cell: Any, column: str, place: str, path: Path) -> bool:
    """Return whether a label's column says that the text has the label.

    >>> [_read_flag(cell, "toxic", "line 2", Path("rows.csv")) for cell in ("1", 0.0, True)]
    [True, False, True]

    Raises: DataError unless the cell is 0 or 1, or false or true.
    """
    written = str(cell).strip().lower()
    if (isinstance(cell, float) and cell.is_integer()) or written in ("0.0", "1.0"):
        written = str(int(float(cell)))
    if written not in _FLAGS:
        raise DataError(
            f"{path}, {place}: {column} is {cell!r}; expected 0 or 1: whether the text has the "
            f"label. Correct or delete the row."
        )
    return _FLAGS[written]
