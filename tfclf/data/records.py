"""Files to records: the cells of one row, keyed by column name if the file has names.

The file's suffix chooses the format. Only the current rows are held, so a file may be larger than
memory. Errors in a broken file name the line or row at which it breaks.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from tfclf.errors import DataError, MissingExtraError

# csv's own limit of 131,072 characters a cell only saves memory; reviews and pages are longer.
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True)
class Record:
    """One row of a file.

    Attributes:
      place: its position in the file, for error messages: "line 12".
      cells: by column name, or by position (0, 1, ...) if the file has no names.
    """

    place: str
    cells: Mapping[str | int, Any]


def read_records(path: Path) -> Iterator[Record]:
    """Read the records of a file.

    Cells of a CSV file are keyed by position; its header, if it has one, is the first record.

    Raises: DataError, MissingExtraError (Parquet without pyarrow).
    """
    suffix = _suffix_of(path)
    read = _FORMATS.get(suffix)
    if read is None:
        raise DataError(
            f"{path} ends in {suffix or 'no suffix'}, which is not a known format of rows. "
            f"Expected one of {', '.join(_FORMATS)}; rename the file, or convert it."
        )
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {problem}. Expected a file of rows; check the path.")
    return read(path)


def is_csv(path: Path) -> bool:
    """Return whether the file is CSV, whose columns may lack names.

    >>> is_csv(Path("rows.csv.gz")), is_csv(Path("rows.jsonl"))
    (True, False)
    """
    return ".csv" in path.suffixes[-2:]


def _suffix_of(path: Path) -> str:
    """Return the suffix that names the format, in lower case.

    >>> _suffix_of(Path("Rows.CSV.gz")), _suffix_of(Path("v1.2.jsonl"))
    ('.csv.gz', '.jsonl')
    """
    suffixes = path.suffixes[-2:] if path.suffix.lower() == ".gz" else [path.suffix]
    return "".join(suffixes).lower()


def _read_lines(path: Path) -> Iterator[str]:
    """Yield lines with their line ends. Each is decoded by itself, so an error can name it."""
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {number}: byte {error.start + 1} of the line, "
            f"0x{error.object[error.start]:02x}, is not UTF-8. Expected a file in UTF-8; "
            f"convert it, for instance with: iconv -f LATIN1 -t UTF-8"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} ({path.stat().st_size:,} bytes) breaks off after line {number}: {error}. "
            f"Expected a whole gzip file; copy it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _open(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return path.open("rb")


def _read_csv(path: Path) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_CELL)
    # strict: otherwise an unclosed quote swallows the rest of the file into one cell.
    reader = csv.reader(_read_lines(path), strict=True)
    columns = None
    line = 1
    try:
        for cells in reader:
            place, line = f"line {line}", reader.line_num + 1
            if not cells:
                continue
            if columns is not None and len(cells) != columns:
                raise DataError(
                    f"{path}, {place}: found {len(cells)} columns; expected {columns}, as in the "
                    f"first row. Put text that contains commas in double quotes, "
                    f'and double any quote in it ("").'
                )
            columns = len(cells)
            yield Record(place, dict(enumerate(cells)))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line}: this row is not CSV ({error}). Expected commas between the "
            f'columns, double quotes around text, and any quote in it doubled ("").'
        ) from error


def _read_json_lines(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number}: not JSON ({error}). Expected one JSON object per line."
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{path}, line {number}: found a JSON {type(record).__name__}; expected an object, "
                f'such as {{"text": "...", "label": "..."}}.'
            )
        yield Record(f"line {number}", record)


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
    ".csv": _read_csv,
    ".csv.gz": _read_csv,
    ".jsonl": _read_json_lines,
    ".jsonl.gz": _read_json_lines,
    ".parquet": _read_parquet,
}
SUFFIXES = tuple(_FORMATS)
