"""An HTTP server: an ASGI app under uvicorn, in a thread of its own."""

import asyncio
import logging
import socket
import ssl
import threading
import time
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from tfclf.errors import ServerError
from tfclf.server.transport.addresses import cannot_listen, check_port_number

_log = logging.getLogger(__name__)

_BACKLOG = 1024
_START_SECONDS = 30.0


class HttpServer:
    """An HTTP/1.1 server.

        with HttpServer(rest_app(service, threads), port=0) as server:
            print(server.port)

    Args:
      app: an ASGI app without a lifespan.
      host: a name or address of this machine; "0.0.0.0" or "::" opens the server to the network.
      port: 0 takes a free one.
      tls: switches to HTTPS.
      header_timeout: seconds from a connection's first byte, or from its start, to the end of a
        request's headers.
      keep_alive: seconds that a connection may stay open without a request.
      max_connections: beyond it, the connection that has waited longest for a complete request is
        closed; if all have one, a request gets 503. None: no limit.
    Raises: InputError for a port out of range.

    Attributes:
      port: the port that the server listens on, once started.
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 8501,
        tls: ssl.SSLContext | None = None,
        header_timeout: float = 10.0,
        keep_alive: float = 75.0,
        max_connections: int | None = None,
    ) -> None:
        check_port_number(port)
        self.host = host
        self.port = port
        self.scheme = "http" if tls is None else "https"
        config = uvicorn.Config(
            app,
            http=_make_protocol(header_timeout, max_connections),
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",  # uvicorn's lines repeat ours, or quote what a client sent
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type]  # any number of seconds will do
            limit_concurrency=max_connections,
            backlog=_BACKLOG,
        )
        config.load()
        config.ssl = tls
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start to answer requests. Raises: ServerError if the port is not available."""
        listener = self._listen()
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="tfclf-http", daemon=True
        )
        self._thread.start()
        end = time.monotonic() + _START_SECONDS
        while not self._server.started and self._failure is None:
            if time.monotonic() > end or not self._thread.is_alive():
                break
            time.sleep(0.005)
        if not self._server.started:
            self.stop(0)
            raise ServerError(
                f"the HTTP server on port {self.port} did not start: "
                f"{self._failure or 'no reason given'}. Expected it within {_START_SECONDS:.0f} "
                "seconds. Look into the log, and start again."
            ) from self._failure

    def stop(self, grace: float = 10.0) -> None:
        """Take no more connections, and cancel in-flight requests after `grace` seconds."""
        self._server.config.timeout_graceful_shutdown = grace  # type: ignore[assignment]  # see above
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(grace + 5.0)
            if self._thread.is_alive():
                _log.warning("the HTTP server's thread has not ended; it ends with the process")

    def __enter__(self) -> "HttpServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listen(self) -> socket.socket:
        listener = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6 and self.host == "::":
                # IPv4 too, like TF Serving.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            if listener is not None:
                listener.close()
            reason = error.strerror or str(error)
            raise ServerError(
                cannot_listen(self.host, self.port, reason, purpose="for REST")
            ) from error
        return listener

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except BaseException as error:
            self._failure = error
            _log.error("the HTTP server ended: %s", type(error).__name__)
        finally:
            listener.close()


def _make_protocol(header_timeout: float, max_connections: int | None) -> type[H11Protocol]:
    """Return uvicorn's HTTP protocol with two defences against clients that connect and say little.

    By itself it would wait for the end of a request's headers for ever. It also counts connections
    without a request against the limit: a thousand of them cost a client nothing, and everybody
    else would get 503.
    """
    waiting: dict[Any, None] = {}  # connections without a complete request, the longest wait first

    class _Protocol(H11Protocol):
        _slow: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if max_connections is not None and len(self.connections) >= max_connections and waiting:
                oldest = next(iter(waiting))
                del waiting[oldest]
                oldest.transport.abort()
            waiting[self] = None
            self._expect_headers()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            elif self.conn.trailing_data[0]:
                self._expect_headers()
            if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
                waiting.pop(self, None)

        def on_response_complete(self) -> None:
            waiting.pop(self, None)
            waiting[self] = None
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            waiting.pop(self, None)
            self._stop_waiting()
            super().connection_lost(exc)

        def _expect_headers(self) -> None:
            if self._slow is None:  # one timeout for all headers: a byte must not extend it
                self._slow = self.loop.call_later(header_timeout, self._hang_up)

        def _stop_waiting(self) -> None:
            if self._slow is not None:
                self._slow.cancel()
                self._slow = None

        def _hang_up(self) -> None:
            self._slow = None
            self.transport.abort()

    return _Protocol
