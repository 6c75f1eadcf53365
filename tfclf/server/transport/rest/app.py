"""TF Serving's REST API as an ASGI app: body limits, deadlines, and clients that hang up."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from tfclf.saved_model.model_list import MODELS
from tfclf.server.context import RequestContext
from tfclf.server.request_id import HEADER, TRACEPARENT, choose_request_id
from tfclf.server.service import Service
from tfclf.server.transport.rest.handler import HttpError, RestHandler
from tfclf.server.transport.rest.write import write_error

Headers = Mapping[bytes, bytes]
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)


def rest_app(
    service: Service,
    threads: Executor,
    *,
    timeout: float | None = 30.0,
    max_body_bytes: int = 1 << 28,
    body_timeout: float = 60.0,
    cors: bool = False,
    own_form: bool = False,
    extra: Sequence[BaseRoute] = (),
) -> Starlette:
    """Return the ASGI app.

    Args:
      service: the RPCs behind the API.
      threads: runs requests, parsing and writing included; the event loop only moves bytes.
      timeout: seconds for a request from its last byte on (--rest_api_timeout_in_ms); None, 0 or
        less: no limit.
      max_body_bytes: the limit of a request's body, zipped and unzipped; beyond it, 413.
      body_timeout: seconds for a body to arrive; beyond it, 408.
      cors: whether pages of other origins may call (--rest_api_enable_cors_support).
      own_form: whether to answer :decide, our own form, too.
      extra: routes that take precedence, such as the one of the metrics.
    """
    app = Starlette(routes=extra)
    app.router.redirect_slashes = False
    app.router.default = _Api(
        service, threads, timeout, max_body_bytes, body_timeout, cors, own_form
    )
    return app


class _Api:
    def __init__(
        self,
        service: Service,
        threads: Executor,
        timeout: float | None,
        max_body_bytes: int,
        body_timeout: float,
        cors: bool,
        own_form: bool,
    ) -> None:
        self._service = service
        self._handler = RestHandler(service, max_body_bytes=max_body_bytes, own_form=own_form)
        self._threads = threads
        self._timeout = timeout if timeout is not None and timeout > 0 else None
        self._max_body_bytes = max_body_bytes
        self._body_timeout = body_timeout
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent: Headers = dict(scope["headers"])
        request_id = choose_request_id(sent.get(HEADER.encode()))
        try:
            status, body, headers = await self._respond(scope, receive, sent, request_id)
        except ClientDisconnect:
            return
        except HttpError as error:
            # The rest of the body stays unread, so the connection cannot be used again.
            status, body = error.status, write_error(error.message)
            headers = [(b"connection", b"close")]
        headers += [
            (HEADER.encode(), request_id.encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if self._cors:
            headers += _CORS
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _respond(
        self, scope: Scope, receive: Receive, sent: Headers, request_id: str
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
        path = raw.decode("latin-1")
        if not path.lower().startswith("/v1/"):
            raise HttpError(404, "Not Found")
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode("latin-1")
        if scope["method"] == "OPTIONS" and self._cors:
            return 200, b"", []
        encoding, length = _read_body_headers(sent)
        body = await self._read_body(receive, length)
        traceparent = sent.get(TRACEPARENT.encode(), b"").decode("latin-1")
        call = RequestContext(timeout=self._timeout, request_id=request_id, traceparent=traceparent)
        work = asyncio.get_running_loop().run_in_executor(
            self._threads,
            partial(self._handler.handle, scope["method"], path, body, encoding, call),
        )
        status, response = await _wait_or_cancel(work, receive, call)
        headers = [(key.encode(), value.encode()) for key, value in call.beside.items()]
        if status == 404 and (models := self._service.model_names):
            headers.append((MODELS.encode(), models.encode()))
        return status, response, headers

    async def _read_body(self, receive: Receive, length: int | None) -> bytes:
        if length is not None and length > self._max_body_bytes:
            raise self._size_error(length)
        try:
            return await asyncio.wait_for(self._read_chunks(receive), self._body_timeout)
        except asyncio.TimeoutError:
            raise HttpError(
                408, f"The body did not arrive within {self._body_timeout:g} seconds"
            ) from None

    async def _read_chunks(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body_bytes:
                raise self._size_error(size)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _size_error(self, size: int) -> HttpError:
        return HttpError(
            413,
            f"The body has {size:,} bytes or more; this server takes {self._max_body_bytes:,}. "
            "Send less at once.",
        )


def _read_body_headers(sent: Headers) -> tuple[bytes, int | None]:
    """Return Content-Encoding and Content-Length.

    >>> _read_body_headers({b"content-encoding": b"gzip", b"content-length": b"17"})
    (b'gzip', 17)
    """
    length = sent.get(b"content-length")
    return sent.get(b"content-encoding", b""), None if length is None else int(length)


async def _wait_or_cancel(
    work: "asyncio.Future[tuple[int, bytes]]", receive: Receive, call: RequestContext
) -> tuple[int, bytes]:
    """Wait for a thread's result, and cancel the call if the client hangs up before."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        call.cancel()

    watching = asyncio.ensure_future(watch())
    try:
        return await work
    except asyncio.CancelledError:  # the server's drain has ended
        call.cancel()
        raise
    finally:
        watching.cancel()
