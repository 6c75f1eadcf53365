"""REST transport on httpx: blocking, and for asyncio. It needs neither TensorFlow nor gRPC."""

import asyncio
import os
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import tenacity

from tfclf.client import rest_json
from tfclf.client.address import Address
from tfclf.client.messages import (
    Metadata,
    Refused,
    Request,
    Response,
    VersionChoice,
    VersionStatus,
)
from tfclf.client.options import Options
from tfclf.client.reasons import Reason, read_reason
from tfclf.client.tls import Tls
from tfclf.saved_model import model_list

_T = TypeVar("_T")

# TF Serving's (http_status_util), and a proxy's: it answers 502 if its server is away.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _backoff(state: tenacity.RetryCallState) -> float:
    """Return seconds to wait, like gRPC: doubled each time.

    A jitter of 20 % keeps clients from all coming back at once.
    """
    return float(min(0.2 * 2 ** (state.attempt_number - 1), 5.0) * random.uniform(0.8, 1.2))


class _RestTransport:
    reports_version = False

    def __init__(self, client: Any, address: Address, options: Options, tls: Tls | None) -> None:
        self._client = client
        self._url = f"{address.target}/v1/models"
        self.model = options.model
        self._retries = options.retries
        server_name = None if tls is None else tls.server_name
        self._extensions = {} if server_name is None else {"sni_hostname": server_name}

    async def _send(self, request: httpx.Request, timeout: float | None) -> httpx.Response:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """See `Transport.sleep`."""
        raise NotImplementedError

    async def predict(
        self, request: Request, choice: VersionChoice, timeout: float | None
    ) -> Response:
        """See `Transport.predict`."""
        body = rest_json.encode_request(request)
        answer = await self._fetch(f"{_path(choice)}:predict", timeout, body)
        outputs = _decode(rest_json.decode_outputs, answer.content)
        return Response(None, outputs, answer.headers.get(model_list.FACTS, ""))

    async def metadata(self, choice: VersionChoice, timeout: float | None) -> Metadata:
        """See `Transport.metadata`."""
        answer = await self._fetch(f"{_path(choice)}/metadata", timeout)
        metadata = _decode(lambda body: rest_json.decode_metadata(body, self.model), answer.content)
        return replace(
            metadata,
            labels=model_list.decode_names(answer.headers.get(model_list.LABELS)),
            thresholds=model_list.decode_thresholds(answer.headers.get(model_list.THRESHOLDS)),
            facts=answer.headers.get(model_list.FACTS, ""),
        )

    async def status(
        self, choice: VersionChoice, timeout: float | None
    ) -> tuple[VersionStatus, ...]:
        """See `Transport.status`."""
        answer = await self._fetch(_path(choice), timeout)
        return _decode(rest_json.decode_status, answer.content)

    async def _fetch(
        self, path: str, timeout: float | None, body: bytes | None = None
    ) -> httpx.Response:
        """Send a request, with retries, and return the response, whose status is 200."""
        end = None if timeout is None else time.monotonic() + timeout
        stop: Any = tenacity.stop_after_attempt(self._retries + 1)
        if timeout is not None:
            stop |= tenacity.stop_before_delay(timeout)
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, Refused) and error.retriable
            ),
            stop=stop,
            wait=_backoff,
            sleep=self.sleep,
            reraise=True,
        )
        return await attempts(self._attempt, path, end, body)

    async def _attempt(self, path: str, end: float | None, body: bytes | None) -> httpx.Response:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise Refused("DEADLINE_EXCEEDED", "Deadline Exceeded")
        method = "GET" if body is None else "POST"
        try:
            request = self._client.build_request(
                method,
                f"{self._url}/{quote(self.model, safe='')}{path}",
                content=body,
                headers={} if body is None else {"content-type": "application/json"},
                timeout=left,
                extensions={**self._extensions},
            )
            response = await self._send(request, left)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, asyncio.TimeoutError) as error:
            raise _refusal_of_error(error) from None
        if response.status_code == 200:
            return response
        raise _refusal_of_response(response)


