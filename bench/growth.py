"""Measure how time and memory grow with batch and length, and with the number of shapes.

    python -m bench.growth [--precisions float32 bfloat16] [--minutes 6]

A DistilBERT-base with random weights encodes rows of equal length, from 1 x 16 to 256 x 512 tokens,
each precision in a process of its own, with the environment of `tfclf predict`. Small cells come
first; those that no longer fit into the time are left out by name. Figures go to
bench/results/growth.json, and as a plot to docs/assets/growth.png.
"""

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.table import Table

from bench.measure import describe_run, write_result
from bench.peers.contenders import OUR_ENVIRONMENT
from samples.checkpoints import ROOT

BATCHES = (1, 8, 32, 64, 128, 256)
LENGTHS = (16, 64, 128, 256, 512)
_RESULT = ROOT / "bench" / "results" / "growth.json"
_PLOT = ROOT / "docs" / "assets" / "growth.png"
_SHAPES = 400  # distinct numbers of tokens, for the memory that a shape leaves behind
_MIB = 2**20


def main() -> None:
    """Measure what the command line chooses, then draw the plot."""
    options = _options()
    if options.worker is not None:
        _work(Path(options.worker), minutes=options.minutes, runs=options.runs)
        return
    from bench.cases import CASES
    from bench.material import base_checkpoint

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = base_checkpoint(CASES[0], Path(folder) / "checkpoint")
        for precision in options.precisions:
            figures[precision] = _run_worker(checkpoint, Path(folder), precision, options)
    result = {**describe_run(), "case": CASES[0].name, "figures": figures}
    write_result(_RESULT, result)
    draw(result, _PLOT)
    _print(figures)


def _run_worker(
    checkpoint: Path, folder: Path, precision: str, options: argparse.Namespace
) -> Mapping[str, Any]:
    import tfclf
    from bench.material import texts

    export = tfclf.export(
        checkpoint,
        folder / precision,
        precision=precision,
        calibration_texts=texts("AG News", 200)[1] if precision.startswith("int8") else None,
    )
    share = options.minutes / len(options.precisions)
    command = [sys.executable, "-m", "bench.growth", "--worker", str(export)]
    command += ["--minutes", str(share), "--runs", str(options.runs)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **OUR_ENVIRONMENT},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _work(export: Path, *, minutes: float, runs: int) -> None:
    """Measure one export, and print the figures as one line of JSON."""
    import numpy as np

    import tfclf

    clf = tfclf.load(export)
    dice = np.random.default_rng(0)

    def make_rows(batch: int, length: int) -> tuple[Any, Any]:
        ids = dice.integers(1_000, 20_000, [batch, length], np.int32)
        return ids, np.ones_like(ids)

    def encode(rows: tuple[Any, Any]) -> float:
        started = time.perf_counter()
        clf.call_encode(*rows)["logits"].numpy()
        return time.perf_counter() - started

    encode(make_rows(1, 16))
    started, cells, left_out = time.perf_counter(), [], []
    seconds_a_token = 0.0
    for batch, length in order_cells():
        # Once to build what a new shape needs, and the counted runs.
        expected = seconds_a_token * batch * length * (runs + 1)
        if time.perf_counter() - started + expected > 60 * minutes:
            left_out.append(f"{batch} x {length}")
            continue
        rows = make_rows(batch, length)
        with _Peak() as peak:
            encode(rows)
            spent = [encode(rows) for _ in range(runs)]
        seconds_a_token = statistics.median(spent) / (batch * length)
        cells.append(
            {
                "batch": batch,
                "length": length,
                "microseconds_a_token": round(1e6 * seconds_a_token, 1),
                "range": [round(1e6 * edge / (batch * length), 1) for edge in _edges(spent)],
                "peak_mib": round(peak.grown / _MIB),
            }
        )
    before = _read_memory("VmRSS")
    for tokens in range(3, 3 + _SHAPES):
        encode(make_rows(1, tokens))
    shapes = round((_read_memory("VmRSS") - before) / _MIB)
    figures = {"cells": cells, "left_out": left_out, "mib_of_more_shapes": shapes}
    sys.stdout.write(json.dumps(figures) + "\n")


