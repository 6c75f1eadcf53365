"""Single-text requests to the embedded server, batched and unbatched, beside bulk work."""

import base64
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

import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

import tfclf
from samples.checkpoints import ROOT

CLIENTS = (1, 4, 16, 64)
_CALLS = 64
_MODEL = "distilbert_mini_sequence_classifier_ag_news"
_BUNDLED = ROOT / "saved_models" / _MODEL
_METHOD = "/tensorflow.serving.PredictionService/Predict"
_PATIENCE = 60


def measure(texts: Sequence[str], *, runs: int, logs: Path) -> list[dict[str, Any]]:
    """Return one entry per number of clients: medians over the runs, ratios paired run by run.

    Returns: texts a second in bulk, batched and not, their ratios, and latencies in milliseconds;
      the same calls in process, one text each; and the CPU time of the load generator, which shares
      the cores with the server.
    """
    classifier = tfclf.load(_BUNDLED)
    list(classifier.predict(texts[:256]))
    with (
        _server(_BUNDLED, logs / "alone.log", "--enable_batching=false") as (alone, _),
        _server(_BUNDLED, logs / "batched.log") as (batched, _),
    ):
        return [
            _at(clients, texts, classifier, {"alone": alone, "batched": batched}, runs)
            for clients in CLIENTS
        ]


def measure_overhead(texts: Sequence[str], *, runs: int, folder: Path) -> list[dict[str, Any]]:
    """Measure what a request costs beside the model, on a model that computes next to nothing.

    Returns: for one client and for many, CPU time per request of the server and of the load
      generator, and the latency, all in milliseconds: medians over the runs.
    """
    base = folder / _MODEL
    _save_trivial_model(base / "1")
    figures = []
    with _server(base, folder / "trivial.log", "--enable_batching=true") as (address, server):
        for clients in (CLIENTS[0], CLIENTS[-1]):
            rows = texts[: 256 * clients]
            loads = []
            for _ in range(runs + 1):
                before = _cpu_seconds(server)
                load = _load(address, rows, clients)
                loads.append({**load, "server": _cpu_seconds(server) - before})
            del loads[0]
            figures.append(
                {
                    "clients": clients,
                    "server_cpu_ms": _per_request(loads, "server", len(rows)),
                    "load_cpu_ms": _per_request(loads, "cpu_seconds", len(rows)),
                    "p50_ms": _latencies(loads)["p50_ms"],
                }
            )
    return figures


def _per_request(loads: Sequence[dict[str, Any]], key: str, requests: int) -> float:
    """Return the median over loads of a time per request, in milliseconds."""
    seconds: float = statistics.median(load[key] for load in loads)
    return round(seconds / requests * 1000, 3)


def _cpu_seconds(process: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _save_trivial_model(folder: Path) -> None:
    """Save a model with the outputs of the bundled one, which only counts the bytes of a text."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = tf.tile(tf.cast(tf.strings.length(text), tf.float32)[:, None], [1, 4])
        return {
            "label": tf.strings.as_string(tf.argmax(logits, axis=1)),
            "score": logits[:, 0],
            "probabilities": tf.nn.softmax(logits),
            "logits": logits,
        }

    module = tf.Module()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": answer})


def _at(
    clients: int,
    texts: Sequence[str],
    classifier: tfclf.Classifier,
    servers: dict[str, str],
    runs: int,
) -> dict[str, Any]:
    rows = texts[: 64 * clients]
    bulk_rates: list[float] = []
    calls: list[float] = []
    loads: dict[str, list[dict[str, Any]]] = {name: [] for name in servers}
    for count in range(runs + 1):  # the first run is not counted
        started = time.perf_counter()
        list(classifier.predict(texts[:1024], batch_size=64))
        bulk = 1024 / (time.perf_counter() - started)
        found = {name: _load(address, rows, clients) for name, address in servers.items()}
        alone = _time_calls(classifier, rows[:_CALLS])
        if count:
            bulk_rates.append(bulk)
            calls += alone
            for name, load in found.items():
                loads[name].append(load)
    rates = {
        name: [len(rows) / one["seconds"] for one in all_runs] for name, all_runs in loads.items()
    }
    return {
        "clients": clients,
        "in_process_bulk": round(statistics.median(bulk_rates), 1),
        "in_process_call_p50_ms": round(statistics.median(calls) * 1000, 2),
        **{
            name: {
                "texts_per_second": round(statistics.median(rates[name]), 1),
                **_latencies(loads[name]),
                "load_cpu_ms": _per_request(loads[name], "cpu_seconds", len(rows)),
            }
            for name in servers
        },
        "batched_to_alone": _ratio(rates["batched"], rates["alone"]),
        "batched_to_bulk": _ratio(rates["batched"], bulk_rates),
    }


def _time_calls(classifier: tfclf.Classifier, texts: Sequence[str]) -> list[float]:
    """Return the seconds of calls in process, one text each."""
    seconds = []
    for text in texts:
        started = time.perf_counter()
        list(classifier.predict([text]))
        seconds.append(time.perf_counter() - started)
    return seconds


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return round(statistics.median(one / other for one, other in zip(ours, theirs, strict=True)), 2)


def _latencies(loads: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return percentiles over the requests of all runs, in milliseconds."""
    cuts = statistics.quantiles((latency for load in loads for latency in load["latencies"]), n=100)
    return {f"p{percent}_ms": round(cuts[percent - 1] * 1000, 1) for percent in (50, 95, 99)}


def _load(address: str, texts: Sequence[str], clients: int) -> dict[str, Any]:
    messages = [base64.b64encode(_serialize(text)).decode() for text in texts]
    task = {"address": address, "method": _METHOD, "messages": messages, "clients": clients}
    done = subprocess.run(
        [sys.executable, "-m", "bench.load_client"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    answers = found.pop("responses")
    assert len(answers) == len(texts)
    for answer in answers:
        assert PredictResponse.FromString(base64.b64decode(answer)).outputs
    return found


def _serialize(text: str) -> bytes:
    request = PredictRequest()
    request.model_spec.name = _MODEL
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([text.encode()]))
    serialized: bytes = request.SerializeToString()
    return serialized


@contextmanager
def _server(base: Path, log: Path, *flags: str) -> Iterator[tuple[str, int]]:
    """Run the embedded server in a process of its own; yield its gRPC address and its id."""
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
        yield f"127.0.0.1:{port}", process.pid
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
