"""A million rows, killed twice and resumed, equal an unbroken run."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samples.checkpoints import ROOT
from tests.tables.rows import read_rows
from tfclf.files import hash_file

pytestmark = pytest.mark.verify

_PART = 20_000


def _start(model: Path, rows: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tfclf", "predict", str(model), "--file", str(rows)]
    command += ["--output", str(output), "--prefix", "p_", "--part-rows", str(_PART)]
    command += ["--batch-size", "256"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def _kill_after(parts: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill a job as soon as it has so many parts."""
    while len(list(folder.glob("part-*"))) < parts:
        assert process.poll() is None, "the job ended before it was killed"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_job_that_was_killed_twice_ends_with_the_bytes_of_an_unbroken_one(
    exported: Path, ag_news: list[str], tmp_path: Path, suffix: str
) -> None:
    rows = tmp_path / "rows.csv"
    with rows.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((f"{row:07d}", ag_news[row % len(ag_news)]) for row in range(1_000_000))
    output = tmp_path / f"killed{suffix}"
    for parts in (3, 20):
        _kill_after(parts, _start(exported, rows, output), tmp_path / f"{output.name}.parts")
    assert _start(exported, rows, output).wait() == 0
    assert _start(exported, rows, tmp_path / f"unbroken{suffix}").wait() == 0
    assert hash_file(output) == hash_file(tmp_path / f"unbroken{suffix}")
    assert [row["id"] for row in read_rows(output)] == [f"{row:07d}" for row in range(1_000_000)]
