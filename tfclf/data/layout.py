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
    """A text, its label and its second text; None where those were not asked for."""

    text: str
    label: str | None
    pair: str | None = None


@dataclass(frozen=True)
class Layout:
    """What a file does not say of itself; whatever is left out is recognised, or asked for in an error.

    Attributes:
      text: columns whose cells, joined by a space, are the text: names, or positions from 0 ("1", "2").
      label: the column of the label, likewise.
      pair: the column of the second text, likewise, for models that compare two.
      header: whether the first row of a CSV file names its columns.
      label_base: what the first label is called where labels are numbers: 0 or 1.
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
    """The rows of a file, one at a time, labels as the file writes them.

    >>> next(read_rows("ag_news/test.csv")).label
    '3'

    Recognised without a layout: columns named text, review, sentence or content; label, class, polarity or
    sentiment; and the official AG News files, whose columns (class, title, description) have no names.

    Args:
      path: .csv, .jsonl (both also .gz) or .parquet, in UTF-8.
      labelled: whether a column of labels must be there; without it every label is None.
    Raises: DataError, which names the file and the line; MissingExtraError.
    """
    for _, row in rows_with_places(Path(path), layout or Layout(), labelled=labelled):
        yield row


def rows_with_places(
    path: Path, layout: Layout, *, labelled: bool = True
) -> Iterator[tuple[str, Row]]:
    """`read_rows`, each row with its place in the file ("line 12")."""
    records = read_records(path)
    first = next(records, None)
    if first is None:
        raise DataError(f"{path} has no rows. Expected at least one.")
    records = itertools.chain([first], records)
    names = _header(first, layout) if is_csv(path) else None
    if names is not None:
        if len(set(names)) != len(names):
            twice = ", ".join(sorted({name for name in names if names.count(name) > 1}))
            raise DataError(
                f"{path}, {first.place}: the header names {twice} more than once. Rename one."
            )
        next(records)
        records = (Record(record.place, _renamed(record.cells, names)) for record in records)
        first = next(records, None)
        if first is None:
            raise DataError(
                f"{path} has a header ({', '.join(names)}) and no rows. Expected at least one."
            )
        records = itertools.chain([first], records)
    columns = _columns(first, layout, path, labelled=labelled)
    for record in records:
        text = " ".join(_text(record, column, path) for column in columns.text)
        label = None if columns.label is None else _label(record, columns.label, path)
        pair = None if columns.pair is None else _text(record, columns.pair, path)
        yield record.place, Row(text, label, pair)


def _header(first: Record, layout: Layout) -> list[str] | None:
    # A column without a name, such as an index that pandas wrote, keeps its position for a name.
    names = [str(cell).strip() or str(position) for position, cell in first.cells.items()]
    asked = [*layout.text, *(name for name in (layout.label, layout.pair) if name is not None)]
    if layout.header is not None:
        return names if layout.header else None
    if any(not name.isdigit() for name in asked):
        return names
    known = {*_TEXT_NAMES, *_LABEL_NAMES}
    return names if any(name.lower() in known for name in names) else None


def _renamed(cells: Mapping[str | int, Any], names: Sequence[str]) -> dict[str | int, Any]:
    return dict(zip(names, cells.values(), strict=True))


def _columns(first: Record, layout: Layout, path: Path, *, labelled: bool) -> _Columns:
    found = list(first.cells)
    text = tuple(_asked(name, found, path, "--text-column") for name in layout.text)
    label = None
    if labelled and layout.label is not None:
        label = _asked(layout.label, found, path, "--label-column")
    pair = None if layout.pair is None else _asked(layout.pair, found, path, "--pair-column")
    if _is_official_ag_news(first) and not text and layout.label is None and pair is None:
        return _Columns(text=(1, 2), label=0 if labelled else None)
    if not text:
        text = (_recognised(found, _TEXT_NAMES, "text", "--text-column", path),)
    if labelled and label is None:
        label = _recognised(found, _LABEL_NAMES, "label", "--label-column", path)
    return _Columns(text, label, pair)


def _is_official_ag_news(first: Record) -> bool:
    return list(first.cells) == [0, 1, 2] and str(first.cells[0]).strip() in {"1", "2", "3", "4"}


def _asked(name: str, found: Sequence[str | int], path: Path, option: str) -> str | int:
    if name in found:
        return name
    if name.isdigit() and int(name) < len(found):
        return found[int(name)]
    raise DataError(f"{path} has no column {name!r}: found {_listed(found)}. Correct {option}.")


def _recognised(
    found: Sequence[str | int], known: Sequence[str], kind: str, option: str, path: Path
) -> str | int:
    matches = [name for name in found if isinstance(name, str) and name.lower() in known]
    if len(matches) == 1:
        return matches[0]
    several = (
        f"several columns may hold the {kind}" if matches else f"no column is named for the {kind}"
    )
    raise DataError(
        f"{path}: {several}: found {_listed(found)}; expected one of the names {', '.join(known)}. "
        f"Say which column it is with {option}."
    )


def _listed(found: Sequence[str | int]) -> str:
    if found and isinstance(found[0], int):
        return f"{len(found)} columns without names, 0 to {len(found) - 1}"
    return ", ".join(str(name) for name in found) or "no columns"


def _text(record: Record, column: str | int, path: Path) -> str:
    cell = _cell(record, column, path)
    if not isinstance(cell, str):
        raise DataError(
            f"{path}, {record.place}: {column} is {_shown(cell)}; expected text. Mend or drop the row."
        )
    return cell


def _label(record: Record, column: str | int, path: Path) -> str:
    cell = _cell(record, column, path)
    if isinstance(cell, str) and cell.strip():
        return cell.strip()
    # pandas turns a column of whole numbers to floats as soon as one is missing.
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    raise DataError(
        f"{path}, {record.place}: {column} is {_shown(cell)}; expected a label's name or its number. "
        f"Mend or drop the row."
    )


def _cell(record: Record, column: str | int, path: Path) -> Any:
    try:
        return record.cells[column]
    except KeyError:
        raise DataError(
            f"{path}, {record.place}: there is no {column!r}, which the first row has; "
            f"found {', '.join(str(name) for name in record.cells) or 'nothing'}. Mend or drop the row."
        ) from None


def _shown(cell: object) -> str:
    shown = repr(cell)
    return shown if len(shown) <= 40 else f"{shown[:40]}..."
