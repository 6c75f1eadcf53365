"""The cache folder: `archives/NAME/x.zip`, beside each archive what is known of it, as JSON."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tfclf.catalog.pull.address import file_name
from tfclf.catalog.pull.part import Part
from tfclf.errors import CardError
from tfclf.files import write_json

_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """What is known of a fetched archive.

    Attributes:
      url: as published.
      address: what it was fetched from: the mirror's, where there was one.
      size: bytes.
      sha256: of these bytes.
      etag: as the server gave it.
      fetched: when, ISO 8601.
    """

    url: str
    address: str
    size: int
    sha256: str
    etag: str | None
    fetched: str


@dataclass(frozen=True)
class Place:
    """Where the archive of one name is, or will be."""

    folder: Path
    url: str

    @property
    def path(self) -> Path:
        """The archive itself."""
        return self.folder / file_name(self.url)

    @property
    def part(self) -> Part:
        """What has come of it so far."""
        return Part(self.path.with_name(f"{self.path.name}.part"))

    @property
    def lock(self) -> Path:
        """Held by who fetches it."""
        return self.path.with_name(f"{self.path.name}.lock")

    def record(self) -> Record | None:
        """Of an archive that is there, whole, and is that of `url`; else None."""
        record = _read(self._record_path)
        if record is None or record.url != self.url or not self.path.is_file():
            return None
        return record if self.path.stat().st_size == record.size else None

    def keep(self, record: Record) -> None:
        """Moves the part to its place; the record goes first, for an archive without one is not known to be whole."""
        self.path.unlink(missing_ok=True)
        write_json(self._record_path, {"format_version": _FORMAT, **dataclasses.asdict(record)})
        part = self.part
        part.path.replace(self.path)
        part.drop()

    @property
    def _record_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")


def place(cache: Path, name: str, url: str) -> Place:
    """Where the archive of that name, published at that address, is kept. Raises: CardError."""
    if not file_name(url).endswith(".zip"):
        raise CardError(
            f"the archive of {name} is {url!r}; expected the address of a file that ends in .zip."
        )
    return Place(cache / "archives" / name, url)


def kept(cache: Path) -> Iterator[tuple[str, Path, Record]]:
    """Name, path and record of every archive that is there and whole, by name."""
    for path in sorted((cache / "archives").glob("*/*.zip")):
        record = _read(path.with_name(f"{path.name}.json"))
        if record is not None and path.stat().st_size == record.size:
            yield path.parent.name, path, record


def _read(path: Path) -> Record | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format_version") != _FORMAT:
            return None
        return Record(**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
