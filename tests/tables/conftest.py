"""Files of rows for the tests of tables."""

from pathlib import Path

import pytest

from tests.tables.rows import write_rows


@pytest.fixture(params=[".csv", ".tsv", ".jsonl", ".parquet"])
def rows_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The rows in each format."""
    return write_rows(tmp_path / f"rows{request.param}")
