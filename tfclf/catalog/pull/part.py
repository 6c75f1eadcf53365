"""An unfinished download: the bytes so far, and beside them the server's facts about the whole."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Head:
    """The server's facts about a file.

    Attributes:
      url: as requested.
      size: bytes of the whole; None if the server does not state it.
      etag, last_modified: show whether a later response is about the same file.
    """

    url: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def validator(self) -> str | None:
        """The value for If-Range, which does not take a weak ETag (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Part:
    """`x.zip.part` and `x.zip.part.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head_path = path.with_name(f"{path.name}.json")

    @property
    def size(self) -> int:
        """The bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_head(self, url: str) -> Head | None:
        """Return the facts about the bytes if a download of `url` can resume; else drop them."""
        try:
            head = Head(**json.loads(self._head_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            head = None
        size = self.size
        if (
            head is not None
            and head.url == url
            and 0 < size <= (head.size or size)
            and (head.size == size or head.validator)
        ):
            return head
        self.drop()
        return None

    def start(self, head: Head) -> None:
        """Empty the part, for a download from the first byte."""
        self.drop()
        self._head_path.write_text(json.dumps(dataclasses.asdict(head)), encoding="utf-8")

    def drop(self) -> None:
        """Remove both files; the bytes first, so that they never pass for another file's."""
        self.path.unlink(missing_ok=True)
        self._head_path.unlink(missing_ok=True)
