"""Fetching an archive into the cache.

One process fetches it, and others wait for that one. Only checked bytes get the archive's name.
"""

import datetime
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfclf.catalog.local import ArchivePlace, Record, archive_place
from tfclf.catalog.pull import http
from tfclf.catalog.pull.address import apply_mirror, hide_secrets
from tfclf.catalog.pull.cache import keep
from tfclf.catalog.pull.disk_space import check_disk_space, parse_size
from tfclf.catalog.pull.http import Patience
from tfclf.catalog.pull.part import Part
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
    """Return the archive of the model `name`, from the cache or from its address.

    Args:
      size: as published, roughly; shown before the download, and compared with the free disk space.
      sha256: the digest that it must have.
    Raises: DownloadError; InputError for a malformed `sha256` or mirror; MissingExtraError.
    """
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InputError(
            f"the SHA-256 is {sha256!r}; expected 64 hexadecimal digits, as `sha256sum x.zip` "
            f"prints them."
        )
    place, watch = archive_place(settings.cache, name, url), watch or Watch()
    source = apply_mirror(url, settings.mirror)
    record = place.read_record()
    if record is None and settings.offline:
        raise refuse_offline(f"{name} ({url})")
    if record is None:
        record = _fetch(place, name, source, size, sha256, watch, patience or Patience())
    if sha256 is not None and record.sha256 != sha256.lower():
        raise DownloadError(
            f"{place.path} has the SHA-256 {record.sha256}; expected {sha256.lower()}. It was "
            f"fetched from {record.address} on {record.fetched}. If it is not the file you want, "
            f"remove it and pull again."
        )
    return place.path, record


def _fetch(
    place: ArchivePlace,
    name: str,
    source: str,
    size: str | None,
    sha256: str | None,
    watch: Watch,
    patience: Patience,
) -> Record:
    shown = hide_secrets(source)
    published = parse_size(size) or 0
    part = Part(place.part_path)

    def check(left: int | None) -> None:
        check_disk_space(place.folder, published if left is None else left, f"{name} ({shown})")

    with _explain_write_errors(place.folder):
        place.folder.mkdir(parents=True, exist_ok=True)
        with _lock(place, watch):
            if (record := place.read_record()) is not None:  # another process was faster
                return record
            check(published - part.size)
            watch.begins(name, size=size, address=shown)
            try:
                head = http.receive(source, part, check=check, watch=watch, patience=patience)
                digest = _check_content(part, shown, sha256)
            finally:
                watch.ends()
            record = Record(
                url=place.url,
                address=shown,
                size=part.size,
                sha256=digest,
                etag=head.etag,
                fetched=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            )
            keep(place, part, record)
            return record


def _check_content(part: Part, source: str, sha256: str | None) -> str:
    """Return the digest of a download.

    Raises: DownloadError for another digest, or a broken zip; the part is dropped then.
    """
    with part.path.open("rb+") as file:
        os.fsync(file.fileno())
    digest = hash_file(part.path)
    size = part.size
    if sha256 is not None and digest != sha256.lower():
        part.drop()
        raise DownloadError(
            f"{source}: the download ({size:,} bytes) has the SHA-256 {digest}; expected "
            f"{sha256.lower()}. It is another file, or was changed on the way; nothing of it is "
            f"kept. Try another place with --mirror."
        )
    if (flaw := find_zip_flaw(part.path)) is not None:
        part.drop()
        raise DownloadError(
            f"{source}: the download ({size:,} bytes) is no whole zip file: {flaw}. Nothing of it "
            f"is kept. Try again later, or another place with --mirror."
        )
    return digest


def find_zip_flaw(path: Path) -> str | None:
    """Return the reason why a file is no whole zip; None if it is one.

    The directory at the end and the start of each entry are checked. The reader of the entries
    checks their content; the file's length is known to be right here.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            entries = archive.infolist()
            for entry in entries:
                reachable = entry.header_offset >= 0 and file.seek(entry.header_offset) >= 0
                if not reachable or file.read(len(_LOCAL_HEADER)) != _LOCAL_HEADER:
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
def _lock(place: ArchivePlace, watch: Watch) -> Iterator[None]:
    """Hold the lock of one archive; a killed process releases it, too."""
    try:
        import filelock
    except ImportError as error:
        raise MissingExtraError("filelock", extra="pull", purpose="a download") from error
    lock = filelock.FileLock(place.lock_path)
    try:
        lock.acquire(timeout=0)
    except NotImplementedError as error:
        raise DownloadError(
            f"the file system of {place.folder} has no locks ({error}). Choose another folder with "
            f"--cache or TFCLF_CACHE."
        ) from error
    except filelock.Timeout:
        watch.note(f"another process is fetching {place.path.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explain_write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written: {error.strerror or error}. Free some space there or "
            f"choose another folder, with --cache or TFCLF_CACHE. The bytes that could be written "
            f"are kept: the same command resumes there."
        ) from error
