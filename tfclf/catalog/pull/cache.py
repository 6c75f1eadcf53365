"""Filling the cache folder; `tfclf.catalog.local` has its layout, and reads it."""

import dataclasses

from tfclf.catalog.local import RECORD_FORMAT, ArchivePlace, Record
from tfclf.catalog.pull.part import Part
from tfclf.files import write_json


def keep(place: ArchivePlace, part: Part, record: Record) -> None:
    """Move a finished download to its place.

    The record goes first: an archive without one is not known to be whole.
    """
    place.path.unlink(missing_ok=True)
    content = {"format_version": RECORD_FORMAT, **dataclasses.asdict(record)}
    write_json(place.record_path, content)
    part.path.replace(place.path)
    part.drop()
