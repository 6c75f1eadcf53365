"""Measure bulk scoring: files of rows against `predict` on a stream, and Spark against files.

    python -m bench.bulk [--rows 2048] [--runs 2] [--model EXPORT]
    python -m bench.bulk --rows 50000 --runs 1 --contenders command spark [--add]

All contenders score the same rows in turn, after one turn each that does not count if there are few
rows. The figures go to bench/results/bulk_ROWS.json; with --add, runs are added to those there.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

import tfclf
from bench.material import texts
from bench.measure import as_json, machine, make_figures, now, take_turns, write_result
from samples.checkpoints import DEMO, ROOT

_RESULTS = ROOT / "bench" / "results"
# A turn of so many rows takes minutes, and what only its first batches cost does not show.
_MANY_ROWS = 10_000
_NAMES = {
    "stream": "predict on a stream, file order",
    "list": "predict on a list",
    "csv": "score_files, CSV to CSV",
    "parquet": "score_files, CSV to Parquet",
    "command": "tfclf predict --output, CSV to Parquet",
    "spark": "Spark local[2], CSV to Parquet",
}


def main() -> None:
    """Run the comparison that the command line chooses."""
    options = _options()
    description, rows = texts("AG News", 7_600)
    rows = [rows[index % len(rows)] for index in range(options.rows)]
    path = _RESULTS / f"bulk_{options.rows}.json"
    content: dict[str, Any] = {
        "model": options.model.name,
        "rows": f"{options.rows:,} rows: {description}",
        "machine": machine(),
    }
    earlier = read_seconds(path, content) if options.add else {}
    with tempfile.TemporaryDirectory() as folder:
        contenders = _make_contenders(options, rows, Path(folder))
        warm_up = options.rows < _MANY_ROWS
        seconds = take_turns(contenders, runs=options.runs, warm_up=warm_up)
    for name, spent in seconds.items():
        spent[:0] = earlier.get(name, [])
    figures = make_figures(seconds, texts=len(rows))
    console = Console()
    for figure in figures:
        console.print(
            f"{figure.contender:40} {figure.texts_per_second:8.1f} rows/s, "
            f"{figure.ratio:.2f} ({figure.ratio_range[0]:.2f} to {figure.ratio_range[1]:.2f})"
        )
    rounded = {name: [round(one, 2) for one in spent] for name, spent in seconds.items()}
    write_result(path, {**content, "made": now(), "figures": as_json(figures), "seconds": rounded})


def read_seconds(path: Path, content: dict[str, Any]) -> dict[str, list[float]]:
    """Return the seconds of an earlier result. Exits if it is of another model or machine."""
    found = json.loads(path.read_text(encoding="utf-8"))
    different = [name for name, value in content.items() if found[name] != value]
    if different:
        raise SystemExit(f"{path} is of another {different[0]}; leave --add out to replace it.")
    seconds: dict[str, list[float]] = found["seconds"]
    return seconds


def _make_contenders(
    options: argparse.Namespace, rows: Sequence[str], folder: Path
) -> dict[str, Callable[[], object]]:
    source = _write_rows(folder / "rows.csv", rows)
    chosen = [key for key in _NAMES if key in options.contenders]
    in_process = {"stream", "list", "csv", "parquet"} & set(chosen)
    clf: Any = tfclf.load(options.model) if in_process else None
    command = [sys.executable, "-m", "tfclf", "predict", str(options.model), "--file", str(source)]
    output = str(folder / "command.parquet")
    ways: dict[str, Callable[[], object]] = {
        "stream": lambda: list(clf.predict(iter(rows))),
        "list": lambda: clf.predict(list(rows)),
        "csv": lambda: tfclf.score_files(clf, source, folder / "scored.csv", overwrite=True),
        "parquet": lambda: tfclf.score_files(
            clf, source, folder / "scored.parquet", overwrite=True
        ),
        "command": lambda: subprocess.run(
            [*command, "--output", output, "--overwrite"], check=True, capture_output=True
        ),
    }
    if "spark" in chosen:
        ways["spark"] = _make_spark(options.model, source, folder / "spark")
    return {_NAMES[key]: ways[key] for key in chosen}


def _write_rows(path: Path, rows: Sequence[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(enumerate(rows))
    return path


def _make_spark(model: Path, source: Path, output: Path) -> Callable[[], object]:
    from tfclf.spark import classify, start

    session = start(master="local[2]", config={"spark.ui.enabled": "false"})
    frame = session.read.csv(str(source), header=True, multiLine=True, escape='"').repartition(2)

    def score() -> None:
        scored = classify(frame, str(model), column="text", output="predicted")
        scored.write.mode("overwrite").parquet(str(output))

    return score


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_048)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--contenders", nargs="+", choices=list(_NAMES), default=list(_NAMES))
    parser.add_argument("--add", action="store_true", help="keep the runs of an earlier result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
