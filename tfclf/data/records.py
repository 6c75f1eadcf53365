"""Files to records: the cells of one row, keyed by column name if the file has names.

The file's last suffix before .gz chooses the format, in upper or lower case, unless the caller
states it. Only the current rows are held, so a file may be larger than memory; a JSON array alone
is held whole. Errors in a broken file name the line or row at which it breaks.
"""

import contextlib
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
    name_of,
    read_lines,
    refuse_no_file,
)
from tfclf.errors import DataError, InputError, MissingExtraError

# csv's own limit of 131,072 characters a cell only saves memory; reviews and pages are longer.
_LONGEST_CELL = 2**31 - 1

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# First the delimiter that the suffix stands for.
_SEPARATED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
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
    stated: str | None = None,
    skip_broken: bool = False,
) -> Iterator[Record]:
    """Read the records of a file.

    Cells of a CSV or TSV file are keyed by position; its header, if it has one, is the first
    record.

    Args:
      delimiter: between the columns of a CSV file; None: the one that the header shows.
      names: columns that a header may have, in lower case; they tell its delimiter.
      stated: the format, e.g. "csv", whatever the suffix is; standard input needs it.
      skip_broken: whether a row of CSV or JSON lines that is not of that format becomes a record
        with an error and no cells, instead of ending the reading.
    Raises: DataError, MissingExtraError (Parquet without pyarrow).
    """
    records = _read_any(path, delimiter, names, stated)
    return records if skip_broken else _refuse_broken(records)


def _refuse_broken(records: Iterator[Record]) -> Iterator[Record]:
    for record in records:
        if record.error is not None:
            raise record.error
        yield record


def _read_any(
    path: Path, delimiter: str | None, names: Collection[str], stated: str | None
) -> Iterator[Record]:
    suffix = suffix_of(path, stated)
    if is_standard_input(path):
        check_standard_input(stated)
    else:
        refuse_no_file(path)
    if suffix in _SEPARATED:
        return _read_separated(path, delimiter or "", names, usual=_SEPARATED[suffix])
    read = _FORMATS.get(suffix)
    if read is None or (suffix == ".parquet" and is_compressed(path)):
        ending = f"{suffix or 'no suffix'}{' before .gz' if is_compressed(path) else ''}"
        raise DataError(
            f"{path} ends in {ending}, which is not a known format of rows. "
            f"Expected one of {', '.join(SUFFIXES)}; rename the file, convert it, or say its "
            f"format with --format."
        )
    return read(path)


def is_separated(path: Path, stated: str | None = None) -> bool:
    """Return whether the file is CSV or TSV, whose columns may lack names.

    >>> is_separated(Path("rows.csv.gz")), is_separated(Path("rows.csv.jsonl"))
    (True, False)
    >>> is_separated(Path("part-00000"), "csv")
    True
    """
    return suffix_of(path, stated) in _SEPARATED


def suffix_of(path: Path, stated: str | None) -> str:
    """Return the suffix of a file's format: the stated one, else its own.

    >>> suffix_of(Path("part-00000"), "csv"), suffix_of(Path("rows.CSV.gz"), None)
    ('.csv', '.csv')
    """
    return format_of(path) if stated is None else f".{stated}"


def check_standard_input(stated: str | None) -> None:
    """Check the format that is stated for rows on standard input. Raises: DataError."""
    if stated == "parquet":
        raise DataError(
            "standard input cannot be Parquet, whose index is at the end of the file. Expected a "
            "file: name it, or give CSV or JSON lines on standard input."
        )
    if stated in (None, "txt"):
        raise DataError(
            "standard input has no suffix to name a format of rows. Say it with --format csv, tsv, "
            "jsonl or json; or name a file."
        )


def parse_format(written: str) -> str:
    """Return the format that an option names.

    >>> parse_format("csv"), parse_format(".JSONL")
    ('csv', 'jsonl')

    Raises: InputError unless it is a known one.
    """
    name = written.lower().removeprefix(".")
    if name not in FORMATS:
        raise InputError(f"--format {written!r}: expected one of {', '.join(FORMATS)}.")
    return name


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


