"""The progress of a job on disk: what was asked for, and which parts are done.

A part is written whole and renamed before the job counts it. So a kill at any moment loses at most
the part in work, which the same command writes again, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tfclf.errors import DataError, InputError
from tfclf.files import read_json_object, write_json

_FILE = "_progress.json"
_FILES = re.compile(
    r"(part-[0-9]{5,}(\.[a-z]+){1,2}|_part-[0-9]{5,}\.failed\.jsonl|_progress\.json|_failed\.jsonl)"
    r"(\.partial)?"
)
_KEYS = ("request", "rows", "failed", "read", "complete")


@dataclass
class Job:
    """A job and its parts.

    Attributes:
      folder: holds the parts and this record.
      request: what decides the bytes of the output: model, input, options.
      rows: rows in each part that is done.
      failed: rows without a prediction, for each part.
      read: rows of the input, for each part.
      complete: whether all rows are done.
    """

    folder: Path
    request: Mapping[str, Any]
    rows: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    complete: bool = False

    def save(self) -> None:
        """Write the record."""
        content = asdict(self)
        del content["folder"]
        write_json(self.folder / _FILE, content)

    def count_part(self, *, rows: int, failed: int, read: int) -> None:
        """Record that one more part is done."""
        self.rows.append(rows)
        self.failed.append(failed)
        self.read.append(read)
        self.save()


def open_job(
    folder: Path, request: Mapping[str, Any], *, resume: bool, replace: bool = False
) -> Job:
    """Begin a job, or go on with the one that `folder` holds.

    Args:
      resume: if not, begin anew, and drop what an earlier job left there.
      replace: whether to begin anew if the earlier job is complete.
    Raises: InputError if the folder holds a job with another model, input or options; DataError for
      a record that is broken.
    """
    record = folder / _FILE
    if resume and record.exists() and not (replace and _read_record(record).get("complete")):
        return _read_job(folder, request)
    remove_job(folder)
    job = Job(folder, request)
    folder.mkdir(parents=True, exist_ok=True)
    job.save()
    return job


def remove_job(folder: Path) -> None:
    """Delete the parts and the record of a job; other files of the folder stay.

    The record goes last: a kill in between leaves a job whose parts are missing, which is told.
    """
    names = sorted(path.name for path in folder.iterdir() if is_file_of_job(path.name))
    for name in sorted(names, key=_FILE.__eq__):
        (folder / name).unlink()


def drop_record(folder: Path) -> None:
    """Delete the record of a job whose rows are all in their place."""
    (folder / _FILE).unlink(missing_ok=True)


def remove_empty(folder: Path) -> None:
    """Delete the folder of a job that has no part yet; an error should leave nothing behind."""
    names = {path.name for path in folder.iterdir()}
    if names <= {_FILE}:
        remove_job(folder)
        folder.rmdir()


def holds_job(folder: Path) -> bool:
    """Return whether a folder holds the record of a job."""
    return (folder / _FILE).is_file()


def is_file_of_job(name: str) -> bool:
    """Return whether a job gives a file such a name; also one that was not written whole.

    >>> [is_file_of_job(name) for name in ("part-00000.csv.gz", "part-00000-6f1c.snappy.parquet")]
    [True, False]
    """
    return _FILES.fullmatch(name) is not None


def _read_record(record: Path) -> dict[str, Any]:
    return read_json_object(record, error=DataError, again=f"Delete {record.parent} to begin anew.")


def _read_job(folder: Path, request: Mapping[str, Any]) -> Job:
    content = _read_record(folder / _FILE)
    try:
        job = Job(folder, **{name: content[name] for name in _KEYS})
    except KeyError as error:
        raise DataError(
            f"{folder / _FILE} lacks {error}, so it is no record of a job of this tfclf. "
            f"Delete {folder} to begin anew."
        ) from error
    differences = [
        f"{name} was {_show(job.request.get(name))} and is {_show(request.get(name))}"
        for name in sorted({*job.request, *request})
        if job.request.get(name) != request.get(name)
    ]
    if differences:
        raise InputError(
            f"{folder} holds {sum(job.rows):,} rows of a job that differs from this one: "
            f"{'; '.join(differences)}. Give the same command to go on, another --output, or "
            f"--no-resume to drop those rows and begin anew."
        )
    return job


def _show(value: Any) -> str:
    words = repr(value)
    return words if len(words) <= 120 else f"{words[:120]}..."
