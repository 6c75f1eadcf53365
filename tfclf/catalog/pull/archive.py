"""An archive into the cache: one process fetches it, the others wait; nothing unchecked gets its name."""

import datetime
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfclf.catalog.pull import http
from tfclf.catalog.pull.address import address, shown
from tfclf.catalog.pull.cache import Place, Record, place
from tfclf.catalog.pull.http import Patience
from tfclf.catalog.pull.part import Part
from tfclf.catalog.pull.room import bytes_of, check_room
from tfclf.catalog.pull.settings import Settings, refuse_offline
from tfclf.catalog.pull.watch import Watch
from tfclf.errors import DownloadError, InputError, MissingExtraError
from tfclf.files import hash_file

_LOCAL_HEADER = b"PK\x03\x04"
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def fetch(
    name: str,
    url: str,
    *,
    settings: Settings,
    size: str | None = None,
    sha256: str | None = None,
    watch: Watch | None = None,
    patience: Patience | None = None,
) -> tuple[Path, Record]:
    """The archive `name`, from the cache or from its address.

    Args:
      size: as published, roughly; said before the download, and asked of the disk.
      sha256: that it must have.
    Raises: DownloadError; InputError for a `sha256` or a mirror that is none; MissingExtraError.
    """
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InputError(
            f"the SHA-256 is {sha256!r}; expected 64 hexadecimal digits, as `sha256sum x.zip` prints them."
        )
    where, watch = place(settings.cache, name, url), watch or Watch()
    source = address(url, settings.mirror)
    record = where.record()
    if record is None and settings.offline:
        raise refuse_offline(f"{name} ({url})")
    if record is None:
        record = _fetch(where, name, source, size, sha256, watch, patience or Patience())
    if sha256 is not None and record.sha256 != sha256.lower():
        raise DownloadError(
            f"{where.path} has the SHA-256 {record.sha256}; expected {sha256.lower()}. It was fetched from "
            f"{record.address} on {record.fetched}. If it is not the file you want, remove it and pull again."
        )
    return where.path, record


def _fetch(
    where: Place,
    name: str,
    source: str,
    size: str | None,
    sha256: str | None,
    watch: Watch,
    patience: Patience,
) -> Record:
    with _writing(where.folder):
        where.folder.mkdir(parents=True, exist_ok=True)
        with _alone(where, watch):
            if (record := where.record()) is not None:  # another process was faster
                return record
            what = f"{name} ({shown(source)})"
            published = bytes_of(size) or 0
            part = where.part
            check_room(where.folder, published - part.size, what)
            watch.begins(name, size=size, address=shown(source))
            try:
                head = http.receive(
                    source,
                    part,
                    check=lambda left: check_room(
                        where.folder, published if left is None else left, what
                    ),
                    watch=watch,
                    patience=patience,
                )
                digest = _checked(part, shown(source), sha256)
            finally:
                watch.ends()
            record = Record(
                url=where.url,
                address=shown(source),
                size=part.size,
                sha256=digest,
                etag=head.etag,
                fetched=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            )
            where.keep(record)
            return record


def _checked(part: Part, source: str, sha256: str | None) -> str:
    """The digest of what came. Raises: DownloadError, and the part is gone, where it is not what was expected."""
    with part.path.open("rb+") as file:
        os.fsync(file.fileno())
    digest = hash_file(part.path)
    size = part.size
    if sha256 is not None and digest != sha256.lower():
        part.drop()
        raise DownloadError(
            f"{source}: what came ({size:,} bytes) has the SHA-256 {digest}; expected {sha256.lower()}. It is another "
            f"file, or was changed on the way; nothing of it is kept. Try another place with --mirror."
        )
    if (flaw := _flaw(part.path)) is not None:
        part.drop()
        raise DownloadError(
            f"{source}: what came ({size:,} bytes) is no whole zip file: {flaw}. Nothing of it is kept. Try again "
            f"later, or another place with --mirror."
        )
    return digest


def _flaw(path: Path) -> str | None:
    """Why it is no whole zip: its directory, at the end, or an entry is not where it should be; None where it is one.

    What is in the entries is for who reads them to check; the length is known to be right here.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            entries = archive.infolist()
            for entry in entries:
                there = entry.header_offset >= 0 and file.seek(entry.header_offset) >= 0
                if not there or file.read(len(_LOCAL_HEADER)) != _LOCAL_HEADER:
                    return f"{entry.filename!r} is not where the directory at its end says"
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        OverflowError,
        UnicodeDecodeError,
    ) as error:
        with path.open("rb") as file:
            beginning = file.read(60)
        return f"{error}; it begins with {beginning!r}"
    return None if entries else "there is no file in it"


@contextmanager
def _alone(where: Place, watch: Watch) -> Iterator[None]:
    """Holds the lock of one archive; it ends with the process, also with a killed one."""
    try:
        import filelock
    except ImportError as error:
        raise MissingExtraError("filelock", extra="pull", purpose="a download") from error
    lock = filelock.FileLock(where.lock)
    try:
        lock.acquire(timeout=0)
    except NotImplementedError as error:
        raise DownloadError(
            f"the file system of {where.folder} has no locks ({error}). Choose another folder with --cache or "
            f"TFCLF_CACHE."
        ) from error
    except filelock.Timeout:
        watch.note(f"another process is fetching {where.path.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written: {error.strerror or error}. Free some space there or choose another folder, "
            f"with --cache or TFCLF_CACHE. What was fetched so far is kept where it could be: the same command goes on."
        ) from error
