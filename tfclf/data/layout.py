"""Records to rows: which columns are the text, and which one is the label."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tfclf.data.lines import name_of
from tfclf.data.records import DELIMITERS, Record, is_separated, read_records
from tfclf.errors import DataError

_TEXT_NAMES = ("text", "review", "sentence", "content")
_LABEL_NAMES = ("label", "class", "polarity", "sentiment")
_NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?")
_Column = TypeVar("_Column", bound=str | int)
_SAMPLE = 20  # rows that show whether the first one is a header


class NoRowsError(DataError):
    """A file that holds no rows, or nothing but a header."""


@dataclass(frozen=True)
class Row:
    """A text, its label and its second text; None for those that were not asked for.

    Attributes:
      labels: all labels of the text, for multi-label models; None for rows of one label.
    """

    text: str
    label: str | None
    pair: str | None = None
    labels: tuple[str, ...] | None = None


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
      delimiter: between the columns of a CSV or TSV file, if its header does not show it.
      format: of the file, e.g. "csv", if its suffix does not name it; standard input has none.
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    pair: str | None = None
    header: bool | None = None
    label_base: int | None = None
    delimiter: str | None = None
    format: str | None = None


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
      path: .csv, .tsv, .jsonl, .ndjson, .json (all also .gz) or .parquet, in UTF-8, or in UTF-16
        with a byte order mark.
      labelled: whether to require a column of labels; if not, every label is None.
    Raises: DataError, which names the file and the line; MissingExtraError.
    """
    for _, row in read_rows_with_places(Path(path), layout or Layout(), labelled=labelled):
        yield row


def read_rows_with_places(
    path: Path, layout: Layout, *, labelled: bool = True
) -> Iterator[tuple[str, Row]]:
    """Read rows as `read_rows` does, each with its place in the file ("line 12")."""
    first, records = open_table(path, layout)
    path = Path(name_of(path))
    columns = _choose_columns(first, layout, path, labelled=labelled)
    for record in records:
        text = join_text(record, columns.text, path)
        label = None if columns.label is None else _read_label(record, columns.label, path)
        pair = None if columns.pair is None else _read_text(record, columns.pair, path)
        yield record.place, Row(text, label, pair)


def read_label_cells(
    path: Path, layout: Layout, columns: Sequence[_Column]
) -> Iterator[tuple[str, Row, dict[_Column, Any]]]:
    """Read each row's place, the row without its label, and the cells of some columns."""
    first, records = open_table(path, layout)
    path = Path(name_of(path))
    chosen = _choose_columns(first, layout, path, labelled=False)
    for record in records:
        cells = {column: _read_cell(record, column, path) for column in columns}
        yield record.place, Row(join_text(record, chosen.text, path), None), cells


def check_table(path: Path, layout: Layout, *, labelled: bool = False) -> None:
    """Check that a file can be opened and has the columns of the text. Raises: DataError."""
    first, _ = open_table(path, layout)
    _choose_columns(first, layout, Path(name_of(path)), labelled=labelled)


def is_official_ag_news(path: Path, layout: Layout) -> bool:
    """Return whether the file has the columns of the official AG News files, without names."""
    if not is_separated(path, layout.format):
        return False
    if layout.header or layout.text or layout.label is not None:
        return False
    first = next(_read_records(path, layout), None)
    return first is not None and _is_official_ag_news(first)


def find_text(
    first: Record, layout: Layout, path: Path
) -> tuple[tuple[str | int, ...], str | int | None]:
    """Return the columns of the text and the one of the second text, by a file's first record.

    Raises: DataError.
    """
    columns = _choose_columns(first, layout, path, labelled=False)
    return columns.text, columns.pair


