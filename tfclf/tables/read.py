"""Files to chunks of rows: CSV, TSV and JSON through records, Parquet through Arrow's data sets."""

from __future__ import annotations

import fnmatch
import functools
import glob
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf.data.layout import Layout, NoRowsError, find_text, open_table
from tfclf.data.lines import refuse_pipe
from tfclf.data.records import Record, is_separated, suffix_of
from tfclf.errors import DataError, MissingExtraError, first_line
from tfclf.tables.chunks import ArrowChunk, Chunk, RecordChunk

if TYPE_CHECKING:
    import pyarrow
    from pyarrow import dataset

_READ_ROWS = 4096


@dataclass(frozen=True)
class Table:
    """Rows to score: one file or several of one format.

    Attributes:
      files: in the order in which they are read.
      columns: the names of the columns; for JSON those of the first row.
      text: the columns whose cells, joined by a space, are the text.
      pair: the column of the second text.
      read: begins to read the rows, from the first one.
      count: returns the number of rows, if that takes no reading; else None.
    """

    files: Sequence[Path]
    columns: Sequence[str]
    text: Sequence[str]
    pair: str | None
    read: Callable[[], Iterator[Chunk]]
    count: Callable[[], int | None]

    @property
    def read_columns(self) -> list[str]:
        """The columns that the model reads."""
        return [*self.text, *([] if self.pair is None else [self.pair])]


def find_files(source: str | Path) -> list[Path]:
    """Find the files that a path, a glob pattern or a folder stands for, sorted.

    A folder stands for all files in its tree but those whose names begin with _ or a dot, which
    Spark and others leave beside the rows.

    Raises: DataError if there is none, or if it is a pipe, which is read once.
    """
    path = Path(source)
    if path.is_dir():
        files = [
            file for file in sorted(path.rglob("*")) if file.is_file() and _is_data(file, path)
        ]
        if not files:
            raise DataError(f"{path} is a folder without files of rows. Expected at least one.")
        return files
    if path.exists() or not glob.has_magic(str(source)):
        refuse_pipe(path)
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(source), recursive=True))  # noqa: PTH207
    files = [file for file in found if file.is_file()]
    if not files:
        raise DataError(f"{source}: no file has a name of this pattern. Check the pattern.")
    return files


def stands_for(source: str | Path, path: Path) -> bool:
    """Return whether a folder or a pattern also stands for a file, once that is written.

    >>> stands_for("rows/*.csv", Path("rows/scored.csv")), stands_for("*.csv", Path("out/a.csv"))
    (True, False)
    """
    place = Path(os.path.abspath(path))  # noqa: PTH100, which would follow links
    if Path(source).is_dir():
        folder = Path(source).resolve()
        place = place.parent.resolve() / place.name
        return place.is_relative_to(folder) and _is_data(place, folder)
    if Path(source).exists():
        return False
    return _is_match(place.parts, Path(os.path.abspath(source)).parts)  # noqa: PTH100


