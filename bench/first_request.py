"""Measure a server's first requests against its tenth, and what warm-up adds to the start.

    python -m bench.first_request [EXPORT]

Each row is one kind of request, sent ten times to a server that has just started. The quotient of
the first and the median of the last five should be at most two. `Client` rows include what a new
client asks about the model before its first prediction.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

import tfclf
from samples.checkpoints import DEMO
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.process import Server

_BATCH = list(HEADLINES)
_TIMES = 10


def main(export: Path) -> None:
    """Print the seconds of the start, and milliseconds by kind of request."""
    version = max(int(folder.name) for folder in export.iterdir() if folder.name.isdecimal())
    folder = export / str(version)
    Loader(warm_up_runs=0)("model", version, folder).close()  # TensorFlow's own start
    for runs in (0, 1):
        started, worked = time.perf_counter(), time.process_time()
        Loader(warm_up_runs=runs)("model", version, folder).close()
        seconds, work = time.perf_counter() - started, time.process_time() - worked
        print(f"load {'with' if runs else 'without'} warm-up: {seconds:.1f} s, CPU {work:.1f} s")
    print(f"\n{'request':44} {'first ms':>9} {'later ms':>9} {'quotient':>9}")
    with serve(export, model_name="model", port=0, rest_port=0) as server:
        for name, send in _requests(server):
            milliseconds = []
            for _ in range(_TIMES):
                started = time.perf_counter()
                send()
                milliseconds.append((time.perf_counter() - started) * 1000)
            later = statistics.median(milliseconds[_TIMES // 2 :])
            quotient = milliseconds[0] / later
            print(f"{name:44} {milliseconds[0]:9.1f} {later:9.1f} {quotient:9.1f}")


def _requests(server: Server) -> Iterator[tuple[str, Callable[[], Any]]]:
    for address in (server.address, str(server.rest_url)):
        protocol = "REST" if address.startswith("http") else "gRPC"
        with tfclf.Client(address, model="model") as client:
            yield f"{protocol}: Client, with its questions", lambda: client.predict(_BATCH[:1])
        with tfclf.Client(address, model="model") as client:
            client.wait_until_ready()
            yield f"{protocol}: detail, 1 row", lambda: client.predict(_BATCH[:1])
            yield f"{protocol}: detail, 8 rows", lambda: client.predict(_BATCH)
            yield (
                f"{protocol}: detail_pairs, 1 row",
                lambda: client.predict(_BATCH[:1], pairs=_BATCH[1:2]),
            )
            yield f"{protocol}: tokenize", lambda: client.tokenize(_BATCH[:1])
    url = f"{server.rest_url}/v1/models/model"
    with httpx.Client() as http:
        for signature, row in (
            ("serving_default", {"text": _BATCH[0]}),
            ("pairs", {"text": _BATCH[0], "text_pair": _BATCH[1]}),
            ("windows", {"text": _BATCH[0], "stride": 4}),
        ):
            body = {"signature_name": signature, "instances": [row]}
            yield f"REST: {signature}, 1 row", lambda: _post(http, f"{url}:predict", body)  # noqa: B023
        body = {"signature_name": "classify", "examples": [{"text": _BATCH[0]}]}
        yield "REST: classify, 1 row", lambda: _post(http, f"{url}:classify", body)


def _post(http: httpx.Client, url: str, body: Any) -> None:
    http.post(url, json=body).raise_for_status()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO)
