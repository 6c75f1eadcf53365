"""The HTTP server itself: ports, TLS, slow clients, drain."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tfclf.errors import InputError, ServerError
from tfclf.server.transport.http import HttpServer


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer "hello" after the seconds that the path names."""
    await asyncio.sleep(float(scope["path"][1:] or 0))
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
    )
    await send({"type": "http.response.body", "body": b"hello"})


class Holding:
    """An app that answers "hello" once `go` is set, and counts requests in `come`."""

    def __init__(self) -> None:
        self.come = threading.Semaphore(0)
        self.go = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.come.release()
        while not self.go.is_set():
            await asyncio.sleep(0.01)
        await app({"path": "/"}, receive, send)


async def reading_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer once the complete body is there."""
    while (message := await receive()).get("more_body"):
        pass
    if message["type"] == "http.request":
        await app(scope, receive, send)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer(app, port=0) as running:
        yield running


@pytest.fixture(scope="module")
def impatient() -> Iterator[HttpServer]:
    """A server with timeouts of a second, enough for a client of these tests."""
    with HttpServer(app, port=0, header_timeout=1, keep_alive=1) as running:
        yield running


def get(server: HttpServer, path: str = "/", **options: Any) -> httpx.Response:
    return httpx.get(
        f"{server.scheme}://127.0.0.1:{server.port}{path}", trust_env=False, timeout=60, **options
    )


def wait_until_closed(connection: socket.socket) -> None:
    connection.settimeout(60)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1_000):
            pass


def drip(connection: socket.socket, sent: bytes) -> None:
    """Send 20 bytes a second."""
    for byte in sent:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def read_hello(connection: socket.socket) -> None:
    connection.settimeout(60)
    received = b""
    while not received.endswith(b"hello"):
        chunk = connection.recv(1_000)
        assert chunk, received
        received += chunk


def test_port_0_takes_a_free_port(server: HttpServer) -> None:
    assert server.port > 0
    assert get(server).text == "hello"


def test_the_server_does_not_name_its_software(server: HttpServer) -> None:
    assert "server" not in get(server).headers


def test_a_taken_port_is_named(server: HttpServer) -> None:
    with pytest.raises(ServerError, match=f":{server.port} for REST: Address already in use"):
        HttpServer(app, port=server.port).start()


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid"])
def test_an_address_that_cannot_be_had_is_named(host: str) -> None:
    with pytest.raises(ServerError, match="cannot listen"):
        HttpServer(app, host=host, port=0).start()


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_named(port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} does not exist"):
        HttpServer(app, port=port)


def test_a_client_that_says_nothing_is_hung_up_on_once_its_time_is_over(
    impatient: HttpServer,
) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", impatient.port)) as connection:
        wait_until_closed(connection)
    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize(
    "before", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["first", "second"]
)
def test_a_client_that_drips_headers_is_hung_up_on(before: bytes) -> None:
    with (
        HttpServer(app, port=0, header_timeout=1, keep_alive=600) as server,
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        connection.sendall(before)
        if before:
            read_hello(connection)
        with pytest.raises(ConnectionError):
            drip(connection, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 2_000)


def test_an_idle_connection_is_closed_once_its_time_is_over(impatient: HttpServer) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", impatient.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until_closed(connection)
    assert time.monotonic() - started > 0.9


def test_a_slow_answer_is_waited_for(impatient: HttpServer) -> None:
    assert get(impatient, "/2.2").text == "hello"


def test_what_is_no_http_gets_400(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        connection.settimeout(60)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 400")


def test_headers_without_end_get_an_error(server: HttpServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000)
            connection.settimeout(60)
            assert connection.recv(1_000).startswith(b"HTTP/1.1 400")
        except ConnectionError:
            pass  # closed while the client still writes
    assert get(server).text == "hello"


def test_a_stop_waits_for_requests_under_way() -> None:
    holding, answers = Holding(), list[str]()
    server = HttpServer(holding, port=0)
    server.start()
    client = threading.Thread(target=lambda: answers.append(get(server).text))
    client.start()
    assert holding.come.acquire(timeout=60)
    stopping = threading.Thread(target=server.stop, args=[60])
    stopping.start()
    stopping.join(0.3)
    assert stopping.is_alive()
    holding.go.set()
    for thread in (client, stopping):
        thread.join(60)
    assert answers == ["hello"]


def test_a_stop_ends_in_time() -> None:
    holding, failures = Holding(), list[Exception]()
    server = HttpServer(holding, port=0)
    server.start()

    def client() -> None:
        try:
            get(server).raise_for_status()
        except httpx.HTTPError as error:
            failures.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    assert holding.come.acquire(timeout=60)
    server.stop(0.5)
    thread.join(60)
    assert failures  # its answer never came
    assert server._thread is not None
    server._thread.join(60)
    assert not server._thread.is_alive()


def test_a_stopped_server_has_given_its_port_back() -> None:
    server = HttpServer(app, port=0)
    server.start()
    server.stop(1)
    with HttpServer(app, port=server.port) as again:
        assert get(again).text == "hello"


def test_more_requests_than_allowed_get_503() -> None:
    holding = Holding()
    with (
        HttpServer(holding, port=0, max_connections=2) as server,
        socket.create_connection(("127.0.0.1", server.port)) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert holding.come.acquire(timeout=60)
        assert get(server).status_code == 503  # uvicorn counts its connection too
        holding.go.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
    ],
)
def test_connections_without_a_whole_request_give_way(sent: bytes) -> None:
    patient = HttpServer(reading_app, port=0, max_connections=3, header_timeout=600, keep_alive=600)
    with patient as server, contextlib.ExitStack() as open_:  # nothing but the limit closes one
        others = [
            open_.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(2)
        ]
        for other in others:
            other.sendall(sent)
            if sent.startswith(b"GET / HTTP/1.1"):  # while it is answered it need not give way
                read_hello(other)
        assert get(server).text == "hello"
        wait_until_closed(others[0])


def test_a_request_under_way_does_not_give_way() -> None:
    holding = Holding()
    with (
        HttpServer(holding, port=0, max_connections=3, header_timeout=600) as server,
        contextlib.ExitStack() as open_,
    ):
        under_way = open_.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        under_way.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert holding.come.acquire(timeout=60)
        others = [
            open_.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(5)
        ]
        for other in others[:3]:
            wait_until_closed(other)
        holding.go.set()
        read_hello(under_way)


def test_tls(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tls")
    _make_certificate(str(folder / "key.pem"), str(folder / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    trusting = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with HttpServer(app, port=0, tls=context) as server:
        assert get(server, verify=trusting).text == "hello"


def _make_certificate(key: str, certificate: str) -> None:
    import shutil
    import subprocess

    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate, and is not installed")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run([*command, *names], check=True, capture_output=True)
