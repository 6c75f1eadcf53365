"""Files to chunks of rows: CSV, TSV and JSON through records, Parquet through Arrow's data sets."""

from __future__ import annotations

import glob
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfclf.data.layout import Layout, find_text, open_table
from tfclf.data.records import Record, is_separated, suffix_of
from tfclf.errors import DataError, MissingExtraError, first_line
from tfclf.tables.chunks import ArrowChunk, Chunk, RecordChunk

if TYPE_CHECKING:
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

    Raises: DataError if there is none.
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
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(source), recursive=True))  # noqa: PTH207
    files = [file for file in found if file.is_file()]
    if not files:
        raise DataError(f"{source}: no file has a name of this pattern. Check the pattern.")
    return files


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
    first, _ = open_table(files[0], layout, skip_broken=True)
    text, pair = find_text(first, layout, files[0])
    columns = [str(name) for name in first.cells]
    is_json = not is_separated(files[0], layout.format)

    def read() -> Iterator[Chunk]:
        for file in files:
            first, records = open_table(file, layout, skip_broken=True)
            names = [str(name) for name in first.cells]
            if names != columns and not is_json:
                raise DataError(
                    f"{file} has the columns {', '.join(names)}; expected {', '.join(columns)}, as "
                    f"in {files[0]}. Score the files one by one, or give them the same columns."
                )
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
        # The folders of a partitioned data set, such as year=2024, are a column.
        rows = dataset.dataset(
            [str(file) for file in files],
            format="parquet",
            partitioning="hive" if folder else None,
            partition_base_dir=str(folder) if folder else None,
        )
        count = sum(fragment.count_rows() for fragment in rows.get_fragments())
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"{source} cannot be read as Parquet: {first_line(error)}. "
            f"Expected whole Parquet files with the same columns; copy them again."
        ) from error
    names = list(rows.schema.names)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{source} has more than one column {repeated[0]!r}. Rename one.")
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
                f"{first_line(error)}. Expected a whole Parquet file; copy it again."
            ) from error
