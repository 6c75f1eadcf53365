"""Chunks to files: one part of the output in each format, and parts to one file.

Each part's bytes depend on its rows alone, so a job that was killed and resumed writes the same
bytes as one that was not.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import itertools
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tfclf.data.lines import format_of, is_compressed
from tfclf.errors import DataError, InputError, MissingExtraError, first_line
from tfclf.files import write_file
from tfclf.tables.chunks import OTHER_FORMAT

if TYPE_CHECKING:
    import pyarrow

    from tfclf.tables.chunks import Chunk

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson")
PARQUET = ".parquet"
SUFFIXES = (
    *(f"{suffix}{end}" for suffix in (*_DELIMITERS, *_JSON) for end in ("", ".gz")),
    PARQUET,
)


def check_format(output: Path) -> str:
    """Return the suffix that names an output's format, with .gz if it is compressed.

    >>> check_format(Path("scored.CSV.gz"))
    '.csv.gz'

    Raises: InputError for a suffix of no format; MissingExtraError for Parquet without pyarrow.
    """
    suffix = format_of(output) + (".gz" if is_compressed(output) else "")
    if suffix not in SUFFIXES:
        raise InputError(
            f"{output} ends in {suffix or 'no suffix'}, which is not a format that can be written. "
            f"Expected one of {', '.join(SUFFIXES)}."
        )
    if suffix == PARQUET:
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingExtraError(
                "pyarrow", extra="tables", purpose=f"writing {output}"
            ) from error
    return suffix


def write_part(
    path: Path,
    chunks: Sequence[Chunk],
    keep: Sequence[str] | None,
    added: Mapping[str, list[Any]],
    *,
    types: Mapping[str, str],
    header: bool = True,
    like: Path | None = None,
) -> None:
    """Write chunks and the columns added to them to a new file, whole or not at all.

    Args:
      keep: the columns of the chunks to write; None: all.
      added: one list of values per column, one value per row; None is a missing value.
      types: Arrow's types of the added columns, by name.
      header: whether a CSV file begins with the names of its columns.
      like: an earlier part, whose types a Parquet file takes over.
    Raises: DataError for rows that the format cannot hold.
    """
    with write_file(path) as beside:
        if format_of(path) == PARQUET:
            _write_parquet(beside, chunks, keep, added, types, like)
            return
        with _open_text(beside, compressed=is_compressed(path)) as file:
            if format_of(path) in _JSON:
                _write_json_lines(file, chunks, keep, added)
            else:
                _write_separated(file, chunks, keep, added, path, header=header)


def join_parts(parts: Sequence[Path], output: Path) -> None:
    """Write the rows of all parts to one file, whole or not at all."""
    with write_file(output) as beside:
        if format_of(output) == PARQUET:
            _join_parquet(parts, beside)
            return
        with beside.open("wb") as file:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file)


@contextmanager
def _open_text(path: Path, *, compressed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        # Without a name and a time, which would differ from run to run.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _write_json_lines(
    file: IO[bytes],
    chunks: Sequence[Chunk],
    keep: Sequence[str] | None,
    added: Mapping[str, list[Any]],
) -> None:
    for row in _join_cells(chunks, keep, added):
        line = json.dumps(row, ensure_ascii=False, default=_write_value)
        try:
            file.write(line.encode() + b"\n")
        except UnicodeEncodeError:  # a lone surrogate, which JSON can only escape
            file.write(json.dumps(row, default=_write_value).encode() + b"\n")


def _write_separated(
    file: IO[bytes],
    chunks: Sequence[Chunk],
    keep: Sequence[str] | None,
    added: Mapping[str, list[Any]],
    path: Path,
    *,
    header: bool,
) -> None:
    place = chunks[0].path
    names = [*(chunks[0].columns if keep is None else keep), *added]
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=False)
    # Before Python 3.13, csv puts a carriage return in quotes only if it ends lines.
    lines = _LineFeeds(text)
    writer = csv.writer(lines, delimiter=_DELIMITERS[format_of(path)], lineterminator="\r\n")
    known = set(names)
    try:
        if header:
            writer.writerow(names)
        for row in _join_cells(chunks, keep, added):
            if not row.keys() <= known:
                new = next(name for name in row if name not in known)
                raise DataError(
                    f"{place}: a row has a column {new!r}, which the first row lacks, and a "
                    f"CSV file has the same columns all through. Name the columns to keep with "
                    f"--columns, or write JSON lines: give --output a name that ends in .jsonl."
                )
            writer.writerow([_write_cell(row.get(name)) for name in names])
        text.flush()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{place}: {error.object[error.start]!r} in a row is half of a character, which "
            f"UTF-8 cannot write. Write JSON lines, which can: give --output a name that ends in "
            f".jsonl."
        ) from error
    finally:
        text.detach()


class _LineFeeds:
    """Writes each row of csv with a line feed alone at its end."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")