def open_table(
    path: Path, layout: Layout, *, skip_broken: bool = False
) -> tuple[Record, Iterator[Record]]:
    """Return the first record, and all of them; their cells have names if the file has some.

    Args:
      skip_broken: as in `read_records`; the first record is then the first whole one.
    Raises: DataError if there is none, or if the first row of a CSV file may be names or a row.
    """
    records = _read_records(path, layout, skip_broken=skip_broken)
    separated = is_separated(path, layout.format)
    path = Path(name_of(path))
    broken, first = _find_whole(records)
    if first is None:
        raise NoRowsError(f"{path} has no rows. Expected at least one.")
    names = None
    if separated:
        if len(first.cells) == 1 and layout.delimiter is None:
            sample = [first, *itertools.islice(records, _SAMPLE - 1)]
            records = itertools.chain(sample[1:], records)
            _refuse_hidden_columns(sample, path)
        header = _shows_header(first, layout)
        if header is None:
            sample = [first, *itertools.islice(records, _SAMPLE - 1)]
            records = itertools.chain(sample[1:], records)
            whole = [row for row in sample if row.error is None]
            header = _starts_with_names(whole, path, _hint_delimiter(first, path, layout))
        names = _names_of(first) if header else None
    if names is None:
        return first, itertools.chain(broken, [first], records)
    _refuse_equal_names(names, path, first.place)
    records = (_name_record(record, names) for record in records)
    more_broken, first = _find_whole(records)
    if first is None:
        raise NoRowsError(
            f"{path} has a header ({', '.join(names)}) and no rows. Expected at least one."
        )
    return first, itertools.chain(broken, more_broken, [first], records)


def _find_whole(records: Iterator[Record]) -> tuple[list[Record], Record | None]:
    """Read up to the first record without an error, and return those before it, too."""
    broken: list[Record] = []
    for record in records:
        if record.error is None:
            return broken, record
        broken.append(record)
    return broken, None


def _read_records(path: Path, layout: Layout, *, skip_broken: bool = False) -> Iterator[Record]:
    names = {*_TEXT_NAMES, *_LABEL_NAMES, *(name.lower() for name in _requested_names(layout))}
    return read_records(
        path,
        delimiter=layout.delimiter,
        names=names,
        stated=layout.format,
        skip_broken=skip_broken,
    )


def _refuse_hidden_columns(sample: Sequence[Record], path: Path) -> None:
    """Refuse rows of one column that another delimiter would cut into equally many columns.

    Raises: DataError.
    """
    cells = [str(record.cells[0]) for record in sample if record.error is None]
    for name in ("tab", "semicolon", "pipe"):
        counts = {cell.count(DELIMITERS[name]) for cell in cells}
        if len(cells) > 1 and len(counts) == 1 and counts != {0}:
            raise DataError(
                f"{path}, {sample[0].place}: found 1 column, {_list_cells(sample[0])}, and as many "
                f"{name}s in each of the first {len(cells)} rows. Say what stands between the "
                f"columns: --delimiter {name}; or --delimiter comma if each row is one text."
            )


def _requested_names(layout: Layout) -> list[str]:
    requested = [*layout.text, layout.label, layout.pair]
    return [name for name in requested if name is not None and not name.isdigit()]


def _names_of(first: Record) -> list[str]:
    """Return the cells of a header; a nameless column, such as pandas' index, has its position.

    >>> _names_of(Record("line 1", {0: "", 1: " Text"}))
    ['0', 'Text']
    """
    return [str(cell).strip() or str(position) for position, cell in first.cells.items()]


def _shows_header(first: Record, layout: Layout) -> bool | None:
    """Return whether the first record names the columns; None if it does not show it.

    >>> _shows_header(Record("line 1", {0: "id", 1: "Text"}), Layout())
    True
    >>> _shows_header(Record("line 1", {0: "3", 1: "Shares jump", 2: "Up"}), Layout())
    False
    >>> _shows_header(Record("line 1", {0: "id", 1: "tweet"}), Layout(text=("1",)))
    """
    if layout.header is not None:
        return layout.header
    if _requested_names(layout):
        return True
    known = {*_TEXT_NAMES, *_LABEL_NAMES}
    if any(name.lower() in known for name in _names_of(first)):
        return True
    # Without a column to read, the error about the missing column shows the first row.
    return False if not layout.text or _is_official_ag_news(first) else None


def _starts_with_names(sample: Sequence[Record], path: Path, hint: str = "") -> bool:
    """Return whether the first record is names: it has a word above a column of numbers.

    >>> rows = [Record("line 1", {0: "id", 1: "tweet"}), Record("line 2", {0: "7", 1: "A goal"})]
    >>> _starts_with_names(rows, Path("rows.csv")), _starts_with_names(rows[1:], Path("rows.csv"))
    (True, False)

    Raises: DataError if there is no column of numbers to tell by.
    """
    names = rows = False
    for column, head in sample[0].cells.items():
        if all(_is_number(record.cells.get(column)) for record in sample[1:]):
            rows |= _is_number(head)
            names |= len(sample) > 1 and bool(head.strip()) and not _is_number(head)
    if names == rows:
        raise DataError(
            f"{path}, {sample[0].place}: these may be the columns' names or a row: "
            f"{_list_cells(sample[0])}. Say which: --header or --no-header; or name the column "
            f"of the text with --text-column{hint}."
        )
    return names


