"""Files to records: the cells of one row, keyed by column name if the file has names.

The file's last suffix before .gz chooses the format, in upper or lower case. Only the current rows
are held, so a file may be larger than memory; a JSON array alone is held whole. Errors in a broken
file name the line or row at which it breaks.
"""

import csv
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.data.lines import (
    format_of,
    is_compressed,
    is_standard_input,
    read_lines,
    refuse_no_file,
)
from tfclf.errors import DataError, InputError, MissingExtraError

# csv's own limit of 131,072 characters a cell only saves memory; reviews and pages are longer.
_LONGEST_CELL = 2**31 - 1

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# First the delimiter that the suffix stands for.
_SEPARATED = {".csv": ",", ".tsv": "\t"}
_SPREADSHEETS_LINE = re.compile(r'\ufeff?"?sep=(.)"?\r?\n?')


@dataclass(frozen=True)
class Record:
    """One row of a file.

    Attributes:
      place: its position in the file, for error messages: "line 12".
      cells: by column name, or by position (0, 1, ...) if the file has no names.
      error: what is wrong with a row that is not of the file's format, if such rows were asked for.
    """

    place: str
    cells: Mapping[str | int, Any]
    error: DataError | None = None


def read_records(
    path: Path,
    *,
    delimiter: str | None = None,
    names: Collection[str] = (),
    skip_broken: bool = False,
) -> Iterator[Record]:
    """Read the records of a file.

    Cells of a CSV or TSV file are keyed by position; its header, if it has one, is the first
    record.

    Args:
      delimiter: between the columns of a CSV file; None: the one that the header shows.
      names: columns that a header may have, in lower case; they tell its delimiter.
      skip_broken: whether a row of CSV or JSON lines that is not of that format becomes a record
        with an error and no cells, instead of ending the reading.
    Raises: DataError, MissingExtraError (Parquet without pyarrow).
    """
    records = _read_any(path, delimiter, names)
    return records if skip_broken else _refuse_broken(records)


def _refuse_broken(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        if record.error is not None:
            raise record.error
        yield record


def _read_any(path: Path, delimiter: str | None, names: Collection[str]) -> Iterator[Record]:
    if is_standard_input(path):
        raise DataError(
            f"{path} is standard input, which has no suffix to name a format of rows. "
            f"Expected a file: write the rows to one whose name ends in {', '.join(SUFFIXES)}."
        )
    refuse_no_file(path)
    suffix = format_of(path)
    if suffix in _SEPARATED:
        return _read_separated(path, delimiter, names)
    read = _FORMATS.get(suffix)
    if read is None or (suffix == ".parquet" and is_compressed(path)):
        ending = f"{suffix or 'no suffix'}{' before .gz' if is_compressed(path) else ''}"
        raise DataError(
            f"{path} ends in {ending}, which is not a known format of rows. "
            f"Expected one of {', '.join(SUFFIXES)}; rename the file, or convert it."
        )
    return read(path)


def is_separated(path: Path) -> bool:
    """Return whether the file is CSV or TSV, whose columns may lack names.

    >>> is_separated(Path("rows.csv.gz")), is_separated(Path("rows.csv.jsonl"))
    (True, False)
    """
    return format_of(path) in _SEPARATED


def parse_delimiter(written: str) -> str:
    r"""Return the delimiter that an option names.

    >>> parse_delimiter(";"), parse_delimiter("tab"), parse_delimiter("\\t")
    (';', '\t', '\t')

    Raises: InputError unless it is one character, or a known name.
    """
    delimiter = "\t" if written == "\\t" else DELIMITERS.get(written.lower(), written)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InputError(
            f"--delimiter {written!r}: expected one character, such as ';', "
            f"or one of {', '.join(DELIMITERS)}."
        )
    return delimiter


def _choose_delimiter(line: str, usual: str, names: Collection[str]) -> str:
    r"""Return the delimiter by which a header holds a known name; the usual one if none does.

    >>> _choose_delimiter("id;text", ",", {"text"}), _choose_delimiter("id,text;label", ",", {"id"})
    (';', ',')
    >>> _choose_delimiter("3;Shares jump", ",", {"text"})
    ','
    """
    for delimiter in dict.fromkeys((usual, *DELIMITERS.values())):
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error:  # such as a quote that the line leaves open: no header by this delimiter
            continue
        if len(cells) > 1 and any(cell.strip().lower() in names for cell in cells):
            return delimiter
    return usual


def _read_separated(path: Path, delimiter: str | None, names: Collection[str]) -> Iterator[Record]:
    lines: Iterator[str] = read_lines(path)
    first = next(lines, None)
    if first is None:
        return
    skipped = 0
    if announced := _SPREADSHEETS_LINE.fullmatch(first):
        # Excel writes and reads "sep=;" as a line before the header.
        skipped, delimiter = 1, delimiter or announced[1]
    else:
        lines = itertools.chain([first], lines)
    usual = _SEPARATED[format_of(path)]
    delimiter = delimiter or _choose_delimiter(first, usual, names)
    yield from _parse_separated(path, lines, delimiter, skipped)


def _parse_separated(
    path: Path, lines: Iterable[str], delimiter: str, skipped: int
) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_CELL)
    # strict: otherwise an unclosed quote swallows the rest of the file into one cell.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    columns = None
    line = 1 + skipped
    kind = next((f"{name}s" for name, one in DELIMITERS.items() if one == delimiter), delimiter)
    try:
        for cells in reader:
            place, line = f"line {line}", reader.line_num + 1 + skipped
            if not cells:
                continue
            if columns is not None and len(cells) != columns:
                error = DataError(
                    f"{path}, {place}: found {len(cells)} columns; expected {columns}, as in the "
                    f"first row. Put text that contains {kind} in double quotes, "
                    f'and double any quote in it (""); or correct --delimiter.'
                )
                yield Record(place, {}, error)
                continue
            columns = len(cells)
            yield Record(place, dict(enumerate(cells)))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line}: this row is not CSV ({error}). Expected {kind} between the "
            f'columns, double quotes around text, and any quote in it doubled ("").'
        ) from error


