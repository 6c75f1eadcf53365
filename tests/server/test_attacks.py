"""Clients that stall, hang up, flood and lie; after every attack a good client gets its answer."""

import contextlib
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1.health_pb2_grpc import HealthStub
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server import http2
from tests.server.conftest import predict_request, strings
from tests.server.fakes import wait_until
from tests.server.own_process import ServerProcess, own_process
from tests.server.test_process import until
from tfclf.server import serve
from tfclf.server.limits import Limits
from tfclf.server.process import ServerOptions
from tfclf.server.start import find_models, start
from tfclf.server.transport.arrivals import Arrivals

HELLO = predict_request({"text": strings("hello")})
WATCH = "/grpc.health.v1.Health/Watch"
THREADS = 8
SECONDS = 55  # for an answer; less than the minute that a message may take to arrive


@pytest.fixture(scope="module")
def server(echo_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with own_process(
        echo_base, tmp_path_factory.mktemp("attacks") / "log", max_threads=THREADS
    ) as running:
        assert_answers(running)
        yield running


def assert_answers(server: ServerProcess) -> None:
    with server.channel() as channel:
        assert hello(PredictionServiceStub(channel)).outputs["length"].int_val[:] == [5]
    assert rest(server, inputs=["hello"]).json()["outputs"]["length"] == [5]


def hello(stub: PredictionServiceStub) -> PredictResponse:
    """Ask again if the call is cancelled: in a crowd the server ends calls that wait for a second.

    On a busy machine this call may be one of them.
    """
    for _ in range(9):
        call = stub.Predict.future(HELLO, timeout=SECONDS)
        if call.code() is not grpc.StatusCode.CANCELLED:
            return call.result()
    return stub.Predict(HELLO, timeout=SECONDS)


def rest(server: ServerProcess, **document: object) -> httpx.Response:
    return httpx.post(
        f"{server.rest_url}/v1/models/echo:predict", json=document, trust_env=False, timeout=SECONDS
    )


# Clients that stall


@pytest.mark.parametrize("path", [http2.PREDICT, WATCH])
@pytest.mark.parametrize(
    "begun", [b"", http2.message(b"abc", length=1_000)], ids=["no message", "half a message"]
)
def test_calls_whose_message_does_not_come_keep_nobody_out(
    server: ServerProcess, path: str, begun: bytes
) -> None:
    with http2.connect(server.port) as connection:
        for stream in range(1, 6 * THREADS, 2):
            connection.sendall(http2.headers(http2.request_headers(path), stream=stream))
            if begun:
                connection.sendall(http2.frame(http2.DATA, begun, stream=stream))
        time.sleep(0.2)
        assert_answers(server)


def test_a_message_may_take_its_time_where_there_is_room(server: ServerProcess) -> None:
    with http2.connect(server.port) as connection:
        connection.sendall(http2.headers(http2.request_headers(), stream=1))
        time.sleep(2)
        body = http2.message(HELLO.SerializeToString())
        connection.sendall(http2.frame(http2.DATA, body, stream=1, flags=http2.END_STREAM))
        received = b""
        while b"hello" not in received:
            chunk = connection.recv(10_000)
            assert chunk, received
            received += chunk


def test_idle_connections_beyond_the_limit_keep_nobody_out(server: ServerProcess) -> None:
    with contextlib.ExitStack() as open_:
        memory = server.memory()
        for _ in range(1_200):
            open_.enter_context(
                socket.create_connection(("127.0.0.1", server.rest_port), timeout=60)
            )
        for _ in range(300):
            open_.enter_context(http2.connect(server.port))
        assert_answers(server)
        assert server.memory() - memory < 60  # 40 KB each
    wait_until(lambda: server.descriptors() < 100)


# Clients that hang up


@pytest.mark.parametrize("reset", [False, True])
def test_clients_that_hang_up_in_mid_request_leave_nothing_behind(
    server: ServerProcess, reset: bool
) -> None:
    head = (
        b"POST /v1/models/echo:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        + b"{" * 50_000
    )
    descriptors, threads = server.descriptors(), server.threads()
    for _ in range(100):
        for port in (server.port, server.rest_port):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                if port == server.port:
                    start_ = http2.headers(http2.request_headers(), stream=1)
                    half = http2.frame(http2.DATA, http2.message(b"a", length=9_999), stream=1)
                    connection.sendall(http2.PREFACE + http2.frame(http2.SETTINGS) + start_ + half)
                else:
                    connection.sendall(head)
                if reset:  # as if the client had been killed
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
    assert_answers(server)
    wait_until(lambda: server.descriptors() <= descriptors + 4)
    assert server.threads() <= threads + THREADS + 8


def test_streams_that_are_reset_at_once_keep_nobody_out(server: ServerProcess) -> None:
    memory = server.memory()
    with contextlib.suppress(ConnectionError), http2.connect(server.port) as connection:
        for stream in range(1, 6_000, 2):
            connection.sendall(
                http2.headers(http2.request_headers(), stream=stream)
                + http2.frame(http2.RST_STREAM, struct.pack(">I", 8), stream=stream)
            )
    assert_answers(server)
    assert server.memory() - memory < 50


@pytest.mark.parametrize(
    ("waiting", "ended"),
    [
        pytest.param({"a": 98.5, "b": 98.6}, "", id="no crowd"),
        pytest.param({"a": 39, "b": 98.6}, "a", id="a minute"),
        pytest.param(
            {"b": 98.6, "a": 98.5, "c": 98.7, "d": 98.8},
            "ab",
            id="all but the newest half of a crowd",
        ),
        pytest.param({"a": 98.5, "b": 99.5, "c": 99.6}, "a", id="a second"),
        pytest.param({"a": 99.5, "b": 99.6, "c": 99.7}, "", id="not yet a second"),
        pytest.param({"a": 39, "b": 39.1, "c": 39.2}, "abc", id="a crowd of a minute"),
    ],
)
def test_calls_without_a_message_are_ended(waiting: dict[str, float], ended: str) -> None:
    arrivals = Arrivals(threads=4)
    arrivals.close()
    assert "".join(arrivals.find_overdue(waiting, now=100.0)) == ended


# Clients that lie


@pytest.mark.parametrize(
    "sent",
    [
        http2.headers(http2.request_headers(content_type="text/html"), stream=1),
        http2.headers(http2.request_headers(path="/%2e%2e/\x1b[31m"), stream=1),
        http2.headers(http2.request_headers(), stream=1)
        + http2.frame(
            http2.DATA, http2.message(b"", length=(1 << 32) - 1), stream=1, flags=http2.END_STREAM
        ),
        http2.headers(http2.request_headers(), stream=1)
        + http2.frame(
            http2.DATA, http2.message(b"zz", compressed=1), stream=1, flags=http2.END_STREAM
        ),
        http2.headers(http2.request_headers(), stream=1)
        + http2.frame(http2.DATA, stream=1, flags=http2.END_STREAM),
        http2.headers(http2.request_headers(), stream=1)
        + http2.frame(http2.DATA, b"\x00", stream=1, flags=1),
        http2.headers([(":path", "/")] * 500, stream=1),
        http2.headers([*http2.request_headers(), ("grpc-timeout", "99999999999H")], stream=1),
        http2.headers([*http2.request_headers(), ("a-bin", "?"), ("x", "\xff\n")], stream=1),
        http2.headers(http2.request_headers(), stream=0),
        http2.headers(http2.request_headers(), stream=1, flags=0) * 3,
        http2.frame(http2.DATA, b"a", stream=7),
        http2.frame(0xFF, b"a" * 16_384) * 50,
        http2.frame(http2.SETTINGS, b"\xff" * 6) * 2_000,
        http2.frame(http2.PING, b"12345678") * 2_000,
        b"\x00" * 100_000,
    ],
)
def test_frames_that_lie_keep_nobody_out(server: ServerProcess, sent: bytes) -> None:
    with http2.connect(server.port) as connection, contextlib.suppress(OSError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(10_000):
            pass
    assert_answers(server)


def test_bytes_that_are_no_message_are_refused_and_leave_the_log_alone(
    server: ServerProcess,
) -> None:
    with server.channel() as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(http2.PREDICT)(b"\xff\xff", timeout=60)
    assert raised.value.code() is grpc.StatusCode.INTERNAL  # as gRPC for C++ does
    assert raised.value.details() == "The bytes that were sent are no message of this method"
    assert "Exception" not in server.log.read_text()


def test_long_names_are_cut_in_errors_of_rest(server: ServerProcess) -> None:
    response = rest(server, signature_name="n" * 1_000_000, inputs=["a"])
    assert response.status_code == 400
    assert response.json()["error"].endswith("n...TRUNCATED")
    assert len(response.content) < 70_000


def test_a_body_of_long_numbers_takes_no_time(server: ServerProcess) -> None:
    numbers = ["9" * 4_300] * 300
    body = f'{{"instances": [{",".join(numbers)}, {"9" * 5_000}]}}'
    response = httpx.post(
        f"{server.rest_url}/v1/models/echo:predict", content=body, trust_env=False, timeout=SECONDS
    )
    assert "Number too big" in response.json()["error"]


# Clients that ask for too much


def test_a_batch_of_100_000_rows_is_refused(server: ServerProcess) -> None:
    texts = ["a"] * 100_000
    with server.channel() as channel, pytest.raises(grpc.RpcError) as raised:
        PredictionServiceStub(channel).Predict(
            predict_request({"text": strings(*texts)}), timeout=60
        )
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "100,000 strings; this server takes 32,768" in raised.value.details()
    response = rest(server, inputs=texts)
    assert response.status_code == 400
    assert "100,000 strings; this server takes 32,768" in response.json()["error"]


def test_a_text_of_10_mb_is_answered(server: ServerProcess) -> None:
    text = "a" * (10 << 20)
    request = predict_request({"text": strings(text)}, output_filter=["length"])
    with server.channel() as channel:
        assert PredictionServiceStub(channel).Predict(request, timeout=60).outputs[
            "length"
        ].int_val[:] == [len(text)]
    assert rest(server, inputs=[text]).json()["outputs"]["length"] == [len(text)]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_message_beyond_the_limit_is_refused_zipped_or_not(echo_base: Path, zipped: bool) -> None:
    options = ServerOptions(port=0, limits=Limits(max_message_bytes=10_000))
    request = predict_request({"text": strings("a" * 1_000_000)})
    compression = grpc.Compression.Gzip if zipped else grpc.Compression.NoCompression
    with (
        start(find_models(echo_base), options=options) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.Predict(request, timeout=20, compression=compression)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in raised.value.details()
        assert stub.Predict(HELLO, timeout=60)


def test_requests_beyond_the_limit_are_refused_at_once(echo_base: Path, tmp_path: Path) -> None:
    options = ServerOptions(port=0, grpc_threads=2, limits=Limits(max_concurrent_requests=4))
    with (
        start(find_models(echo_base), options=options) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = PredictionServiceStub(channel)
        futures = [stub.Predict.future(until(tmp_path / "done")) for _ in range(68)]
        wait_until(lambda: sum(each.done() for each in futures) == 64)
        refused = Counter(each.code().name for each in futures if each.done())
        assert refused == {"RESOURCE_EXHAUSTED": 64}
        (tmp_path / "done").touch()
        assert Counter(each.code().name for each in futures) == {**refused, "OK": 4}
        wait_until(lambda: server.service.in_flight == 0)
        assert stub.Predict(HELLO, timeout=60)


# The end


def test_sigterm_under_load_answers_or_refuses_and_ends_with_0(
    echo_base: Path, tmp_path: Path
) -> None:
    codes: Counter[str] = Counter()
    with own_process(echo_base, tmp_path / "log", measured=False) as server:
        stopping = threading.Event()

        def client() -> None:
            with server.channel() as channel:
                stub = PredictionServiceStub(channel)
                while True:
                    try:
                        stub.Predict(HELLO, timeout=60)
                        codes["OK"] += 1
                    except grpc.RpcError as error:
                        codes[error.code().name] += 1
                        if stopping.is_set():
                            return

        clients = [threading.Thread(target=client) for _ in range(16)]
        for each in clients:
            each.start()
        wait_until(lambda: codes["OK"] > 100)
        stopping.set()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        for each in clients:
            each.join()
    # gRPC itself answers CANCELLED to a call that it was accepting when it stopped.
    assert set(codes) <= {"OK", "UNAVAILABLE", "CANCELLED"}
    assert codes["OK"]
    assert 'File "' not in server.log.read_text()


def test_a_stopped_server_leaves_no_thread_of_its_watch(echo_base: Path) -> None:
    def watches() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "tfclf-arrivals"}

    before = watches()  # of servers of other tests
    with serve(echo_base, port=0):
        (watch,) = watches() - before
    watch.join(60)
    assert not watch.is_alive()


def test_a_health_watch_still_tells_the_state() -> None:
    """Its servicer answers from threads of its own, which the watch must leave alone."""
    from concurrent.futures import ThreadPoolExecutor

    from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

    from tfclf.server.transport.health import add_health

    arrivals = Arrivals(2)
    grpc_server = grpc.server(ThreadPoolExecutor(2), interceptors=(arrivals,))
    health = add_health(grpc_server)
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        states = HealthStub(channel).Watch(HealthCheckRequest())
        assert next(states).status == HealthCheckResponse.NOT_SERVING
        health.set_serving()
        assert next(states).status == HealthCheckResponse.SERVING
        states.cancel()
    grpc_server.stop(0).wait()
    arrivals.close()
