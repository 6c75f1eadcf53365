"""Measure `serving_xla` on a GPU: programs compiled, texts per second, agreement with the CPU.

    XLA_FLAGS="--xla_dump_to=build/xla --xla_dump_hlo_as_text" python -m bench.gpu [--quick]

One script for whoever has a GPU for a quarter of an hour. The rate of the encoder is compared with
that of plain matrix products on the same card, in the same precision, so the figure says how much
of the card the encoder uses. Figures go to bench/results/gpu.json after each precision, so a run
that is cut short keeps what it has.

Without a GPU it refuses, except with `--anyway`, which runs the same code on a CPU with small
sizes; its figures then mean nothing and are not written.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from rich.console import Console

import tfclf
from bench.arithmetic import DISTILBERT_BASE, count_operations
from bench.cases import CASES, Case
from bench.material import base_checkpoint, texts
from bench.measure import machine, write_result
from samples.checkpoints import ROOT

_RESULT = ROOT / "bench" / "results" / "gpu.json"
_TYPES = {"float32": tf.float32, "bfloat16": tf.bfloat16}
# DistilBERT-base, the case of the cards and of the CPU's tables.
_CASE = CASES[0]
_SMALL = {"n_layers": 1, "dim": 64, "hidden_dim": 128, "n_heads": 2}


def main() -> None:
    """Run what the command line chooses."""
    options = _options()
    console = Console()
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    if not has_gpu and not options.anyway:
        console.print("no GPU: TensorFlow lists none. Expected one; --anyway tries the script out.")
        sys.exit(2)
    _dump()
    case, rows = _choose_size(small=not has_gpu or options.quick)
    results: dict[str, Any] = {
        "machine": {**machine(), "gpu": _describe_gpu()},
        "case": case.name,
        "rows": len(rows),
    }
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = base_checkpoint(case, Path(folder) / "checkpoint")
        for precision in _TYPES:
            path = tfclf.export(checkpoint, Path(folder) / precision, precision=precision)
            results[precision] = _measure(path, precision, case, rows, runs=options.runs)
            console.print(precision, results[precision])
            if has_gpu:
                write_result(_RESULT, results)


def _choose_size(*, small: bool) -> tuple[Case, list[str]]:
    """Return the case, and rows of mixed lengths: news of 50 tokens, and joined ones up to 512."""
    _, news = texts("AG News", 512 if small else 4_096)
    joined = [" ".join(news[index : index + 2 + index % 12]) for index in range(0, len(news), 8)]
    rows = [row for index, row in enumerate(news) if index % 2] + joined
    return (replace(_CASE, sizes=_SMALL) if small else _CASE), rows


def _measure(
    path: Path, precision: str, case: Case, rows: Sequence[str], *, runs: int
) -> Mapping[str, Any]:
    plain, xla = tfclf.load(path, xla=False), tfclf.load(path, xla=True)
    before = _count_programs()
    # Both answers in full float32, or the comparison would measure TF32.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    sample = list(rows[:256])
    with tf.device("/CPU:0"):
        expected = plain(sample)["logits"].numpy()
    difference = float(np.abs(xla(sample)["logits"].numpy() - expected).max())
    tf.config.experimental.enable_tensor_float_32_execution(True)

    started = time.perf_counter()
    xla.predict_columns(rows)  # meets the buckets that these rows need, and compiles them
    first = time.perf_counter() - started
    compiled = _count_programs() - before
    seconds = _time(lambda: xla.predict_columns(rows), runs=runs)
    lengths = np.array([int(count) for count in xla.tokenize(list(rows)).row_lengths()])
    rate = count_operations(lengths, {**DISTILBERT_BASE, **case.sizes}) / seconds
    card = _measure_products(_TYPES[precision], runs=runs)
    return {
        "texts_per_second": round(len(rows) / seconds, 1),
        "tokens_per_second": round(int(lengths.sum()) / seconds),
        "first_pass_seconds": round(first, 1),
        "programs": compiled,
        "programs_again": _count_programs() - before,  # equal, or a second pass compiles
        "buckets": len(xla.manifest.ladder.rungs) if xla.manifest.ladder else 0,
        "tera_operations_per_second": round(rate / 1e12, 3),
        "products_tera_operations_per_second": round(card / 1e12, 3),
        "share_of_products": round(rate / card, 3),
        "largest_logit_difference": difference,
    }


def _time(work: Callable[[], object], *, runs: int) -> float:
    """Return the median of some runs in seconds."""
    spent = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def _measure_products(dtype: tf.DType, *, runs: int) -> float:
    """Measure operations per second of plain matrix products of a base encoder's sizes."""
    gpu = bool(tf.config.list_physical_devices("GPU"))
    size, repeats = (8_192, 20) if gpu else (256, 2)
    one = tf.cast(tf.random.normal([size, size], stddev=size**-0.5), dtype)

    @tf.function(jit_compile=True)
    def multiply(one: tf.Tensor) -> tf.Tensor:
        product = one
        for _ in range(repeats):
            product = tf.matmul(product, one)
        return tf.reduce_sum(tf.cast(product, tf.float32))

    multiply(one).numpy()
    return repeats * 2 * size**3 / _time(lambda: multiply(one).numpy(), runs=runs)


def _count_programs() -> int:
    """Count the programs of encoders that XLA has compiled and written down."""
    return sum("multiply" not in path.name for path in _dump().glob("*.before_optimizations.txt"))


def _dump() -> Path:
    """Return the folder of XLA's programs.

    Raises: SystemExit if XLA_FLAGS names none; XLA reads it before this program could set it.
    """
    where = re.search(r"--xla_dump_to=(\S+)", os.environ.get("XLA_FLAGS", ""))
    if where is None or "--xla_dump_hlo_as_text" not in os.environ["XLA_FLAGS"]:
        sys.exit(
            "XLA_FLAGS names no folder for XLA's programs, which are counted there. Set "
            "XLA_FLAGS='--xla_dump_to=build/xla --xla_dump_hlo_as_text'."
        )
    return Path(where[1])


def _describe_gpu() -> Mapping[str, Any]:
    """Return what TensorFlow says of the first GPU."""
    gpus = tf.config.list_physical_devices("GPU")
    return dict(tf.config.experimental.get_device_details(gpus[0])) if gpus else {}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the script out")
    parser.add_argument("--anyway", action="store_true", help="run without a GPU, small sizes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
