"""Files to records: the cells of one row, by the names of their columns where the file gives them.

A format is chosen by the file's suffix. Nothing is held but the rows in hand, so that a file may be larger
than memory; a broken file is told with the line or row where it breaks.
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

# csv's own limit of 131,072 characters a cell is there for nothing but memory; reviews and pages are longer.
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True)
class Record:
    """One row as the file has it.

    Attributes:
      place: where it stands, for error messages: "line 12".
      cells: by column name, or by position (0, 1, ...) where the file names none.
    """

    place: str
    cells: Mapping[str | int, Any]


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file; those of a CSV file by position, its header (if it has one) the first of them.

    Raises: DataError, MissingExtraError (Parquet without pyarrow).
    """
    suffix = (
        "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    )
    read = _FORMATS.get(suffix)
    if read is None:
        raise DataError(
            f"{path} ends in {suffix or 'no suffix'}, which names no format that is read here. "
            f"Expected one of {', '.join(_FORMATS)}; rename the file, or convert it."
        )
    if not path.is_file():
        there_is = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {there_is}. Expected a file of rows; check the path.")
    return read(path)


def is_csv(path: Path) -> bool:
    """Whether the file's columns may be without names."""
    return ".csv" in path.suffixes[-2:]


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends. Decoded one by one, so that a wrong byte is told with its line."""
    number = 0
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {number}: byte {error.start + 1} of the line, 0x{error.object[error.start]:02x}, "
            f"is not UTF-8. Expected a file in UTF-8; convert it, for instance with: iconv -f LATIN1 -t UTF-8"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} ({path.stat().st_size:,} bytes) breaks off after line {number}: {error}. "
            f"Expected a whole gzip file; copy it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _open(path: Path) -> IO[bytes]:
    return cast(
        IO[bytes], gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")
    )


def _csv_records(path: Path) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_CELL)
    # strict: without it a quote that is never closed swallows the rest of the file into one cell.
    reader = csv.reader(_lines(path), strict=True)
    columns = None
    line = 1
    try:
        for cells in reader:
            place, line = f"line {line}", reader.line_num + 1
            if not cells:
                continue
            if columns is not None and len(cells) != columns:
                raise DataError(
                    f"{path}, {place}: found {len(cells)} columns; expected {columns}, as in the first row. "
                    f'Text with commas in it must be in double quotes, and a quote in it doubled ("").'
                )
            columns = len(cells)
            yield Record(place, dict(enumerate(cells)))
    except csv.Error as error:
        raise DataError(
            f"{path}, line {line}: this row is not CSV ({error}). Expected commas between the columns, "
            f'double quotes around text, and a quote in it doubled ("").'
        ) from error


def _json_records(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(
                f"{path}, line {number}: not JSON ({error}). Expected one whole JSON object a line."
            ) from error
        if not isinstance(record, dict):
            raise DataError(
                f"{path}, line {number}: found a JSON {type(record).__name__}; expected an object, "
                f'such as {{"text": "...", "label": "..."}}.'
            )
        yield Record(f"line {number}", record)


def _parquet_records(path: Path) -> Iterator[Record]:
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
    ".csv": _csv_records,
    ".csv.gz": _csv_records,
    ".jsonl": _json_records,
    ".jsonl.gz": _json_records,
    ".parquet": _parquet_records,
}
SUFFIXES = tuple(_FORMATS)
