"""One file over HTTP into a part file: resumed, retried with growing waits, its length checked."""

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
from tfclf.catalog.pull.address import hide_secrets
from tfclf.catalog.pull.part import Head, Part
from tfclf.catalog.pull.watch import Watch
from tfclf.errors import DownloadError, MissingExtraError

if TYPE_CHECKING:
    import httpx

_REDIRECTS = 10
# Statuses that another attempt may not meet.
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)")
_BY_HAND = (
    "The archive may have been moved or taken down. If you know another place, give it with "
    "--mirror; "
    'or get the file by other means and load it as it is: tfclf.load("x.zip").'
)


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
      tries: attempts in a row that bring no new byte.
      first_wait, longest_wait: seconds between two attempts; each wait is twice the one before.
      longest_asked: the longest Retry-After, in seconds, that is obeyed; a longer one fails the
        download.
      connect_seconds, read_seconds: time limits of connecting, and of waiting for the next bytes.
    """

    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_asked: float = 120.0
    connect_seconds: float = 15.0
    read_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class _BrokenError(Exception):
    """A failed attempt, which is worth another; `wait` is the server's Retry-After in seconds."""

    def __init__(self, reason: str, *, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def receive(
    url: str, part: Part, *, check: Callable[[int | None], None], watch: Watch, patience: Patience
) -> Head:
    """Fetch the missing bytes of a file.

    Args:
      part: receives the bytes; those that it has of the same file are not fetched again.
      check: called with the number of bytes still to come, before they do; None if the server does
        not state it.
    Returns: the server's facts about the file; its size, if stated, is that of the part.
    Raises: DownloadError, MissingExtraError.
    """
    httpx, tenacity = _import_packages()
    with httpx.Client(
        timeout=httpx.Timeout(patience.read_seconds, connect=patience.connect_seconds),
        max_redirects=_REDIRECTS,
        follow_redirects=True,
        event_hooks={"request": [_refuse_downgrade(url)]},
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
            wait=lambda state: _choose_wait(
                state.outcome.exception(), transfer.fruitless, patience
            ),
            sleep=patience.sleep,
            before_sleep=lambda state: watch.note(
                f"{state.outcome.exception()}; going on in {state.next_action.sleep:.0f} s"
            ),
            reraise=True,
        )
        try:
            return retrying(transfer.attempt)  # type: ignore[no-any-return]
        except _BrokenError as error:
            kept = ""
            if part.size:
                kept = f" The {part.size:,} bytes so far are kept: the same command resumes there."
            raise DownloadError(
                f"{hide_secrets(url)}: {error}, {transfer.fruitless} times in a row. Try again "
                f"later, or from another place with --mirror.{kept}"
            ) from error


class _Transfer:
    """Attempts at one file.

    Attributes:
      fruitless: attempts since the last one that brought new bytes.
    """

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        part: Part,
        check: Callable[[int | None], None],
        watch: Watch,
    ) -> None:
        self._client, self._url, self._part = client, url, part
        self._check, self._watch = check, watch
        self._furthest = part.size
        self.fruitless = 0

    def attempt(self) -> Head:
        import httpx

        try:
            return self._attempt()
        except httpx.TransportError as error:
            raise self._count(_explain(error, self._url)) from error
        except _BrokenError as error:
            raise self._count(error) from error
        except httpx.TooManyRedirects as error:
            raise DownloadError(
                f"{hide_secrets(self._url)} is redirected more than {_REDIRECTS} times. {_BY_HAND}"
            ) from error
        except httpx.InvalidURL as error:
            raise DownloadError(
                f"{hide_secrets(self._url)} is redirected to an invalid address: {error}. "
                f"{_BY_HAND}"
            ) from error

    def _count(self, error: _BrokenError) -> _BrokenError:
        self.fruitless = 1 if self._part.size > self._furthest else self.fruitless + 1
        self._furthest = max(self._furthest, self._part.size)
        return error

    def _attempt(self) -> Head:
        kept = self._part.read_head(self._url)
        if kept is not None and kept.size == self._part.size:
            return kept
        headers = {}
        if kept is not None:
            headers = {"Range": f"bytes={self._part.size}-", "If-Range": kept.validator or ""}
        with self._client.stream("GET", self._url, headers=headers) as response:
            _check_status(response, self._url)
            if (
                kept is not None
                and response.status_code == 416
                and self._is_complete(response, kept)
            ):
                return dataclasses.replace(kept, size=self._part.size)
            if kept is not None and response.status_code == 206:
                head = self._resume(response, kept)
            else:  # a first request, a file that changed, or a server without ranges
                head = self._begin(response)
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
            raise _BrokenError(f"{done:,} bytes came, and {head.size:,} were announced")
        return head

    def _begin(self, response: httpx.Response) -> Head:
        if response.status_code != 200:
            self._part.drop()
            raise _BrokenError(
                f"the server answered {response.status_code} to a request for {_describe(response)}"
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

    def _is_complete(self, response: httpx.Response, kept: Head) -> bool:
        """Return whether the server now says that the bytes so far are the whole file.

        It may have announced more before, or nothing.
        """
        if response.headers.get("ETag", kept.etag) != kept.etag:
            return False
        return str(response.headers.get("Content-Range")) == f"bytes */{self._part.size}"

    def _resume(self, response: httpx.Response, kept: Head) -> Head:
        stated = response.headers.get("Content-Range", "nothing")
        match = _CONTENT_RANGE.fullmatch(stated)
        if (
            match is None
            or int(match[1]) != self._part.size
            or match[3] not in ("*", str(kept.size or match[3]))
        ):
            start = self._part.size
            self._part.drop()
            raise _BrokenError(
                f"the request was for the bytes from {start} on of {kept.size}, and the server "
                f"gave Content-Range: {stated}"
            )
        if (etag := response.headers.get("ETag")) and kept.etag and etag != kept.etag:
            self._part.drop()
            raise _BrokenError(
                "the file was changed on the server in the meantime; the download begins again"
            )
        if kept.size is None and match[3] != "*":
            return dataclasses.replace(kept, size=int(match[3]))
        return kept


def _describe(response: httpx.Response) -> str:
    return "a range" if "Range" in response.request.headers else "the file"


def _check_status(response: httpx.Response, url: str) -> None:
    """Check the status of a response.

    Raises: _BrokenError if another attempt may help, else DownloadError.
    """
    code = response.status_code
    status = f"HTTP {code} {response.reason_phrase}".rstrip()
    where = hide_secrets(url)
    if (final := hide_secrets(str(response.url))) != where:
        where += f" (redirected to {final})"
    if code == 416:  # the part is as long as the server's file, or longer
        return
    if code in _MAY_PASS:
        raise _BrokenError(
            f"{where} answers {status}", wait=parse_retry_after(response.headers.get("Retry-After"))
        )
    if code in (401, 407):
        asker, address = ("proxy", "proxy") if code == 407 else ("server", "mirror")
        raise DownloadError(
            f"{where} answers {status}: the {asker} wants a user and a password. Put them into the "
            f"{address}'s address: https://USER:PASSWORD@HOST."
        )
    if code >= 400:
        raise DownloadError(f"{where} answers {status}. {_BY_HAND}")
    if code not in (200, 206):
        raise DownloadError(f"{where} answers {status}; expected 200 and the file. {_BY_HAND}")
    if (encoding := response.headers.get("Content-Encoding", "identity").lower()) != "identity":
        raise DownloadError(
            f"{where} sends the file as Content-Encoding {encoding}, which was not asked for; its "
            f"length and digest cannot be checked so. Give another place with --mirror."
        )


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date; None for anything else.

    >>> parse_retry_after("120"), parse_retry_after("Fri, 31 Dec 1999 23:59:59 GMT")
    (120.0, 0.0)
    >>> parse_retry_after("soon") is None
    True
    """
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


def _choose_wait(error: Any, fruitless: int, patience: Patience) -> float:
    asked: float | None = error.wait
    if asked is None:
        return float(min(patience.longest_wait, patience.first_wait * 2 ** max(0, fruitless - 1)))
    if asked > patience.longest_asked:
        raise DownloadError(
            f"{error}, and asks to wait {asked:,.0f} seconds (Retry-After). Give the same command "
            f"again then, or another place with --mirror."
        )
    return asked


def _explain(error: httpx.TransportError, url: str) -> _BrokenError:
    """Explain a failed connection. Raises: DownloadError if another attempt would not help."""
    import httpx

    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ProxyError):
        raise DownloadError(
            f"{hide_secrets(url)}: the proxy refuses ({reason}). HTTPS_PROXY, HTTP_PROXY or "
            f"ALL_PROXY names it; NO_PROXY lists hosts to reach without it."
        ) from error
    if isinstance(error, httpx.UnsupportedProtocol):
        raise DownloadError(
            f"{hide_secrets(url)} is no http or https address, or is redirected to another kind: "
            f"{reason}. {_BY_HAND}"
        ) from error
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        raise DownloadError(
            f"{hide_secrets(url)}: the server's certificate is not trusted ({reason}). If a proxy "
            f"stands between, name its certificate authority with SSL_CERT_FILE."
        ) from error
    kind = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "nothing more came in time",
        httpx.ConnectError: f"no connection ({reason})",
    }.get(type(error), f"the connection broke ({reason})")
    return _BrokenError(kind)


def _refuse_downgrade(url: str) -> Callable[[httpx.Request], None]:
    """Return a hook that refuses redirects from https to http, which lets others swap the file."""

    def check(request: httpx.Request) -> None:
        if url.lower().startswith("https:") and request.url.scheme != "https":
            raise DownloadError(
                f"{hide_secrets(url)} is redirected to {hide_secrets(str(request.url))}, which is "
                f"not https. {_BY_HAND}"
            )

    return check


def _import_packages() -> tuple[Any, Any]:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("httpx", extra="pull", purpose="a download") from error
    try:
        import tenacity
    except ImportError as error:
        raise MissingExtraError("tenacity", extra="pull", purpose="a download") from error
    return httpx, tenacity