def _is_match(names: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not names
    if pattern[0] == "**":
        return any(_is_match(names[start:], pattern[1:]) for start in range(len(names) + 1))
    if not names or not fnmatch.fnmatchcase(names[0], pattern[0]):
        return False
    return _is_match(names[1:], pattern[1:])


def open_files(source: str | Path, layout: Layout) -> Table:
    """Open a file, a folder or the files of a pattern, and find the columns of the text.

    A row that is not of its file's format is read as a `Record` with an error.

    Raises: DataError, MissingExtraError (Parquet without pyarrow).
    """
    files = find_files(source)
    formats = {suffix_of(file, layout.format) for file in files}
    if len(formats) > 1:
        raise DataError(
            f"{source} holds files of several formats: {', '.join(sorted(formats))}. "
            f"Expected one; give a pattern, such as '*{min(formats)}'."
        )
    if formats == {".parquet"}:
        return _open_parquet(source, files, layout)
    return _open_records(files, layout)


def _is_data(file: Path, folder: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def _open_records(files: Sequence[Path], layout: Layout) -> Table:
    is_json = not is_separated(files[0], layout.format)
    full, first = _find_rows(files, layout)
    text, pair = find_text(first, layout, full)
    columns = [str(name) for name in first.cells]
    if not is_json:
        # All of them now, not when an hour of scoring is over.
        for file in files:
            _check_names(file, columns, full, layout)

    def read() -> Iterator[Chunk]:
        for file in files:
            try:
                _, records = open_table(file, layout, skip_broken=True)
            except NoRowsError:  # as Spark writes for a partition without rows
                continue
            named = map(_name_cells, records)
            while rows := list(itertools.islice(named, _READ_ROWS)):
                yield RecordChunk(file, columns, rows)

    return Table(
        files,
        columns,
        [str(name) for name in text],
        None if pair is None else str(pair),
        read,
        lambda: None,
    )


def _find_rows(files: Sequence[Path], layout: Layout) -> tuple[Path, Record]:
    """Find the first file that has rows, and its first row. Raises: DataError if none has any."""
    for file in files:
        try:
            return file, open_table(file, layout, skip_broken=True)[0]
        except NoRowsError:
            if file == files[-1]:
                raise
    raise AssertionError("there is at least one file")


def _check_names(file: Path, columns: Sequence[str], full: Path, layout: Layout) -> None:
    try:
        first, _ = open_table(file, layout, skip_broken=True)
    except NoRowsError:
        return
    names = [str(name) for name in first.cells]
    if names != columns:
        raise DataError(
            f"{file} has the columns {', '.join(names)}; expected {', '.join(columns)}, as "
            f"in {full}. Score the files one by one, or give them the same columns."
        )


def _name_cells(record: Record) -> Record:
    """Name the columns of a CSV file without a header by their positions: '0', '1', ..."""
    if next(iter(record.cells), "") != 0:
        return record
    return Record(record.place, {str(name): cell for name, cell in record.cells.items()})


def _open_parquet(source: str | Path, files: Sequence[Path], layout: Layout) -> Table:
    try:
        import pyarrow
        from pyarrow import dataset
    except ImportError as error:
        raise MissingExtraError("pyarrow", extra="tables", purpose=f"reading {source}") from error
    folder = Path(source) if Path(source).is_dir() else None
    for file in files:
        if not file.exists():
            raise DataError(f"{file} does not exist. Expected a file of rows; check the path.")
    try:
        _refuse_repeated(files[0])
        open_with = functools.partial(
            dataset.dataset,
            [str(file) for file in files],
            format="parquet",
            # The folders of a partitioned data set, such as year=2024, are a column.
            partitioning="hive" if folder else None,
            partition_base_dir=str(folder) if folder else None,
        )
        rows = open_with()
        count, schema = 0, rows.schema
        for fragment in rows.get_fragments():
            count += fragment.count_rows()
            schema = _unify(schema, fragment, files[0])
        if not schema.equals(rows.schema):
            rows = open_with(schema=schema)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{source} cannot be read as Parquet: {first_line(error)}. "
            f"Expected whole Parquet files with the same columns; copy them again."
        ) from error
    names = list(rows.schema.names)
    if count == 0:
        raise DataError(f"{source} has no rows. Expected at least one.")
    text, pair = find_text(Record("row 1", dict.fromkeys(names)), layout, Path(source))
    return Table(
        files,
        names,
        [str(name) for name in text],
        None if pair is None else str(pair),
        lambda: _read_parquet(rows),
        lambda: count,
    )


def _refuse_repeated(file: Path) -> None:
    from pyarrow import parquet

    names = parquet.read_schema(file).names
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{file} has more than one column {repeated[0]!r}. Rename one.")


def _unify(schema: pyarrow.Schema, fragment: Any, first: Path) -> pyarrow.Schema:
    """Return the columns of the files before, and those of one more.

    Arrow by itself takes the columns of the first file, and drops those that only others have.
    """
    import pyarrow

    own = fragment.physical_schema
    known = {field.name: field for field in schema}
    if all(field.equals(known.get(field.name)) for field in own if field.name in known) and (
        known.keys() >= set(own.names)
    ):
        return schema
    try:
        return pyarrow.unify_schemas([schema, own], promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise DataError(
            f"{fragment.path} and {first} have columns of one name and two types: "
            f"{first_line(error)}. Score the files one by one, or give them the same types."
        ) from error


def _read_parquet(rows: dataset.Dataset) -> Iterator[Chunk]:
    import pyarrow

    for fragment in rows.get_fragments():
        path, number = Path(fragment.path), 0
        try:
            batches = fragment.to_batches(
                schema=rows.schema, batch_size=_READ_ROWS, batch_readahead=1, fragment_readahead=1
            )
            for batch in batches:
                yield ArrowChunk(path, pyarrow.Table.from_batches([batch]), first=number + 1)
                number += batch.num_rows
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(
                f"{path} ({path.stat().st_size:,} bytes) breaks off after row {number}: "
                f"{first_line(error)}. Expected a whole Parquet file, whose columns have the types "
                f"of the other files; copy it again, or score it by itself."
            ) from error
