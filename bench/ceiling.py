"""Measure how near tfclf comes to the fastest that any engine could be on this processor.

    python -m bench.ceiling [--texts 256] [--runs 5]

A classification takes a number of multiplications and additions that no engine can save at equal
precision. Divided by the rate of plain matrix products on the same processor, it gives a ceiling
in texts per second. Products and classification run in turns, in float32, on all cores. Figures go
to bench/results/ceiling.json.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if __name__ == "__main__":  # as `tfclf predict` sets them, but not where tests import this file
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "1")

import numpy as np
import tensorflow as tf
from rich.console import Console

import tfclf
from bench.arithmetic import DISTILBERT_BASE, count_operations
from bench.cases import CASES
from bench.material import base_checkpoint, texts
from bench.measure import describe_run, take_turns, write_result
from samples.checkpoints import ROOT

_RESULT = ROOT / "bench" / "results" / "ceiling.json"
# Products are fastest with many rows; more than these change nothing.
_ROWS, _PRODUCTS = 4_096, 20


def main() -> None:
    """Measure what the command line chooses."""
    options = _options()
    case = CASES[0]
    description, rows = texts(case.data, options.texts)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = base_checkpoint(case, Path(folder) / "checkpoint")
        clf = tfclf.load(tfclf.export(checkpoint, Path(folder) / "model"))
    lengths = np.array([int(count) for count in clf.tokenize(list(rows)).row_lengths()])
    operations = count_operations(lengths, DISTILBERT_BASE, last_whole=False)
    seconds = take_turns(
        {"products": _make_products(), "tfclf": lambda: clf.predict_columns(rows)},
        runs=options.runs,
    )
    product_operations = (
        _PRODUCTS * 2 * 2 * _ROWS * DISTILBERT_BASE["dim"] * DISTILBERT_BASE["hidden_dim"]
    )
    # The fastest turn: a ceiling must not be lowered by what else the machine does.
    rate = product_operations / min(seconds["products"])
    result = {
        **describe_run(),
        "case": case.name,
        "precision": "float32",
        "texts": description,
        "tokens_per_text": round(float(lengths.mean()), 1),
        "giga_operations_per_text": round(operations / len(rows) / 1e9, 2),
        "giga_operations_per_second_of_products": round(rate / 1e9, 1),
        "ceiling_texts_per_second": round(len(rows) / (operations / rate), 1),
        "texts_per_second": round(len(rows) / statistics.median(seconds["tfclf"]), 1),
        "share": round(operations / rate / statistics.median(seconds["tfclf"]), 2),
    }
    write_result(_RESULT, result)
    Console().print(result)


def _make_products() -> Callable[[], object]:
    """Return a function that multiplies by the two kernels of a feed-forward, over and over."""
    dim, inner = DISTILBERT_BASE["dim"], DISTILBERT_BASE["hidden_dim"]
    rise = tf.Variable(tf.random.normal([dim, inner], stddev=dim**-0.5))
    fall = tf.Variable(tf.random.normal([inner, dim], stddev=inner**-0.5))
    rows = tf.random.normal([_ROWS, dim])

    @tf.function
    def multiply(rows: tf.Tensor) -> tf.Tensor:
        for _ in range(_PRODUCTS):
            rows = (rows @ rise) @ fall
        return tf.reduce_sum(rows)

    return lambda: multiply(rows).numpy()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    main()
