"""A chunk of rows: from records, as CSV and JSON have them, or from Arrow's columns.

Records keep what a file says: JSON's values and missing keys, CSV's cells to the letter ("007").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tfclf.data.records import Record
from tfclf.errors import DataError, first_line

if TYPE_CHECKING:
    import pyarrow


class Chunk(Protocol):
    """Rows that follow one another in a file.

    Attributes:
      path: the file.
      columns: the names of its columns; for JSON those of its first row.
    """

    path: Path
    columns: Sequence[str]

    def __len__(self) -> int: ...

    def read_records(self, columns: Sequence[str]) -> Iterator[Record]:
        """Yield each row with its place, and at least these columns."""
        ...

    def take(self, start: int, stop: int) -> Chunk:
        """Return the rows from `start` up to `stop`."""
        ...

    def select(self, rows: Sequence[int]) -> Chunk:
        """Return some rows, in this order."""
        ...

    def read_cells(self, keep: Sequence[str] | None) -> Iterator[dict[str, Any]]:
        """Yield each row's cells by column; `keep` names the ones wanted, None all."""
        ...

    def make_table(
        self, keep: Sequence[str] | None, schema: pyarrow.Schema | None
    ) -> pyarrow.Table:
        """Make an Arrow table. `schema`: of the tables before; None: take the chunk's own."""
        ...


class RecordChunk:
    """Rows of a CSV or JSON file."""

    def __init__(self, path: Path, columns: Sequence[str], records: Sequence[Record]) -> None:
        self.path = path
        self.columns = columns
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def read_records(self, columns: Sequence[str]) -> Iterator[Record]:  # noqa: ARG002
        """Yield each row with its place."""
        return iter(self._records)

    def take(self, start: int, stop: int) -> RecordChunk:
        """Return the rows from `start` up to `stop`."""
        return RecordChunk(self.path, self.columns, self._records[start:stop])

    def select(self, rows: Sequence[int]) -> RecordChunk:
        """Return some rows, in this order."""
        return RecordChunk(self.path, self.columns, [self._records[row] for row in rows])

    def read_cells(self, keep: Sequence[str] | None) -> Iterator[dict[str, Any]]:
        """Yield each row's cells by column."""
        for record in self._records:
            cells = {str(name): cell for name, cell in record.cells.items()}
            # A JSON object may lack a key, and then the output lacks it, too.
            yield cells if keep is None else {name: cells[name] for name in keep if name in cells}

    def make_table(
        self, keep: Sequence[str] | None, schema: pyarrow.Schema | None
    ) -> pyarrow.Table:
        """Make an Arrow table, with columns of the types that the values have.

        Raises: DataError for values of several types in one column, or of another type than before.
        """
        import pyarrow

        rows = list(self.read_cells(keep))
        # Arrow takes the names of the first row alone.
        names = list(dict.fromkeys(name for row in rows for name in row))
        if schema is not None and (unknown := [name for name in names if name not in schema.names]):
            raise DataError(
                f"{self.path}: from {self._records[0].place} on there is a column {unknown[0]!r}, "
                f"which earlier rows lack, and a Parquet file has the same columns all through. "
                f"{OTHER_FORMAT}"
            )
        columns = {name: [row.get(name) for row in rows] for name in names}
        try:
            if schema is None:
                table = pyarrow.table(columns)
            else:
                table = pyarrow.Table.from_pydict(
                    {name: columns.get(name, [None] * len(rows)) for name in schema.names}, schema
                )
        except (pyarrow.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise DataError(
                f"{self.path}: the rows from {self._records[0].place} on do not fit a Parquet "
                f"file: {first_line(error)}. {OTHER_FORMAT}"
            ) from error
        # Arrow cuts 2.5 to 2 in a column of whole numbers, and drops keys that a struct lacks.
        for name, values in columns.items():
            for record, value, held in zip(
                self._records, values, table.column(name).to_pylist(), strict=True
            ):
                if held != value and not _holds(held, value):
                    raise DataError(
                        f"{self.path}, {record.place}: {name} is {value!r}, which does not fit "
                        f"the type that rows before it gave the column, "
                        f"{table.schema.field(name).type}. {OTHER_FORMAT}"
                    )
        return table


def _holds(held: Any, value: Any) -> bool:
    """Return whether a cell of Arrow holds all of a value of JSON.

    >>> _holds({"a": 1, "b": None}, {"a": 1.0}), _holds({"a": 1}, {"a": 1, "c": 2}), _holds(2, 2.5)
    (True, False, False)
    """
    if isinstance(value, dict) and isinstance(held, dict):
        # A struct has the keys of all rows.
        return all(_holds(held.get(key, _NOTHING), one) for key, one in value.items())
    if isinstance(value, list) and isinstance(held, list):
        return len(held) == len(value) and all(map(_holds, held, value))
    return bool(held == value) or (value != value and held != held)  # NaN is no equal of itself


_NOTHING = object()
OTHER_FORMAT = (
    "Write JSON lines, which takes any rows: give --output a name that ends in .jsonl; or leave "
    "the column out with --columns."
)


class ArrowChunk:
    """Rows of a Parquet file, or of an Arrow table.

    Attributes:
      path, columns: as in `Chunk`.
    """

    def __init__(self, path: Path, table: pyarrow.Table, *, first: int = 1) -> None:
        self.path = path
        self.columns = table.column_names
        self._table = table
        self._first = first

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def read_records(self, columns: Sequence[str]) -> Iterator[Record]:
        """Yield each row with its place, and these columns alone."""
        rows = self._table.select(list(columns)).to_pylist()
        for number, cells in enumerate(rows, self._first):
            yield Record(f"row {number}", cells)

    def take(self, start: int, stop: int) -> ArrowChunk:
        """Return the rows from `start` up to `stop`."""
        table = self._table.slice(start, stop - start)
        return ArrowChunk(self.path, table, first=self._first + start)

    def select(self, rows: Sequence[int]) -> ArrowChunk:
        """Return some rows, in this order."""
        return ArrowChunk(self.path, self._table.take(list(rows)))

    def read_cells(self, keep: Sequence[str] | None) -> Iterator[dict[str, Any]]:
        """Yield each row's cells by column; a NaN is a missing value, as JSON has none.

        Raises: DataError for a date that Python cannot hold.
        """
        import pyarrow

        table = self._keep(keep)
        try:
            cells: list[dict[str, Any]] = table.to_pylist()
        except (OverflowError, ValueError) as error:
            raise DataError(
                f"{self.path}: the rows from row {self._first} on hold a time that cannot be "
                f"written as text: {first_line(error)}. Leave the column out with --columns, or "
                f"give --output a name that ends in .parquet."
            ) from error
        floats = [field.name for field in table.schema if pyarrow.types.is_floating(field.type)]
        for row in cells:
            for name in floats:
                if row[name] != row[name]:
                    row[name] = None
        return iter(cells)

    def make_table(
        self,
        keep: Sequence[str] | None,
        schema: pyarrow.Schema | None,  # noqa: ARG002
    ) -> pyarrow.Table:
        """Return the rows as an Arrow table; all chunks of a data set have one schema."""
        return self._keep(keep)

    def _keep(self, keep: Sequence[str] | None) -> pyarrow.Table:
        return self._table if keep is None else self._table.select(list(keep))
