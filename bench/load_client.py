"""Clients that send one text per request, each over its own connection, in a separate process.

The process shares the server's cores, so it must be cheap: one thread on plain sockets, requests
that are serialized already, responses that are parsed later. It speaks just enough HTTP/2;
gRPC's own asyncio client takes three to six times as much CPU.

It reads JSON from standard input (address, method, messages, clients) and writes JSON: responses,
seconds, latencies in seconds, and cpu_seconds, its own CPU time between the first request and the
last. Messages and responses are protocol buffers in Base64.
"""

import base64
import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

_PATIENCE = 60
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GO_AWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_HEAD = 9  # bytes before a frame's payload
_MESSAGE_HEAD = 5  # bytes before a gRPC message


def _frame(kind: int, payload: bytes = b"", *, stream: int = 0, flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _encode_headers(method: str) -> bytes:
    """Encode the headers of a call as literals without indexing (RFC 7541, 6.2.2)."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


class _Client:
    """A connection that has one request in flight."""

    def __init__(self, address: str, method: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(_PREFACE + _frame(_SETTINGS))
        self._headers = _encode_headers(method)
        self._stream = -1
        self._received = b""
        self._message = b""
        self._unacknowledged = 0
        self.started = 0.0

    def send(self, message: bytes) -> None:
        """Send a request."""
        self._stream += 2
        self._message = b""
        self.started = time.perf_counter()
        self.socket.sendall(
            _frame(_HEADERS, self._headers, stream=self._stream, flags=_END_HEADERS)
            + _frame(_DATA, message, stream=self._stream, flags=_END_STREAM)
        )

    def receive(self) -> bytes | None:
        """Read what has come; return the response if it is complete, without its message head.

        Raises: RuntimeError for a response without a message, which is an error.
        """
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise RuntimeError("the server has closed the connection")
        received, start, complete = self._received + chunk, 0, False
        while len(received) - start >= _HEAD:
            end = start + _HEAD + int.from_bytes(received[start : start + 3], "big")
            if len(received) < end:
                break
            kind, flags = received[start + 3], received[start + 4]
            complete |= self._take(kind, flags, received[start + _HEAD : end])
            start = end
        self._received = received[start:]
        if not complete:
            return None
        if not self._message:
            raise RuntimeError("the server answered with an error")
        return self._message[_MESSAGE_HEAD:]

    def _take(self, kind: int, flags: int, payload: bytes) -> bool:
        """Take a frame; return whether it ends the response."""
        if kind == _DATA:
            self._message += payload
            self._unacknowledged += len(payload)
            if self._unacknowledged > 1 << 14:
                update = struct.pack(">I", self._unacknowledged)
                self.socket.sendall(_frame(_WINDOW_UPDATE, update))
                self._unacknowledged = 0
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self.socket.sendall(_frame(kind, payload if kind == _PING else b"", flags=_ACK))
        elif kind in (_RST_STREAM, _GO_AWAY):
            raise RuntimeError("the server has ended the call")
        return kind == _HEADERS and bool(flags & _END_STREAM)


def _load(task: dict[str, Any]) -> dict[str, Any]:
    messages = [base64.b64decode(message) for message in task["messages"]]
    requests = iter([struct.pack(">BI", 0, len(message)) + message for message in messages])
    clients = [_Client(task["address"], task["method"]) for _ in range(task["clients"])]
    for client in clients:
        assert client.receive() is None  # the server's settings: it is ready
    cpu, started = time.process_time(), time.perf_counter()
    responses, latencies = _converse(clients, requests)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "latencies": latencies,
        "responses": [base64.b64encode(response).decode() for response in responses],
    }


def _converse(clients: list[_Client], requests: Iterator[bytes]) -> tuple[list[bytes], list[float]]:
    """Send all requests, one per client at a time; return the responses and their latencies."""
    responses: list[bytes] = []
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:

        def ask(client: _Client) -> None:
            message = next(requests, None)
            if message is None:
                selector.unregister(client.socket)
            else:
                client.send(message)

        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
            ask(client)
        while selector.get_map():
            ready = selector.select(_PATIENCE)
            if not ready:
                raise RuntimeError(f"the server has not answered for {_PATIENCE} seconds")
            for key, _ in ready:
                response = key.data.receive()
                if response is not None:
                    latencies.append(time.perf_counter() - key.data.started)
                    responses.append(response)
                    ask(key.data)
    return responses, latencies


if __name__ == "__main__":
    json.dump(_load(json.load(sys.stdin)), sys.stdout)
