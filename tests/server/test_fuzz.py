"""After 100,000 hostile requests a server still answers and is no larger than before."""

import contextlib
import re
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import grpc
import httpx
import pytest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server import hostile
from tests.server.conftest import predict_request, strings
from tests.server.fakes import wait_until
from tests.server.own_process import DEMO, ROOT, ServerProcess, own_process, write_config
from tests.server.scorers import save_scorer

CLIENTS = 4
PARTS = 5
WARM_UP = 1_000
REQUESTS = 2_000
MOST_MEGABYTES = 50
_BUGS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)
_UNPARSABLE = "The bytes that were sent are no message of this method"
_CONTINUE = re.compile(rb"HTTP/1\.1 100 .*?\r\n\r\n", re.DOTALL)
TEXT = "Stocks rally as oil prices fall"


class Findings:
    """The server's answers, and those among them that are bugs."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self.codes: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._secret = re.compile("|".join(map(re.escape, secrets)))

    def add(self, kind: str, said: str, *, bug: bool, sent: object) -> None:
        """Record an answer.

        Args:
          kind: its code.
          said: the words in it that are the server's own.
        """
        self.codes[kind] += 1
        if bug or self._secret.search(said) or len(said) > 70_000:
            self.wrong.append(f"{kind}: {said[:600]!r} to {sent!r:.600}")


@pytest.fixture(scope="module")
def server(
    echo_base: Path, half_plus_two_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("fuzz")
    save_scorer(folder / "scorer" / "3")
    models = {
        "echo": echo_base,
        "half_plus_two": half_plus_two_base,
        "scorer": folder / "scorer",
        "demo": DEMO,
    }
    config = write_config(folder / "models.config", models)
    with own_process(config, folder / "log") as running:
        yield running


def over_grpc(server: ServerProcess, rng: Random, count: int, findings: Findings) -> None:
    with server.channel() as channel:
        for _ in range(count):
            path, body = hostile.grpc_request(rng)
            try:
                channel.unary_unary(path)(body, timeout=60)
                findings.add("OK", "", bug=False, sent=path)
            except grpc.RpcError as error:
                code, details = error.code(), error.details()
                bug = code in _BUGS and not (
                    details == _UNPARSABLE and not hostile.parses(path, body)
                )
                findings.add(code.name, details, bug=bug, sent=(path, body))


def over_rest(server: ServerProcess, rng: Random, count: int, findings: Findings) -> None:
    with contextlib.ExitStack() as open_:
        connection: socket.socket | None = None
        for _ in range(count):
            request = hostile.rest_request(rng)
            if connection is None:
                connection = socket.create_connection(("127.0.0.1", server.rest_port), timeout=60)
                open_.callback(connection.close)
            status, body, goes_on = exchange(connection, request)
            if not goes_on:
                open_.close()
                connection = None
            said = body.decode("utf-8", "replace") if status != 200 else ""
            bug = (status >= 500 and status != 504) or (request.whole and status == 0)
            findings.add(f"HTTP {status}", said, bug=bug, sent=request.sent)


def exchange(connection: socket.socket, request: hostile.Rest) -> tuple[int, bytes, bool]:
    """Read status (0: none), body, and whether the connection goes on."""
    received = b""
    try:
        connection.sendall(request.sent)
        if not request.whole:
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(100_000):
                received += chunk
        else:
            while len(received) < _end(received):
                chunk = connection.recv(100_000)
                if not chunk:
                    break
                received += chunk
    except ConnectionError:  # closed while this side still writes
        request = request._replace(whole=False) if received else request
    head, _, body = _CONTINUE.sub(b"", received, count=1).partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0
    return status, body, request.whole and status != 0 and b"connection: close" not in head.lower()


def _end(received: bytes) -> int:
    early = _CONTINUE.match(received)
    before = early.end() if early else 0
    head, complete, _ = received[before:].partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return before + len(head) + 4 + (int(length[1]) if length else 0) if complete else sys.maxsize


def storm(server: ServerProcess, count: int, seed: int, findings: Findings) -> None:
    """Send `count` requests from CLIENTS clients, half of them over gRPC."""
    failures: list[BaseException] = []

    def client(number: int, send: Callable[[ServerProcess, Random, int, Findings], None]) -> None:
        try:
            send(server, Random(seed * 1_000 + number), count // CLIENTS, findings)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=client, args=(number, over_grpc if number % 2 else over_rest))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def right_answers(server: ServerProcess) -> tuple[object, ...]:
    """Return the answers that well-behaved clients get."""
    with server.channel() as channel:
        stub = PredictionServiceStub(channel)
        answered = stub.Predict(predict_request({"text": strings(TEXT)}, model="demo"), timeout=60)
        echoed = stub.Predict(predict_request({"text": strings(TEXT)}), timeout=60)
    with httpx.Client(base_url=server.rest_url, trust_env=False, timeout=60) as client:
        rest = [
            client.post(f"/v1/models/{model}:predict", json={"inputs": [TEXT]})
            .raise_for_status()
            .json()
            for model in ("demo", "echo")
        ]
    assert echoed.outputs["text"].string_val[:] == [TEXT.encode()]
    assert rest[1]["outputs"]["text"] == [TEXT]
    return answered.outputs["label"].string_val[:], rest[0]["outputs"]["label"]


def measure_at_rest(server: ServerProcess) -> tuple[int, int, int]:
    """Measure megabytes, threads and descriptors, each at its least once the clients have gone."""
    seen = []
    for _ in range(5):
        time.sleep(0.2)
        seen.append((server.memory(), server.threads(), server.descriptors()))
    megabytes, threads, descriptors = zip(*seen, strict=True)
    return min(megabytes), min(threads), min(descriptors)


def attack(server: ServerProcess, requests: int, warm_up: int, seed: int) -> str:
    """Warm the server up with hostile requests, attack it with others, check it; return figures."""
    server_paths = (
        str(ROOT),
        sys.prefix,
        str(server.log.parent.parent),
        "Traceback",
        'File "',
        ".py",
    )
    findings = Findings(server_paths)
    before = right_answers(server)
    storm(server, warm_up, seed, findings)
    memory, threads, descriptors = measure_at_rest(server)
    started = time.monotonic()
    curve = [memory]
    for part in range(1, PARTS + 1):
        storm(server, requests // PARTS, seed + part, findings)
        curve.append(measure_at_rest(server)[0])
    seconds = time.monotonic() - started
    assert right_answers(server) == before
    wait_until(
        lambda: server.descriptors() <= descriptors + 8
    )  # closed a while after its clients have gone
    memory_after, threads_after, descriptors_after = measure_at_rest(server)
    figures = (
        f"{requests:,} requests in {seconds:.0f} s: megabytes {curve}, threads {threads} -> "
        f"{threads_after}, descriptors {descriptors} -> {descriptors_after}; "
        f"{dict(findings.codes.most_common())}"
    )
    assert not findings.wrong, "\n".join(
        [figures, f"{len(findings.wrong)} wrong", *findings.wrong[:20]]
    )
    assert memory_after - memory < MOST_MEGABYTES, figures
    assert threads_after - threads <= 8, figures
    assert descriptors_after - descriptors <= 8, figures
    assert sum(findings.codes.values()) == requests + warm_up
    log = server.log.read_text()
    assert 'File "' not in log, log[log.index('File "') - 1_000 :][:3_000]
    return figures


def test_thousands_of_hostile_requests_leave_a_server_that_still_answers(
    server: ServerProcess,
) -> None:
    sys.stdout.write(attack(server, REQUESTS, WARM_UP, seed=1))


@pytest.mark.verify
def test_a_hundred_thousand_hostile_requests_leave_a_server_that_still_answers(
    server: ServerProcess,
) -> None:
    sys.stdout.write(attack(server, 100_000, 20_000, seed=2))
