"""Single-text requests to the embedded server, batched and unbatched, beside bulk work."""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tfclf
from samples.checkpoints import ROOT

CLIENTS = (1, 4, 16, 64)
_MODEL = "distilbert_mini_sequence_classifier_ag_news"
_PATIENCE = 60


def measure(texts: Sequence[str], *, runs: int, logs: Path) -> list[dict[str, Any]]:
    """Return one entry per number of clients: medians over the runs, ratios paired run by run.

    Returns: texts a second in bulk, batched and not, their ratios, and latencies in milliseconds.
    """
    classifier = tfclf.load(ROOT / "saved_models" / _MODEL)
    list(classifier.predict(texts[:256]))
    with (
        _server(logs / "alone.log", "--enable_batching=false") as alone,
        _server(logs / "batched.log") as batched,
    ):
        return [
            _at(clients, texts, classifier, {"alone": alone, "batched": batched}, runs)
            for clients in CLIENTS
        ]


def _at(
    clients: int,
    texts: Sequence[str],
    classifier: tfclf.Classifier,
    servers: dict[str, str],
    runs: int,
) -> dict[str, Any]:
    rows = texts[: 64 * clients]
    bulk_rates: list[float] = []
    loads: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for count in range(runs + 1):  # the first run is not counted
        started = time.perf_counter()
        list(classifier.predict(texts[:1024], batch_size=64))
        bulk = 1024 / (time.perf_counter() - started)
        found = {name: _load(address, rows, clients) for name, address in servers.items()}
        if count:
            bulk_rates.append(bulk)
            for name, load in found.items():
                loads[name].append(load)
    rates = {
        name: [len(rows) / one["seconds"] for one in all_runs] for name, all_runs in loads.items()
    }
    return {
        "clients": clients,
        "in_process_bulk": round(statistics.median(bulk_rates), 1),
        **{
            name: {
                "texts_per_second": round(statistics.median(rates[name]), 1),
                **_latencies(loads[name]),
            }
            for name in servers
        },
        "batched_to_alone": _ratio(rates["batched"], rates["alone"]),
        "batched_to_bulk": _ratio(rates["batched"], bulk_rates),
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 2)


def _latencies(loads: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return percentiles over the requests of all runs, in milliseconds."""
    cuts = statistics.quantiles((latency for load in loads for latency in load["latencies"]), n=100)
    return {f"p{percent}_ms": round(cuts[percent - 1] * 1000, 1) for percent in (50, 95, 99)}


def _load(address: str, texts: Sequence[str], clients: int) -> dict[str, Any]:
    task = {"address": address, "model": _MODEL, "texts": list(texts), "clients": clients}
    done = subprocess.run(
        [sys.executable, "-m", "bench.load_client"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def _server(log: Path, *flags: str) -> Iterator[str]:
    """Run the embedded server in a process of its own; yield its gRPC address."""
    base = ROOT / "saved_models" / _MODEL
    command = [
        sys.executable,
        "-m",
        "tfclf.server",
        f"--model_name={_MODEL}",
        f"--model_base_path={base}",
    ]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, f"--port={port}", *flags],
            stderr=out,
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    try:
        _wait(process, log)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    patience = time.monotonic() + _PATIENCE
    while time.monotonic() < patience and process.poll() is None:
        if re.search(r"serving .* \(gRPC\)", log.read_text()):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
