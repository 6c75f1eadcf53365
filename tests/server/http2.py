"""Just enough HTTP/2 to misbehave: frames that a gRPC library would not send."""

import socket
import struct
from collections.abc import Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GO_AWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
END_STREAM, END_HEADERS = 0x1, 0x4
PREDICT = "/tensorflow.serving.PredictionService/Predict"


def frame(kind: int, payload: bytes = b"", *, stream: int = 0, flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def headers(fields: Sequence[tuple[str, str]], *, stream: int, flags: int = END_HEADERS) -> bytes:
    """Build a HEADERS frame of literals, not indexed, not Huffman-coded (RFC 7541, 6.2.2)."""
    block = b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)
    return frame(HEADERS, block, stream=stream, flags=flags)


def request_headers(
    path: str = PREDICT, content_type: str = "application/grpc"
) -> list[tuple[str, str]]:
    pseudo = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a")]
    return [*pseudo, ("content-type", content_type), ("te", "trailers")]


def message(body: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """Build a gRPC message, whose prefix may lie."""
    return struct.pack(">BI", compressed, len(body) if length is None else length) + body


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(PREFACE + frame(SETTINGS))
    return connection


def _string(text: str) -> bytes:
    encoded = text.encode("latin-1")
    return _integer(len(encoded)) + encoded


def _integer(number: int) -> bytes:
    """Encode an integer with a prefix of 7 bits (RFC 7541, 5.1)."""
    if number < 127:
        return bytes([number])
    number -= 127
    rest = []
    while number >= 128:
        rest.append(number % 128 + 128)
        number //= 128
    return bytes([127, *rest, number])
