"""Divide the time of one text a call among the kinds of ops, by TensorFlow's profiler.

    python -m bench.one_text [--precision float32] [--tokens 16 50 128 512]

The model is a DistilBERT-base with random weights. Two things are measured for each number of
tokens: calls without a profiler, of a length that was seen before and of one that was not; and the
milliseconds that a profiled call spends in each kind of op, on all threads together. Figures go to
bench/results/one_text_PRECISION.json. Run it with the environment of `tfclf predict`, as
bench/peers/contenders.py has it.
"""

import argparse
import collections
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from rich.console import Console
from rich.table import Table
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import tfclf
from bench.cases import CASES
from bench.material import base_checkpoint, texts
from bench.measure import describe_run, write_result
from samples.checkpoints import ROOT
from tfclf.graph.build import PRECISIONS

_RESULTS = ROOT / "bench" / "results"
_CALLS = 20
_KINDS = {
    "products with weights": (
        *("_FusedMatMul", "MatMul", "_MklNativeFusedMatMul"),
        *("_QuantizedMatMul", "QuantizeV2"),
    ),
    "attention": ("BatchMatMulV2", "Softmax", "_MklBatchMatMulV2", "_MklFusedBatchMatMulV2"),
    "layer norm": ("FusedBatchNormV3", "_FusedBatchNormEx", "_MklLayerNorm"),
    "lookups": ("GatherV2", "ResourceGather"),
}


def main() -> None:
    """Measure what the command line chooses."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = base_checkpoint(CASES[0], Path(folder) / "checkpoint")
        export = tfclf.export(
            checkpoint,
            Path(folder) / "m",
            precision=options.precision,
            calibration_texts=texts("AG News", 200)[1]
            if options.precision.startswith("int8")
            else None,
        )
        clf = tfclf.load(export)
        figures = [
            _measure(clf, tokens, Path(folder) / f"profile-{tokens}") for tokens in options.tokens
        ]
    result = {
        **describe_run(),
        "case": CASES[0].name,
        "precision": options.precision,
        "figures": figures,
    }
    write_result(_RESULTS / f"one_text_{options.precision}.json", result)
    _print(figures)


def _measure(clf: tfclf.Classifier, tokens: int, folder: Path) -> Mapping[str, Any]:
    text = tf.constant([_make_text(tokens)])
    fresh = []
    for more in (1, 2, 3):  # lengths that no call has had
        started = time.perf_counter()
        clf(tf.constant([_make_text(tokens - more)]))["logits"].numpy()
        fresh.append(time.perf_counter() - started)
    clf(text)["logits"].numpy()
    spent = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        clf(text)["logits"].numpy()
        spent.append(time.perf_counter() - started)
    tf.profiler.experimental.start(str(folder))
    for _ in range(_CALLS):
        clf(text)["logits"].numpy()
    tf.profiler.experimental.stop()
    parts = _add_up(folder)
    call = 1e3 * statistics.median(spent)
    return {
        "tokens": tokens,
        "milliseconds": round(call, 2),
        "of_a_new_length": round(1e3 * statistics.median(fresh), 2),
        "parts": {kind: round(parts[kind], 2) for kind in (*_KINDS, "tokenizer", "other ops")},
        "between_ops": round(max(0.0, call - sum(parts.values())), 2),
    }


def _make_text(tokens: int) -> str:
    """Return a text of so many tokens, the two special ones included."""
    return " ".join(["news"] * (tokens - 2))


def _add_up(folder: Path) -> Mapping[str, float]:
    """Return the milliseconds of a call by kind of op."""
    sums: dict[str, float] = collections.defaultdict(float)
    for name, op, milliseconds in _read_ops(folder):
        kind = next((kind for kind, ops in _KINDS.items() if op in ops), None)
        if kind is None:
            # Texts end where the token ids begin.
            text = "String" in op or "Lookup" in op or "Regex" in op or "Unicode" in op
            kind = "tokenizer" if text or "Wordpiece" in op or "tokeniz" in name else "other ops"
        sums[kind] += milliseconds / _CALLS
    return sums


def _read_ops(folder: Path) -> Iterator[tuple[str, str, float]]:
    """Yield the name, the op and the milliseconds of each kernel that ran."""
    (path,) = folder.glob("plugins/profile/*/*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    for plane in space.planes:
        if "CPU" not in plane.name:
            continue
        for event in (event for line in plane.lines for event in line.events):
            name, _, op = plane.event_metadata[event.metadata_id].name.rpartition(":")
            # Kernels are "node:Op"; the profiler's own events hold "::" or no colon.
            # Calls of functions hold the ops that they run.
            if name and not name.endswith(":") and op.isidentifier() and "Call" not in op:
                yield name, op, event.duration_ps / 1e9


def _print(figures: list[Mapping[str, Any]]) -> None:
    table = Table("milliseconds", *(f"{one['tokens']} tokens" for one in figures))
    table.add_row("one call", *(str(one["milliseconds"]) for one in figures))
    table.add_row("one call, new length", *(str(one["of_a_new_length"]) for one in figures))
    for kind in figures[0]["parts"]:
        table.add_row(f"  {kind}", *(str(one["parts"][kind]) for one in figures))
    table.add_row("  between ops", *(str(one["between_ops"]) for one in figures))
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--precision", choices=list(PRECISIONS), default="float32")
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 50, 128, 512])
    return parser.parse_args()


if __name__ == "__main__":
    main()