def order_cells() -> Iterator[tuple[int, int]]:
    """Return batches and lengths, the fewest tokens first.

    >>> list(order_cells())[:3], list(order_cells())[-1]
    ([(1, 16), (1, 64), (1, 128)], (256, 512))
    """
    cells = itertools.product(BATCHES, LENGTHS)
    return iter(sorted(cells, key=lambda cell: (cell[0] * cell[1], cell[0])))


def find_spread(cells: Sequence[Mapping[str, Any]]) -> float:
    """Return the largest time a token over the smallest, from 8 x 64 upward.

    >>> cells = [("batch", 1, 9.0), ("batch", 8, 2.0), ("batch", 32, 2.5)]
    >>> find_spread(
    ...     [{"batch": b, "length": 64, "microseconds_a_token": t} for _, b, t in cells]
    ... )
    1.25
    """
    times: list[float] = [
        cell["microseconds_a_token"]
        for cell in cells
        if cell["batch"] >= 8 and cell["length"] >= 64
    ]
    return round(max(times) / min(times), 2)


class _Peak:
    """Memory that a block takes at most, above what the process held before it."""

    grown = 0

    def __enter__(self) -> "_Peak":
        # Linux sets the high-water mark back to the memory in use.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = _read_memory("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.grown = max(0, _read_memory("VmHWM") - self._before)


def _read_memory(key: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    found = re.search(rf"{key}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def _edges(spent: Sequence[float]) -> tuple[float, float]:
    return min(spent), max(spent)


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw time a token and peak memory over the number of tokens, a line for each length."""
    import matplotlib.pyplot as plt

    figures = result["figures"]
    whole, axes = plt.subplots(2, len(figures), figsize=(5 * len(figures), 7), squeeze=False)
    for column, (precision, found) in enumerate(figures.items()):
        for key, row, label in (
            ("microseconds_a_token", 0, "microseconds a token"),
            ("peak_mib", 1, "memory at most, MiB"),
        ):
            axis = axes[row][column]
            for length in LENGTHS:
                cells = [cell for cell in found["cells"] if cell["length"] == length]
                tokens = [cell["batch"] * cell["length"] for cell in cells]
                axis.plot(
                    tokens, [cell[key] for cell in cells], marker="o", label=f"{length} tokens"
                )
            axis.set_xscale("log", base=2)
            axis.set_ylim(bottom=0)
            axis.set_xlabel("tokens in the batch")
            axis.set_ylabel(label)
            axis.set_title(precision)
            axis.grid(alpha=0.3)
        axes[0][column].legend(title="a row", fontsize="small")
    whole.suptitle(f"{result['case']}, {result['machine']['processor']}, {result['made'][:10]}")
    whole.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.savefig(path, dpi=90)
    plt.close(whole)


def _print(figures: Mapping[str, Any]) -> None:
    console = Console()
    for precision, found in figures.items():
        table = Table("batch", *map(str, LENGTHS), title=f"{precision}: microseconds a token")
        for batch in BATCHES:
            by_length = {
                cell["length"]: str(cell["microseconds_a_token"])
                for cell in found["cells"]
                if cell["batch"] == batch
            }
            table.add_row(str(batch), *(by_length.get(length, "") for length in LENGTHS))
        console.print(table)
        console.print(
            f"from 8 x 64 upward the slowest takes {find_spread(found['cells'])} times the "
            f"fastest; {_SHAPES} more shapes take {found['mib_of_more_shapes']} MiB; left out: "
            f"{', '.join(found['left_out']) or 'nothing'}"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16", "int8_bfloat16"])
    parser.add_argument("--minutes", type=float, default=6.0, help="for all precisions together")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each cell")
    parser.add_argument("--worker", metavar="EXPORT", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
