"""One file over HTTP into a part file: resumed after a break, retried with growing waits, its length checked."""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfclf._version import __version__
from tfclf.catalog.pull.address import shown
from tfclf.catalog.pull.part import Head, Part
from tfclf.catalog.pull.watch import Watch
from tfclf.errors import DownloadError, MissingExtraError

if TYPE_CHECKING:
    import httpx

_REDIRECTS = 10
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)")
_BY_HAND = (
    "The archive may have been moved or taken down. If you know another place, give it with --mirror; or get the file "
    'by other means and load it as it is: tfclf.load("x.zip").'
)


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
      tries: attempts in a row that bring no new byte.
      first_wait, longest_wait: seconds between two of them; each is twice the one before.
      longest_asked: seconds that a server may ask for in Retry-After; where it asks for more, the download fails.
      connect_seconds, read_seconds: for a connection, and for its next bytes.
    """

    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_asked: float = 120.0
    connect_seconds: float = 15.0
    read_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class _BrokenError(Exception):
    """An attempt failed, and another may not; `wait` is what the server asked for."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def receive(
    url: str, part: Part, *, check: Callable[[int | None], None], watch: Watch, patience: Patience
) -> Head:
    """Fetches what is not there yet of a file.

    Args:
      part: gets the bytes; those that it has of the same file are not fetched again.
      check: called with the bytes still to come, before they do; None where the server does not say how many.
    Returns: what the server says of the file, whose size then is that of the part, where it says a size.
    Raises: DownloadError, MissingExtraError.
    """
    httpx, tenacity = _packages()
    with httpx.Client(
        timeout=httpx.Timeout(patience.read_seconds, connect=patience.connect_seconds),
        max_redirects=_REDIRECTS,
        follow_redirects=True,
        event_hooks={"request": [_keeps_https(url)]},
        headers={
            "User-Agent": f"tfclf/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        },
    ) as client:
        transfer = _Transfer(client, url, part, check, watch)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_BrokenError),
            stop=lambda _: transfer.fruitless >= patience.tries,
            wait=lambda state: _wait(state.outcome.exception(), transfer.fruitless, patience),
            sleep=patience.sleep,
            before_sleep=lambda state: watch.note(
                f"{state.outcome.exception()}; going on in {state.next_action.sleep:.0f} s"
            ),
            reraise=True,
        )
        try:
            return retrying(transfer.attempt)  # type: ignore[no-any-return]
        except _BrokenError as error:
            kept = (
                f" The {part.size:,} bytes so far are kept: the same command goes on there."
                if part.size
                else ""
            )
            raise DownloadError(
                f"{shown(url)}: {error}, {transfer.fruitless} times in a row. Try again later, or from another place "
                f"with --mirror.{kept}"
            ) from error


class _Transfer:
    """Attempts at one file.

    Attributes:
      fruitless: attempts since the last that brought bytes which no attempt had brought.
    """

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        part: Part,
        check: Callable[[int | None], None],
        watch: Watch,
    ) -> None:
        self._client, self._url, self._part, self._check, self._watch = (
            client,
            url,
            part,
            check,
            watch,
        )
        self._furthest = part.size
        self.fruitless = 0

    def attempt(self) -> Head:
        import httpx

        try:
            return self._attempt()
        except httpx.TransportError as error:
            raise self._broken(_transport(error, self._url)) from error
        except _BrokenError as error:
            raise self._broken(error) from error
        except httpx.TooManyRedirects as error:
            raise DownloadError(
                f"{shown(self._url)} is redirected more than {_REDIRECTS} times. {_BY_HAND}"
            ) from error
        except httpx.InvalidURL as error:
            raise DownloadError(
                f"{shown(self._url)} leads to what is no address: {error}. {_BY_HAND}"
            ) from error

    def _broken(self, error: _BrokenError) -> _BrokenError:
        self.fruitless = 1 if self._part.size > self._furthest else self.fruitless + 1
        self._furthest = max(self._furthest, self._part.size)
        return error

    def _attempt(self) -> Head:
        kept = self._part.head(self._url)
        if kept is not None and kept.size == self._part.size:
            return kept
        headers = (
            {"Range": f"bytes={self._part.size}-", "If-Range": kept.validator or ""} if kept else {}
        )
        with self._client.stream("GET", self._url, headers=headers) as response:
            _check_status(response, self._url)
            if kept is not None and response.status_code == 416 and self._is_all(response, kept):
                return dataclasses.replace(kept, size=self._part.size)
            if kept is not None and response.status_code == 206:
                head = self._goes_on(response, kept)
            else:  # the first time; or the file is another now, or the server knows no ranges
                head = self._begins(response)
            done = self._part.size
            self._check(None if head.size is None else head.size - done)
            with self._part.path.open("ab") as file:
                for chunk in response.iter_raw():
                    file.write(chunk)
                    done += len(chunk)
                    self._watch.at(done, head.size)
        if head.size is not None and done != head.size:
            if done > head.size:
                self._part.drop()
            raise _BrokenError(f"{done:,} bytes came where {head.size:,} were announced")
        return head

    def _begins(self, response: httpx.Response) -> Head:
        if response.status_code != 200:
            self._part.drop()
            raise _BrokenError(
                f"the server answered {response.status_code} to a request for {_asked(response)}"
            )
        length = response.headers.get("Content-Length", "")
        head = Head(
            self._url,
            int(length) if length.isascii() and length.isdecimal() else None,
            response.headers.get("ETag"),
            response.headers.get("Last-Modified"),
        )
        self._part.start(head)
        return head

    def _is_all(self, response: httpx.Response, kept: Head) -> bool:
        """Whether a server that first announced more, or nothing, now says that there is no more than what came."""
        if response.headers.get("ETag", kept.etag) != kept.etag:
            return False
        return str(response.headers.get("Content-Range")) == f"bytes */{self._part.size}"

    def _goes_on(self, response: httpx.Response, kept: Head) -> Head:
        stated = response.headers.get("Content-Range", "nothing")
        match = _CONTENT_RANGE.fullmatch(stated)
        if (
            match is None
            or int(match[1]) != self._part.size
            or match[3] not in ("*", str(kept.size or match[3]))
        ):
            have = self._part.size
            self._part.drop()
            raise _BrokenError(
                f"the server was asked for bytes from {have} on of {kept.size}, and gave Content-Range: {stated}"
            )
        if (etag := response.headers.get("ETag")) and kept.etag and etag != kept.etag:
            self._part.drop()
            raise _BrokenError(
                "the file was changed on the server in the meantime, so that it has to begin again"
            )
        if kept.size is None and match[3] != "*":
            return dataclasses.replace(kept, size=int(match[3]))
        return kept