def _read_json_lines(path: Path) -> Iterator[Record]:
    return _parse_json_lines(path, read_lines(path))


def _parse_json_lines(path: Path, lines: Iterable[str]) -> Iterator[Record]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as cause:
            error = DataError(
                f"{path}, line {number}: not JSON ({cause}). Expected one JSON object per line; "
                f"a file of one array of objects ends in .json."
            )
            error.__cause__ = cause
            yield Record(place, {}, error)
            continue
        yield _make_record(record, path, place)


def _read_json(path: Path) -> Iterator[Record]:
    """Read a JSON array of objects; or JSON lines, which many tools name .json, too."""
    lines = read_lines(path)
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    if not head or not head[-1].lstrip().startswith("["):
        yield from _parse_json_lines(path, itertools.chain(head, lines))
        return
    try:
        records = json.loads("".join((*head, *lines)))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}). Expected an array of objects.") from error
    for number, record in enumerate(records, 1):
        yield _make_record(record, path, f"item {number}")


def _make_record(value: Any, path: Path, place: str) -> Record:
    if isinstance(value, dict):
        return Record(place, value)
    hint = " A file of one array of objects ends in .json." if isinstance(value, list) else ""
    error = DataError(
        f"{path}, {place}: found a JSON {type(value).__name__}; expected an object, "
        f'such as {{"text": "...", "label": "..."}}.{hint}'
    )
    return Record(place, {}, error)


def _read_parquet(path: Path) -> Iterator[Record]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="parquet", purpose=f"reading {path}") from error
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for cells in batch.to_pylist():
                    number += 1
                    yield Record(f"row {number}", cells)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path} ({path.stat().st_size:,} bytes) breaks off after row {number}: {error}. "
            f"Expected a whole Parquet file; copy it again."
        ) from error


_FORMATS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
_PLAIN = (*_SEPARATED, *(suffix for suffix in _FORMATS if suffix != ".parquet"))
SUFFIXES = (*(f"{suffix}{end}" for suffix in _PLAIN for end in ("", ".gz")), ".parquet")
