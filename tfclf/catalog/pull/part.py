"""A download that is not done: the bytes so far, and beside them what the server said of the whole."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Head:
    """What a server says of a file.

    Attributes:
      url: as it was asked for.
      size: bytes of the whole; None where the server does not say.
      etag, last_modified: by which a later answer is known to be of the same file.
    """

    url: str
    size: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def validator(self) -> str | None:
        """What If-Range takes: a weak ETag it does not (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Part:
    """`x.zip.part` and `x.zip.part.json`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head_path = path.with_name(f"{path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def head(self, url: str) -> Head | None:
        """What the bytes are of, if they can be gone on with; else None, and they are gone."""
        try:
            head = Head(**json.loads(self._head_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            head = None
        have = self.size
        if (
            head is not None
            and head.url == url
            and 0 < have <= (head.size or have)
            and (head.size == have or head.validator)
        ):
            return head
        self.drop()
        return None

    def start(self, head: Head) -> None:
        """Empties it, for a file from its first byte."""
        self.drop()
        self._head_path.write_text(json.dumps(dataclasses.asdict(head)), encoding="utf-8")

    def drop(self) -> None:
        """Removes both files; the bytes first, so that they are never taken for another file's."""
        self.path.unlink(missing_ok=True)
        self._head_path.unlink(missing_ok=True)