class RestTransport(_RestTransport):
    """Transport that blocks the calling thread; safe to use from several threads."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(httpx.Client(**_settings(options, tls)), address, options, tls)

    async def _send(self, request: httpx.Request, timeout: float | None) -> httpx.Response:
        # httpx's timeout is for each read; a response that trickles in must meet the deadline too.
        end = None if timeout is None else time.monotonic() + timeout
        response: httpx.Response = self._client.send(request, stream=True)
        try:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if end is not None and time.monotonic() > end:
                    raise Refused("DEADLINE_EXCEEDED", "Deadline Exceeded")
        finally:
            response.close()
        headers = {key: response.headers[key] for key in model_list.KEYS if key in response.headers}
        return httpx.Response(response.status_code, headers=headers, content=bytes(content))

    async def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Close the connections."""
        self._client.close()


class AsyncRestTransport(_RestTransport):
    """Transport for one event loop."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(httpx.AsyncClient(**_settings(options, tls)), address, options, tls)

    async def _send(self, request: httpx.Request, timeout: float | None) -> httpx.Response:
        # Not `asyncio.wait_for`: before Python 3.12 it loses a cancellation that comes in the same
        # turn of the loop as the response, and the caller goes on with the next batch.
        sending = asyncio.ensure_future(self._client.send(request))
        try:
            await asyncio.wait([sending], timeout=timeout)
            if not sending.done():
                raise asyncio.TimeoutError
            response: httpx.Response = sending.result()
            return response
        finally:
            if not sending.done():
                sending.cancel()
                await asyncio.wait([sending])
            elif not sending.cancelled():
                sending.exception()  # else the loop logs one that a cancellation has overtaken

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _settings(options: Options, tls: Tls | None) -> dict[str, Any]:
    # The user's threads may call beside our own, so no limit: none waits for a connection.
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=max(20, options.in_flight)
    )
    return {"limits": limits, **({} if tls is None else {"verify": tls.context})}


def _path(choice: VersionChoice) -> str:
    """The path below /v1/models/NAME.

    >>> _path(VersionChoice(version=2)), _path(VersionChoice(label="a/b")), _path(VersionChoice())
    ('/versions/2', '/labels/a%2Fb', '')
    """
    if choice.label is not None:
        return f"/labels/{quote(choice.label, safe='')}"
    return "" if choice.version is None else f"/versions/{choice.version}"


def _decode(decode: Callable[[bytes], _T], content: bytes) -> _T:
    try:
        return decode(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("UNKNOWN", f"an answer that is not TF Serving's: {content[:100]!r}") from None


def _refusal_of_response(response: httpx.Response) -> Refused:
    message = rest_json.decode_error(response.content)
    code = _CODES.get(response.status_code, "UNKNOWN")
    if message is None:
        message = (
            f"HTTP {response.status_code} {response.reason_phrase}, {response.content[:100]!r}"
        )
    models = model_list.decode_names(response.headers.get(model_list.MODELS))
    return Refused(code, message, reason=read_reason(code, message), models=models)


def _refusal_of_error(error: Exception) -> Refused:
    words = str(error) or type(error).__name__
    system = _find_system_words(error)
    if system not in words:  # asyncio says only that all attempts failed
        words = f"{words}: {system}"
    if isinstance(error, httpx.TimeoutException | asyncio.TimeoutError):
        return Refused("DEADLINE_EXCEEDED", "Deadline Exceeded")
    if isinstance(error, RuntimeError):  # "Cannot send a request, as the client has been closed."
        return Refused("CANCELLED", words)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return Refused("INVALID_ARGUMENT", words)
    if isinstance(error, httpx.RemoteProtocolError) and "illegal" in words:
        # h11's word for a first line that is not HTTP/1's, such as the first frame of HTTP/2.
        return Refused("UNAVAILABLE", words, reason=Reason.NOT_HTTP, retriable=False)
    # A connection that fails or breaks is UNAVAILABLE to gRPC. A retry is safe, since a prediction
    # changes nothing, except that after a TLS error it would only fail again.
    if _is_tls_error(error):
        return Refused("UNAVAILABLE", words, reason=Reason.TLS, retriable=False)
    return Refused("UNAVAILABLE", words, reason=read_reason("UNAVAILABLE", words))


def _find_system_words(error: BaseException | None) -> str:
    """Return the operating system's words for what went wrong, such as "Connection refused"."""
    words = ""
    while error is not None:
        # Not gaierror's and SSLError's, whose numbers are not the system's.
        if (type(error) is OSError or isinstance(error, ConnectionError)) and error.errno:
            words = os.strerror(error.errno)
        several = getattr(error, "exceptions", None)  # one per address, in an ExceptionGroup
        error = several[0] if several else error.__cause__ or error.__context__
    return words


def _is_tls_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