def _join_cells(
    chunks: Sequence[Chunk], keep: Sequence[str] | None, added: Mapping[str, list[Any]]
) -> Iterator[dict[str, Any]]:
    cells = itertools.chain.from_iterable(chunk.read_cells(keep) for chunk in chunks)
    for row, *values in zip(cells, *added.values(), strict=True):
        if taken := row.keys() & added.keys():
            raise DataError(_refuse_taken(chunks[0].path, min(taken)))
        yield {**row, **dict(zip(added, values, strict=True))}


def _refuse_taken(path: Path, name: str) -> str:
    return (
        f"{path}: a row has a column {name!r}, which the first row lacks, and an added column has "
        f"the same name. Give the added columns other names: --prefix predicted_, or one of them: "
        f"--rename; or name the columns to keep with --columns."
    )


def _write_cell(value: Any) -> Any:
    """Return a value as a CSV file shows it.

    >>> [_write_cell(value) for value in ("007", None, True, 0.5, {"World": 0.5})]
    ['007', '', 'true', 0.5, '{"World": 0.5}']
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_write_value)
    return _write_value(value)


def _write_value(value: Any) -> str:
    """Return a value of Arrow that JSON has no form for.

    >>> _write_value(datetime.date(2026, 11, 29)), _write_value(decimal.Decimal("1.50"))
    ('2026-11-29', '1.50')
    """
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date, too
        return value.isoformat()
    if isinstance(value, decimal.Decimal | datetime.timedelta):
        return str(value)
    raise DataError(
        f"a column holds {type(value).__name__}, which JSON and CSV cannot write. "
        f"Leave the column out with --columns, or give --output a name that ends in .parquet."
    )


def _write_parquet(
    path: Path,
    chunks: Sequence[Chunk],
    keep: Sequence[str] | None,
    added: Mapping[str, list[Any]],
    types: Mapping[str, str],
    like: Path | None,
) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = None
    if like is not None:
        schema = parquet.read_schema(like)
        for name in added:
            schema = schema.remove(schema.get_field_index(name))
    tables = []
    for chunk in chunks:
        tables.append(chunk.make_table(keep, schema))
        schema = tables[0].schema
    table = pyarrow.concat_tables(tables)
    for name, values in added.items():
        if name in table.column_names:
            raise DataError(_refuse_taken(chunks[0].path, name))
        table = table.append_column(name, pyarrow.array(values, parse_type(types[name])))
    try:
        parquet.write_table(table, path)
    except pyarrow.ArrowNotImplementedError as error:
        raise DataError(
            f"{chunks[0].path}: a Parquet file cannot hold its rows: {first_line(error)}. "
            f"{OTHER_FORMAT}"
        ) from error


def parse_type(name: str) -> pyarrow.DataType:
    import pyarrow

    if name == "map":
        return pyarrow.map_(pyarrow.string(), pyarrow.float32())
    if name == "strings":
        return pyarrow.list_(pyarrow.string())
    return pyarrow.type_for_alias(name)


def _join_parquet(parts: Sequence[Path], output: Path) -> None:
    from pyarrow import parquet

    with parquet.ParquetWriter(output, parquet.read_schema(parts[0])) as writer:
        for part in parts:
            writer.write_table(parquet.read_table(part, partitioning=None))
