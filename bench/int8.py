"""int8 beside float32: how far the answers agree, by the way that ranges are chosen.

    python -m bench.int8 [CHECKPOINT] [--rows 7600]

The checkpoint is a classifier of AG News, by default the bundled model's, which `make
demo-checkpoint` writes. Ranges are measured on 300 rows of the training split; answers are compared
on the official test split. Figures go to bench/results/int8.json. The speed is bench.peers' matter.
"""

import argparse
import csv
import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.material import SHARED
from bench.measure import describe_run, write_result
from samples.checkpoints import ROOT
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.graph.build import pack_batches
from tfclf.graph.engines.lean import LeanEngine
from tfclf.graph.engines.lean.calibration import ALLOWED_ERROR, RULES, SMOOTHING, calibrate
from tfclf.graph.engines.lean.weights import Dense, MakeProduct
from tfclf.graph.framing import Frame
from tfclf.problem_types import SINGLE_LABEL, activation_of
from tfclf.saved_model.manifest import INT8_BFLOAT16
from tfclf.saved_model.requirements import find_obstacle
from tfclf.tokenization.compile import Tokenizer

_RESULT = ROOT / "bench" / "results" / "int8.json"
_BATCH = 32
_CALIBRATION_ROWS = 300
# By name: how `calibrate` is called. The first is what `tfclf export` does.
WAYS: Mapping[str, Mapping[str, Any]] = {
    "as exported": {},
    **{f"range by {rule}": {"rule": rule} for rule in RULES if rule != "mse"},
    "without smoothing": {"smoothing": None},
    "every product in int8": {"allowed_error": np.inf},
    "every product in int8, without smoothing": {"allowed_error": np.inf, "smoothing": None},
    "every product in int8, without smoothing, range by max": {
        "allowed_error": np.inf,
        "smoothing": None,
        "rule": "max",
    },
}


def main() -> None:
    """Measure what the command line chooses."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    demo = ROOT / "build" / "demo_checkpoint"
    parser.add_argument("checkpoint", nargs="?", type=Path, default=demo)
    parser.add_argument("--rows", type=int, default=7600, help="of the test split")
    options = parser.parse_args()
    result = {
        **describe_run(),
        "calibration_rows": _CALIBRATION_ROWS,
        "smoothing": SMOOTHING,
        "allowed_error": ALLOWED_ERROR,
        "rows": options.rows,
        "ways": measure_agreement(options.checkpoint, options.rows),
    }
    write_result(_RESULT, result)
    _print(result)


def measure_agreement(folder: Path, count: int) -> dict[str, dict[str, Any]]:
    """Return, by way of calibrating, how far int8 agrees with float32 on AG News' test rows."""
    opened = open_checkpoint(folder)
    spec = opened.read_tokenizer()
    tokenizer, frame = Tokenizer(spec), Frame(spec, max_length=opened.max_length)
    weights = opened.load_weights()

    def build_engine(make_product: MakeProduct, rest: str = "float32") -> LeanEngine:
        return LeanEngine(
            opened.family,
            opened.config,
            weights,
            folder=folder,
            ladder=None,
            precision=rest,
            make_product=make_product,
        )

    pack = functools.partial(pack_batches, tokenizer, frame)
    training = _read_training()
    calibration = pack(sorted(training[:: len(training) // _CALIBRATION_ROWS], key=len), rows=16)
    texts, labels = _read_test()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))[:count]
    batches = pack([texts[index] for index in order], rows=_BATCH)
    truth = np.array([labels[index] for index in order])

    def run(engine: LeanEngine) -> np.ndarray:
        return np.concatenate([engine(batch).numpy() for batch in batches])

    exact = run(build_engine(Dense))

    def compare(engine: LeanEngine) -> dict[str, Any]:
        logits = run(engine)
        accuracy = float(np.mean(logits.argmax(1) == truth))
        return {**_compare(exact, logits), "accuracy": accuracy}

    found: dict[str, dict[str, Any]] = {
        "float32": {"accuracy": float(np.mean(exact.argmax(1) == truth))}
    }
    for name, options in WAYS.items():
        ranges = calibrate(build_engine, calibration, **options)
        make_product, kept = ranges.make_product, {"products_in_floats": list(ranges.kept)}
        found[name] = {**compare(build_engine(make_product)), **kept}
        if not options and not find_obstacle(INT8_BFLOAT16):
            found["bfloat16"] = compare(build_engine(Dense, "bfloat16"))
            found[INT8_BFLOAT16] = {**compare(build_engine(make_product, "bfloat16")), **kept}
    return found


def _compare(exact: np.ndarray, found: np.ndarray) -> dict[str, float]:
    activation = activation_of(SINGLE_LABEL)
    assert activation is not None
    difference = np.abs(activation(exact).numpy() - activation(found).numpy())
    return {
        "equal_labels": float(np.mean(exact.argmax(1) == found.argmax(1))),
        "largest_probability_difference": float(difference.max()),
        "mean_probability_difference": float(difference.mean()),
    }


def _read_training() -> list[str]:
    path = SHARED / "data" / "ag_news" / "train_subset.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def _read_test() -> tuple[list[str], list[int]]:
    path = SHARED / "data" / "ag_news" / "test.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return [f"{title} {text}" for _, title, text in rows], [int(label) - 1 for label, *_ in rows]


def _print(result: Mapping[str, Any]) -> None:
    columns = (
        "accuracy",
        "equal_labels",
        "largest_probability_difference",
        "mean_probability_difference",
    )
    table = Table("", *(name.replace("_", " ") for name in columns), "products in floats")
    for name, figures in result["ways"].items():
        kept = len(figures.get("products_in_floats", ()))
        table.add_row(name, *(f"{figures.get(key, 0):.4f}" for key in columns), str(kept))
    Console().print(table)


if __name__ == "__main__":
    main()
