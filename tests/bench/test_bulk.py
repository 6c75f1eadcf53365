"""What `python -m bench.bulk --add` keeps of an earlier result."""

import json
from pathlib import Path

import pytest

from bench.bulk import read_seconds

CONTENT = {"model": "tiny", "rows": "8 rows", "machine": {"cores": 2}}


def write_result(folder: Path) -> Path:
    path = folder / "bulk_8.json"
    path.write_text(json.dumps({**CONTENT, "seconds": {"one": [1.5]}}), encoding="utf-8")
    return path


def test_the_seconds_of_an_earlier_result_are_kept(tmp_path: Path) -> None:
    assert read_seconds(write_result(tmp_path), CONTENT) == {"one": [1.5]}


def test_a_result_of_another_machine_is_not_added_to(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"another machine; leave --add out"):
        read_seconds(write_result(tmp_path), {**CONTENT, "machine": {"cores": 4}})