def _asked(response: httpx.Response) -> str:
    return "a range" if "Range" in response.request.headers else "the file"


def _check_status(response: httpx.Response, url: str) -> None:
    """Raises: DownloadError for an answer that another attempt would not better; _BrokenError for one that it might."""
    code = response.status_code
    told = f"HTTP {code} {response.reason_phrase}".rstrip()
    where = shown(url)
    if (final := shown(str(response.url))) != where:
        where += f" (redirected to {final})"
    if code == 416:  # what is there is as much as the server has, or more
        return
    if code in _MAY_PASS:
        raise _BrokenError(
            f"{where} answers {told}", wait=_retry_after(response.headers.get("Retry-After"))
        )
    if code in (401, 407):
        raise DownloadError(
            f"{where} answers {told}: {'the proxy' if code == 407 else 'the server'} wants a user and a password. Put "
            f"them into the {'proxy' if code == 407 else 'mirror'}'s address: https://USER:PASSWORD@HOST."
        )
    if code >= 400:
        raise DownloadError(f"{where} answers {told}. {_BY_HAND}")
    if code not in (200, 206):
        raise DownloadError(f"{where} answers {told}; expected 200 and the file. {_BY_HAND}")
    if (encoding := response.headers.get("Content-Encoding", "identity").lower()) != "identity":
        raise DownloadError(
            f"{where} sends the file as Content-Encoding {encoding}, unasked; its length and digest cannot be checked "
            f"so. Give another place with --mirror."
        )


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number of them or from a date; None for what is neither."""
    if value is None:
        return None
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if then.tzinfo is None:
        then = then.replace(tzinfo=datetime.timezone.utc)
    return max(0.0, (then - datetime.datetime.now(datetime.timezone.utc)).total_seconds())


def _wait(error: Any, fruitless: int, patience: Patience) -> float:
    asked: float | None = error.wait
    if asked is None:
        return float(min(patience.longest_wait, patience.first_wait * 2 ** max(0, fruitless - 1)))
    if asked > patience.longest_asked:
        raise DownloadError(
            f"{error}, and asks to wait {asked:,.0f} seconds (Retry-After). Give the same command again then, or "
            f"another place with --mirror."
        )
    return asked


def _transport(error: httpx.TransportError, url: str) -> _BrokenError:
    """What a failing connection is called. Raises: DownloadError where another attempt would not help."""
    import httpx

    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ProxyError):
        raise DownloadError(
            f"{shown(url)}: the proxy refuses ({reason}). It is the one that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY "
            f"names; NO_PROXY lists hosts to reach without it."
        ) from error
    if isinstance(error, httpx.UnsupportedProtocol):
        raise DownloadError(
            f"{shown(url)} is, or leads to, no http or https address: {reason}. {_BY_HAND}"
        ) from error
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        raise DownloadError(
            f"{shown(url)}: the server's certificate is not trusted ({reason}). Where a proxy stands between, name its "
            f"authority with SSL_CERT_FILE."
        ) from error
    kind = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "nothing more came in time",
        httpx.ConnectError: f"no connection ({reason})",
    }.get(type(error), f"the connection broke ({reason})")
    return _BrokenError(kind)


def _keeps_https(url: str) -> Callable[[httpx.Request], None]:
    """Refuses a redirect from https to http, where anybody on the way could put another file in place."""

    def check(request: httpx.Request) -> None:
        if url.lower().startswith("https:") and request.url.scheme != "https":
            raise DownloadError(
                f"{shown(url)} is redirected to {shown(str(request.url))}, which is not https. {_BY_HAND}"
            )

    return check


def _packages() -> tuple[Any, Any]:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("httpx", extra="pull", purpose="a download") from error
    try:
        import tenacity
    except ImportError as error:
        raise MissingExtraError("tenacity", extra="pull", purpose="a download") from error
    return httpx, tenacity