def _is_number(cell: Any) -> bool:
    return isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()) is not None


def _refuse_equal_names(names: Sequence[str], path: Path, place: str) -> None:
    if len(set(names)) != len(names):
        repeated = ", ".join(sorted({name for name in names if names.count(name) > 1}))
        raise DataError(f"{path}, {place}: the header names {repeated} more than once. Rename one.")


def _name_record(record: Record, names: Sequence[str]) -> Record:
    if record.error is not None:
        return record
    return Record(record.place, dict(zip(names, record.cells.values(), strict=True)))


def _choose_columns(first: Record, layout: Layout, path: Path, *, labelled: bool) -> _Columns:
    label = pair = None
    hint = _hint_delimiter(first, path, layout)
    text = tuple(_find_column(name, first, path, "--text-column", hint) for name in layout.text)
    if labelled and layout.label is not None:
        label = _find_column(layout.label, first, path, "--label-column", hint)
    if layout.pair is not None:
        pair = _find_column(layout.pair, first, path, "--pair-column", hint)
    if _is_official_ag_news(first) and not text and layout.label is None and pair is None:
        return _Columns(text=(1, 2), label=0 if labelled else None)
    if not text:
        text = (_recognise_column(first, _TEXT_NAMES, "text", "--text-column", path, hint),)
    if labelled and label is None:
        label = _recognise_column(first, _LABEL_NAMES, "label", "--label-column", path, hint)
    return _Columns(text, label, pair)


def _is_official_ag_news(first: Record) -> bool:
    return list(first.cells) == [0, 1, 2] and str(first.cells[0]).strip() in {"1", "2", "3", "4"}


def _find_column(name: str, first: Record, path: Path, option: str, hint: str = "") -> str | int:
    """Return the column of that name, or else at that position.

    >>> first = Record("line 2", {"title": "Goal", "text": "Late goal"})
    >>> _find_column("1", first, Path("rows.csv"), "--text-column")
    'text'
    """
    columns = list(first.cells)
    if name in columns:
        return name
    if name.isdigit() and int(name) < len(columns):
        return columns[int(name)]
    raise DataError(
        f"{path} has no column {name!r}: found {_list_columns(first)}. Correct {option}{hint}."
    )


def _recognise_column(
    first: Record, known: Sequence[str], kind: str, option: str, path: Path, hint: str
) -> str | int:
    matches = [name for name in first.cells if isinstance(name, str) and name.lower() in known]
    if len(matches) == 1:
        return matches[0]
    problem = f"no column is named for the {kind}"
    if matches:
        problem = f"several columns may hold the {kind}"
    raise DataError(
        f"{path}: {problem}: found {_list_columns(first)}; expected one of the names "
        f"{', '.join(known)}. Name the column with {option}{hint}."
    )


def _hint_delimiter(first: Record, path: Path, layout: Layout) -> str:
    if is_separated(path, layout.format) and len(first.cells) == 1:
        return ", or say with --delimiter what stands between the columns"
    return ""


def _list_columns(first: Record) -> str:
    """List the columns by name; if they have none, by the cells of the first row.

    >>> _list_columns(Record("line 1", {0: "id", 1: "title"}))
    "2 columns, 0 to 1, and in line 1 'id', 'title'"
    """
    columns = list(first.cells)
    if columns and isinstance(columns[0], int):
        count = f"{len(columns)} columns, 0 to {len(columns) - 1}"
        if len(columns) == 1:
            count = "1 column"
        return f"{count}, and in {first.place} {_list_cells(first)}"
    return ", ".join(str(name) for name in columns) or "no columns"


def _list_cells(record: Record) -> str:
    cells = [_shorten(cell) for cell in record.cells.values()]
    return ", ".join(cells[:20]) + (", ..." if len(cells) > 20 else "")


def join_text(record: Record, columns: Sequence[str | int], path: Path) -> str:
    return " ".join(_read_text(record, column, path) for column in columns)


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
    if isinstance(cell, list):
        raise DataError(
            f"{path}, {record.place}: {column} is {_shorten(cell)}, a list of labels, and the "
            f"model gives each text one label. Expected a label's name or its number; "
            f"a list is for a multi-label model."
        )
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
