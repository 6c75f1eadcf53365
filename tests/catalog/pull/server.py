"""A server of one file that misbehaves on demand: listed answers once each, then good ones."""

import email.utils
import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TypeVar

_Server = TypeVar("_Server", bound="LocalServer")


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
      status: other than 200 and 206: sent as it is, without the file.
      headers: beside, or in place of, those that a good answer has; None takes one out.
      cut: bytes of the body after which the connection is closed.
      ranges: whether Range is heard.
      content: in place of the server's file.
      before: called when the head of the answer is sent and nothing of the body; and `after` so
        many bytes of it.
    """

    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)
    cut: int | None = None
    ranges: bool = True
    content: bytes | None = None
    before: Callable[[], object] | None = None
    after: int = 0


@dataclass(frozen=True)
class Asked:
    """A request: its path, as it came, and its headers."""

    path: str
    headers: Mapping[str, str]

    @property
    def range(self) -> str | None:
        """The requested range of bytes; None for the whole file."""
        return self.headers.get("Range")


class LocalServer:
    """A server in threads of this process, as long as the `with` block."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self: _Server) -> _Server:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class FileServer(LocalServer):
    """Serves `content` at every path.

    Attributes:
      answers: the next ones; when they are used up, or for good with `always`, plain good ones.
      asked: the requests so far.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.answers: list[Answer] = []
        self.always: Answer | None = None
        self.asked: list[Asked] = []
        super().__init__(_handler(self))

    def next(self) -> Answer:
        """The answer to the next request."""
        return self.answers.pop(0) if self.answers else self.always or Answer()


def etag_of(content: bytes) -> str:
    """As S3 makes it, in quotes."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def zip_of(seed: int = 0, size: int = 200_000) -> bytes:
    """A zip of that many bytes and a few, not compressed."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as writer:
        block = bytes((seed + index * 7) % 251 for index in range(size // 2))
        for name in ("metadata/part-00000", "fields/labels/part-00000"):
            writer.writestr(zipfile.ZipInfo(name), block)
    return made.getvalue()


def _handler(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append(Asked(self.path, dict(self.headers.items())))
            answer = server.next()
            content = server.content if answer.content is None else answer.content
            headers: dict[str, str | None] = {
                "ETag": etag_of(content),
                "Last-Modified": email.utils.formatdate(1_600_000_000, usegmt=True),
            }
            status, body = (
                answer.status,
                content if answer.status == 200 else b"no file, but a page",
            )
            first = self._first_byte(headers["ETag"]) if answer.ranges and status == 200 else 0
            if first >= len(content) and first:
                status, body = 416, b""
                headers["Content-Range"] = f"bytes */{len(content)}"
            elif first:
                status, body = 206, content[first:]
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            headers |= {"Content-Length": str(len(body))} | dict(answer.headers)
            self.send_response(status)
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.close_connection = True
            self.send_header("Connection", "close")
            self.end_headers()
            self._send(body[: answer.cut], answer)

        def _send(self, body: bytes, answer: Answer) -> None:
            try:
                self.wfile.write(body[: answer.after])
                self.wfile.flush()
                if answer.before is not None:
                    answer.before()
                self.wfile.write(body[answer.after :])
            except OSError:  # the client is gone
                pass

        def _first_byte(self, etag: str | None) -> int:
            asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
            if asked is None or condition not in (
                None,
                etag,
                email.utils.formatdate(1_600_000_000, usegmt=True),
            ):
                return 0
            return int(asked.removeprefix("bytes=").split("-")[0])

        def log_message(self, *args: object) -> None:
            pass

    return Handler
