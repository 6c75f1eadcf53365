"""Records to rows: which columns are the text, and which one is the label."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.data.records import Record, is_csv, read_records
from tfclf.errors import DataError

_TEXT_NAMES = ("text", "review", "sentence", "content")
_LABEL_NAMES = ("label", "class", "polarity", "sentiment")


@dataclass(frozen=True)
class Row:
    """A text, its label and its second text; None for those that were not asked for."""

    text: str
    label: str | None
    pair: str | None = None


@dataclass(frozen=True)
class Layout:
    """The columns of a file, as far as the file does not show them itself.

    Whatever is left out is recognised, or an error asks for it.

    Attributes:
      text: columns whose cells, joined by a space, are the text: names, or positions from 0
        ("1", "2").
      label: the column of the label, by name or position.
      pair: the column of the second text, by name or position, for models that compare two texts.
      header: whether the first row of a CSV file names its columns.
      label_base: the number of the first label if labels are numbers: 0 or 1.
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    pair: str | None = None
    header: bool | None = None
    label_base: int | None = None


@dataclass(frozen=True)
class _Columns:
    text: tuple[str | int, ...]
    label: str | int | None
    pair: str | int | None = None


def read_rows(
    path: str | Path, layout: Layout | None = None, *, labelled: bool = True
) -> Iterator[Row]:
    """Read the rows of a file one at a time, with labels as the file spells them.

        next(read_rows("ag_news/test.csv")).label   # '3'

    Recognised without a layout: columns named text, review, sentence or content; label, class,
    polarity or sentiment; and the official AG News files, whose columns (class, title, description)
    have no names.

    Args:
      path: .csv, .jsonl (both also .gz) or .parquet, in UTF-8.
      labelled: whether to require a column of labels; if not, every label is None.
    Raises: DataError, which names the file and the line; MissingExtraError.
    """
    for _, row in read_rows_with_places(Path(path), layout or Layout(), labelled=labelled):
        yield row


def read_rows_with_places(
    path: Path, layout: Layout, *, labelled: bool = True
) -> Iterator[tuple[str, Row]]:
    """Read rows as `read_rows` does, each with its place in the file ("line 12")."""
    records = read_records(path)
    first = next(records, None)
    if first is None:
        raise DataError(f"{path} has no rows. Expected at least one.")
    records = itertools.chain([first], records)
    names = _read_header(first, layout) if is_csv(path) else None
    if names is not None:
        _refuse_equal_names(names, path, first.place)
        next(records)
        records = (Record(record.place, _name_cells(record.cells, names)) for record in records)
        first = next(records, None)
        if first is None:
            raise DataError(
                f"{path} has a header ({', '.join(names)}) and no rows. Expected at least one."
            )
        records = itertools.chain([first], records)
    columns = _choose_columns(first, layout, path, labelled=labelled)
    for record in records:
        text = " ".join(_read_text(record, column, path) for column in columns.text)
        label = None if columns.label is None else _read_label(record, columns.label, path)
        pair = None if columns.pair is None else _read_text(record, columns.pair, path)
        yield record.place, Row(text, label, pair)


def _read_header(first: Record, layout: Layout) -> list[str] | None:
    """Return the names of the columns; None if the first record is a row.

    >>> _read_header(Record("line 1", {0: "", 1: "Text"}), Layout())
    ['0', 'Text']
    >>> _read_header(Record("line 1", {0: "3", 1: "Shares jump"}), Layout())
    """
    # A column without a name, such as an index written by pandas, is named by its position.
    names = [str(cell).strip() or str(position) for position, cell in first.cells.items()]
    requested = [*layout.text, *(name for name in (layout.label, layout.pair) if name is not None)]
    if layout.header is not None:
        return names if layout.header else None
    if any(not name.isdigit() for name in requested):
        return names
    known = {*_TEXT_NAMES, *_LABEL_NAMES}
    return names if any(name.lower() in known for name in names) else None