def _read_separated(
    path: Path, delimiter: str, names: Collection[str], *, usual: str
) -> Iterator[Record]:
    lines: Iterator[str] = read_lines(path)
    head = _read_to_content(lines)
    if not head:
        return
    skipped = 0
    if announced := _SPREADSHEETS_LINE.fullmatch(head[-1]):
        # Excel writes and reads "sep=;" as a line before the header.
        skipped, delimiter = len(head), delimiter or announced[1]
    else:
        delimiter = delimiter or _choose_delimiter(head[-1], usual, names)
        lines = itertools.chain(head, lines)
    yield from _parse_separated(name_of(path), lines, delimiter, skipped)


def _read_to_content(lines: Iterator[str]) -> list[str]:
    """Read the blank lines at the beginning, and the first line that is none.

    >>> _read_to_content(iter(["", "id,text", "1,goal"]))
    ['', 'id,text']
    """
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    return head


def _parse_separated(
    path: str, lines: Iterable[str], delimiter: str, skipped: int
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
        if "new-line character" in str(error):
            raise DataError(
                f"{path}, line {line}: found a carriage return outside quotes. Expected line feeds "
                f"at the ends of lines; if carriage returns stand there, as on old Macs, convert "
                f"the file with: tr '\\r' '\\n'"
            ) from error
        raise DataError(
            f"{path}, line {line}: this row is not CSV ({error}). Expected {kind} between the "
            f'columns, double quotes around text, and any quote in it doubled ("").'
        ) from error


def _read_json_lines(path: Path) -> Iterator[Record]:
    return _parse_json_lines(name_of(path), read_lines(path))


def _parse_json_lines(path: str, lines: Iterable[str]) -> Iterator[Record]:
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
    place, lines = name_of(path), read_lines(path)
    head = _read_to_content(lines)
    if head and _is_whole_json(head[-1]):
        second = next(lines, "")
        if not second.strip() and _is_table(json.loads(head[-1])):
            raise DataError(_refuse_whole(json.loads(head[-1]), place))
        yield from _parse_json_lines(place, itertools.chain(head, [second], lines))
        return
    try:
        records = json.loads("".join((*head, *lines)) or "[]")
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"{place}: not JSON ({error}). Expected an array of objects, or one object per line."
        ) from error
    if not isinstance(records, list):
        raise DataError(_refuse_whole(records, place))
    for number, record in enumerate(records, 1):
        yield _make_record(record, place, f"item {number}")


def _is_whole_json(line: str) -> bool:
    """Return whether the first line is a JSON value by itself and no array: a row of JSON lines.

    >>> [_is_whole_json(line) for line in ('{"text": "goal"}', '[{"text": "goal"}]', "{")]
    [True, False, False]
    """
    if line.lstrip().startswith("["):
        return False
    with contextlib.suppress(json.JSONDecodeError, RecursionError):
        json.loads(line)
        return True
    return False


def _is_table(content: Any) -> bool:
    """Return whether a JSON object holds a whole table, by columns or under a key.

    >>> _is_table({"text": ["goal", "rates"]}), _is_table({"text": "goal", "labels": ["Sports"]})
    (True, False)
    """
    if not isinstance(content, dict):
        return False
    return bool(content) and all(isinstance(value, list | dict) for value in content.values())


def _refuse_whole(content: Any, place: str) -> str:
    arrays = []
    if isinstance(content, dict):
        arrays = [key for key, value in content.items() if isinstance(value, list)]
    way_out = f"jq .{arrays[0]}" if len(arrays) == 1 else "df.to_json(..., orient='records')"
    kind = type(content).__name__
    if isinstance(content, dict):
        kind = f"object with the keys {', '.join(list(content)[:10])}"
    return (
        f"{place}: found one JSON {kind}. Expected an array of objects, or "
        f"one object per line; take the rows out of it, for instance with {way_out}."
    )


def _make_record(value: Any, path: str, place: str) -> Record:
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
# What --format may say; txt is one text per line, which has no rows.
FORMATS = ("txt", *(suffix.removeprefix(".") for suffix in (*_SEPARATED, *_FORMATS)))
