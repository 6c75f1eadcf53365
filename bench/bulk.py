"""Measure bulk scoring: files of rows against `predict` on a stream, and Spark against files.

    python -m bench.bulk [--rows 4096] [--runs 3] [--model EXPORT] [--spark]

All contenders score the same rows in turn. The figures go to bench/results/bulk.json.
"""

import argparse
import csv
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console

import tfclf
from bench.material import texts
from bench.measure import as_json, compare, machine, write_result
from samples.checkpoints import DEMO, ROOT

_RESULT = ROOT / "bench" / "results" / "bulk.json"


def main() -> None:
    """Run the comparison that the command line chooses."""
    options = _options()
    description, rows = texts("AG News", 7_600)
    rows = [rows[index % len(rows)] for index in range(options.rows)]
    clf = tfclf.load(options.model)
    with tempfile.TemporaryDirectory() as folder:
        source = _write_rows(Path(folder) / "rows.csv", rows)
        contenders: dict[str, Callable[[], object]] = {
            "predict on a stream, file order": lambda: list(clf.predict(iter(rows))),
            "predict on a list": lambda: clf.predict(rows),
            "score_files, CSV to CSV": lambda: tfclf.score_files(
                clf, source, Path(folder) / "scored.csv", overwrite=True
            ),
            "score_files, CSV to Parquet": lambda: tfclf.score_files(
                clf, source, Path(folder) / "scored.parquet", overwrite=True
            ),
        }
        if options.spark:
            contenders["Spark local[2], CSV to Parquet"] = _make_spark(
                options.model, source, Path(folder) / "spark"
            )
        figures = compare(contenders, texts=len(rows), runs=options.runs)
    console = Console()
    for figure in figures:
        console.print(
            f"{figure.contender:34} {figure.texts_per_second:8.1f} rows/s, "
            f"{figure.ratio:.2f} ({figure.ratio_range[0]:.2f} to {figure.ratio_range[1]:.2f})"
        )
    content = {
        "model": clf.manifest.name,
        "rows": f"{options.rows:,} rows: {description}",
        "machine": machine(),
        "figures": as_json(figures),
    }
    write_result(_RESULT, content)


def _write_rows(path: Path, rows: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(enumerate(rows))
    return path


def _make_spark(model: Path, source: Path, output: Path) -> Callable[[], object]:
    from tfclf.spark import classify, start

    session = start(master="local[2]")
    frame = session.read.csv(str(source), header=True, multiLine=True, escape='"').repartition(2)

    def score() -> None:
        scored = classify(frame, str(model), column="text", output="predicted")
        scored.write.mode("overwrite").parquet(str(output))

    return score


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4_096)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--spark", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
