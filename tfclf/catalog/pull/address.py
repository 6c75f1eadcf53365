"""Addresses of archives: a mirror's in place of the published one, and as messages show them."""

from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from tfclf.errors import InputError


def address(url: str, mirror: str | None) -> str:
    """Where a published file is fetched from.

    >>> address("https://s3.amazonaws.com/bucket/models/x.zip", "https://mirror.example/kept")
    'https://mirror.example/kept/bucket/models/x.zip'
    >>> address("https://s3.amazonaws.com/bucket/models/x.zip", "https://mirror.example/{file}")
    'https://mirror.example/x.zip'

    Args:
      mirror: stands in place of scheme and host; or, with `{file}` in it, is the whole address, for a mirror that
        keeps the archives side by side.
    Raises: InputError for a mirror that is no address.
    """
    if mirror is None:
        return url
    try:
        parts = urlsplit(mirror)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not mirror.isprintable() or " " in mirror:
        raise InputError(
            f"the mirror is {mirror!r}; expected an address such as https://mirror.example/models, which then stands "
            f"in place of the published address' scheme and host."
        )
    published = urlsplit(url)
    if "{file}" in mirror:
        return mirror.replace("{file}", published.path.rpartition("/")[2])
    query = f"?{published.query}" if published.query else ""
    return f"{mirror.rstrip('/')}{published.path}{query}"


def file_name(url: str) -> str:
    """The last part of its path."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def shown(url: str) -> str:
    """Without user, password and query: those may be secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
