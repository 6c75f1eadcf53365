"""Addresses of archives: a mirror's instead of the published one, and shown without secrets."""

from urllib.parse import urlsplit

from tfclf.errors import InputError


def apply_mirror(url: str, mirror: str | None) -> str:
    """Return the address that a published file is fetched from.

    >>> apply_mirror("https://s3.example/bucket/models/x.zip", "https://mirror.example/kept")
    'https://mirror.example/kept/bucket/models/x.zip'
    >>> apply_mirror("https://s3.example/bucket/models/x.zip", "https://mirror.example/{file}")
    'https://mirror.example/x.zip'

    Args:
      mirror: stands in place of scheme and host. With `{file}` in it, it is the whole address, for
        a mirror that keeps all archives in one folder.
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
            f"the mirror is {mirror!r}; expected an address such as https://mirror.example/models, "
            f"which replaces scheme and host of the published address."
        )
    published = urlsplit(url)
    if "{file}" in mirror:
        return mirror.replace("{file}", published.path.rpartition("/")[2])
    query = f"?{published.query}" if published.query else ""
    return f"{mirror.rstrip('/')}{published.path}{query}"


def hide_secrets(url: str) -> str:
    """Return an address without user, password and query, which may be secrets.

    >>> hide_secrets("https://user:password@mirror.example/x.zip?signature=1234")
    'https://mirror.example/x.zip'
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
