"""Requests over REST, on httpx: a blocking form and one for asyncio. Needs neither TensorFlow nor gRPC."""

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import tenacity

from tfclf.client import rest_json
from tfclf.client.address import Address
from tfclf.client.messages import NO_HTTP, Answer, Ask, Choice, Metadata, Refused, VersionStatus
from tfclf.client.options import Options
from tfclf.client.tls import Tls

_T = TypeVar("_T")

# TF Serving's, http_status_util; and what stands between: a proxy whose server is away answers 502.
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
    """As gRPC's: doubled each time, give or take a fifth, so that clients do not come back all at once."""
    return float(min(0.2 * 2 ** (state.attempt_number - 1), 5.0) * random.uniform(0.8, 1.2))


class _RestTransport:
    tells_version = False

    def __init__(self, client: Any, address: Address, options: Options, tls: Tls | None) -> None:
        self._client = client
        self._url = f"{address.target}/v1/models/{quote(options.model, safe='')}"
        self._model = options.model
        self._retries = options.retries
        server_name = None if tls is None else tls.server_name
        self._extensions = {} if server_name is None else {"sni_hostname": server_name}

    async def _send(self, request: httpx.Request, timeout: float | None) -> httpx.Response:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """`Transport.sleep`."""
        raise NotImplementedError

    async def predict(self, ask: Ask, choice: Choice, timeout: float | None) -> Answer:
        """`Transport.predict`."""
        content = await self._content(
            f"{_path(choice)}:predict", timeout, rest_json.request_of(ask)
        )
        return Answer(None, _read(rest_json.outputs_of, content))

    async def metadata(self, choice: Choice, timeout: float | None) -> Metadata:
        """`Transport.metadata`."""
        content = await self._content(f"{_path(choice)}/metadata", timeout)
        return _read(lambda found: rest_json.metadata_of(found, self._model), content)

    async def status(self, choice: Choice, timeout: float | None) -> tuple[VersionStatus, ...]:
        """`Transport.status`."""
        return _read(rest_json.status_of, await self._content(_path(choice), timeout))

    async def _content(self, path: str, timeout: float | None, body: bytes | None = None) -> bytes:
        end = None if timeout is None else time.monotonic() + timeout
        stop: Any = tenacity.stop_after_attempt(self._retries + 1)
        if timeout is not None:
            stop |= tenacity.stop_before_delay(timeout)
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, Refused) and error.again
            ),
            stop=stop,
            wait=_backoff,
            sleep=self.sleep,
            reraise=True,
        )
        return await attempts(self._attempt, path, end, body)

    async def _attempt(self, path: str, end: float | None, body: bytes | None) -> bytes:
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise Refused("DEADLINE_EXCEEDED", "Deadline Exceeded")
        method = "GET" if body is None else "POST"
        try:
            request = self._client.build_request(
                method,
                self._url + path,
                content=body,
                headers={} if body is None else {"content-type": "application/json"},
                timeout=left,
                extensions={**self._extensions},
            )
            response = await self._send(request, left)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError, asyncio.TimeoutError) as error:
            raise _refused(error) from None
        if response.status_code == 200:
            return response.content
        raise _refusal(response)


class RestTransport(_RestTransport):
    """Blocks the thread that calls; safe to use from several."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(httpx.Client(**_settings(options, tls)), address, options, tls)

    async def _send(self, request: httpx.Request, timeout: float | None) -> httpx.Response:
        # httpx's timeout is for each read; an answer that comes in drops has a deadline too.
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
        return httpx.Response(response.status_code, content=bytes(content))

    async def sleep(self, seconds: float) -> None:
        """Blocks too."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Ends the connections."""
        self._client.close()


class AsyncRestTransport(_RestTransport):
    """For one event loop."""

    def __init__(self, address: Address, options: Options, tls: Tls | None) -> None:
        super().__init__(httpx.AsyncClient(**_settings(options, tls)), address, options, tls)

    async def _send(self, request: httpx.Request, timeout: float | None) -> httpx.Response:
        return await asyncio.wait_for(self._client.send(request), timeout)

    async def sleep(self, seconds: float) -> None:
        """Lets others run."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()


def _settings(options: Options, tls: Tls | None) -> dict[str, Any]:
    # Threads of the user's may call at once, beside our own: none of them waits for a place.
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=max(20, options.in_flight)
    )
    return {"limits": limits, **({} if tls is None else {"verify": tls.context})}


def _path(choice: Choice) -> str:
    if choice.label is not None:
        return f"/labels/{quote(choice.label, safe='')}"
    return "" if choice.version is None else f"/versions/{choice.version}"


def _read(read: Callable[[bytes], _T], content: bytes) -> _T:
    try:
        return read(content)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("UNKNOWN", f"an answer that is not TF Serving's: {content[:100]!r}") from None


def _refusal(response: httpx.Response) -> Refused:
    message = rest_json.error_of(response.content)
    code = _CODES.get(response.status_code, "UNKNOWN")
    if message is None:
        message = (
            f"HTTP {response.status_code} {response.reason_phrase}, {response.content[:100]!r}"
        )
    return Refused(code, message)


def _refused(error: Exception) -> Refused:
    words = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException | asyncio.TimeoutError):
        return Refused("DEADLINE_EXCEEDED", "Deadline Exceeded")
    if isinstance(error, RuntimeError):  # "Cannot send a request, as the client has been closed."
        return Refused("CANCELLED", words)
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return Refused("INVALID_ARGUMENT", words)
    if isinstance(error, httpx.RemoteProtocolError) and "illegal" in words:
        # h11's word for a first line that is none of HTTP's, such as the frame with which HTTP/2 begins.
        return Refused("UNAVAILABLE", f"{NO_HTTP}: {words}", again=False)
    # A connection that fails or breaks: what gRPC calls UNAVAILABLE. Asking again is safe, a prediction changes
    # nothing. Of TLS the next attempt would say the same.
    return Refused("UNAVAILABLE", words, again=not _is_tls(error))


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
