"""Rows for the tests of tables, written and read in each format."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from tfclf.sample_texts import HEADLINES

# Identifiers that a reader of numbers would spoil, and texts of every length.
ROWS: list[dict[str, Any]] = [
    {
        "id": f"{number:05d}",
        "text": f"{HEADLINES[number % len(HEADLINES)]} {'more ' * (number % 7)}",
    }
    for number in range(53)
]


def write_rows(path: Path, rows: list[dict[str, Any]] | None = None) -> Path:
    """Write rows in the format that the path's suffix names."""
    rows = ROWS if rows is None else rows
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, list(rows[0]), delimiter="," if path.suffix == ".csv" else "\t"
            )
            writer.writeheader()
            writer.writerows(rows)
    else:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path.write_text("".join(lines), encoding="utf-8")
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read what was written; the values of CSV are strings."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path, partitioning=None).to_pylist()
        return rows
    if path.suffix in (".csv", ".tsv"):
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter="," if path.suffix == ".csv" else "\t"))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