def _refuse_equal_names(names: Sequence[str], path: Path, place: str) -> None:
    if len(set(names)) != len(names):
        repeated = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        raise DataError(f"{path}, {place}: the header names {repeated} more than once. Rename one.")


def _name_cells(cells: Mapping[str | int, Any], names: Sequence[str]) -> dict[str | int, Any]:
    return dict(zip(names, cells.values(), strict=True))


def _choose_columns(first: Record, layout: Layout, path: Path, *, labelled: bool) -> _Columns:
    columns = list(first.cells)
    text = tuple(_find_column(name, columns, path, "--text-column") for name in layout.text)
    label = None
    if labelled and layout.label is not None:
        label = _find_column(layout.label, columns, path, "--label-column")
    pair = None
    if layout.pair is not None:
        pair = _find_column(layout.pair, columns, path, "--pair-column")
    if _is_official_ag_news(first) and not text and layout.label is None and pair is None:
        return _Columns(text=(1, 2), label=0 if labelled else None)
    if not text:
        text = (_recognise_column(columns, _TEXT_NAMES, "text", "--text-column", path),)
    if labelled and label is None:
        label = _recognise_column(columns, _LABEL_NAMES, "label", "--label-column", path)
    return _Columns(text, label, pair)


def _is_official_ag_news(first: Record) -> bool:
    return list(first.cells) == [0, 1, 2] and str(first.cells[0]).strip() in {"1", "2", "3", "4"}


def _find_column(name: str, columns: Sequence[str | int], path: Path, option: str) -> str | int:
    """Return the column of that name, or else at that position.

    >>> _find_column("1", ["title", "text"], Path("rows.csv"), "--text-column")
    'text'
    """
    if name in columns:
        return name
    if name.isdigit() and int(name) < len(columns):
        return columns[int(name)]
    raise DataError(
        f"{path} has no column {name!r}: found {_list_columns(columns)}. Correct {option}."
    )


def _recognise_column(
    columns: Sequence[str | int], known: Sequence[str], kind: str, option: str, path: Path
) -> str | int:
    matches = [name for name in columns if isinstance(name, str) and name.lower() in known]
    if len(matches) == 1:
        return matches[0]
    problem = f"no column is named for the {kind}"
    if matches:
        problem = f"several columns may hold the {kind}"
    raise DataError(
        f"{path}: {problem}: found {_list_columns(columns)}; expected one of the names "
        f"{', '.join(known)}. Name the column with {option}."
    )


def _list_columns(columns: Sequence[str | int]) -> str:
    if columns and isinstance(columns[0], int):
        return f"{len(columns)} columns without names, 0 to {len(columns) - 1}"
    return ", ".join(str(name) for name in columns) or "no columns"


def _read_text(record: Record, column: str | int, path: Path) -> str:
    cell = _read_cell(record, column, path)
    if not isinstance(cell, str):
        raise DataError(
            f"{path}, {record.place}: {column} is {_shorten(cell)}; expected text. "
            f"Correct or delete the row."
        )
    return cell


def _read_label(record: Record, column: str | int, path: Path) -> str:
    """Return the label as text.

    >>> _read_label(Record("row 1", {"label": 2.0}), "label", Path("rows.parquet"))
    '2'
    """
    cell = _read_cell(record, column, path)
    if isinstance(cell, str) and cell.strip():
        return cell.strip()
    # pandas turns a column of integers into floats as soon as one value is missing.
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    raise DataError(
        f"{path}, {record.place}: {column} is {_shorten(cell)}; expected a label's name or its "
        f"number. Correct or delete the row."
    )


def _read_cell(record: Record, column: str | int, path: Path) -> Any:
    try:
        return record.cells[column]
    except KeyError:
        columns = ", ".join(str(name) for name in record.cells) or "nothing"
        raise DataError(
            f"{path}, {record.place}: there is no {column!r}, which the first row has; "
            f"found {columns}. Correct or delete the row."
        ) from None


def _shorten(cell: object) -> str:
    words = repr(cell)
    return words if len(words) <= 40 else f"{words[:40]}..."
