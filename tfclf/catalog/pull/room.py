"""Sizes as people write them, and whether there is room for them on the disk."""

import re
import shutil
from pathlib import Path

from tfclf.errors import DownloadError

_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)i?B\s*", re.IGNORECASE)


def bytes_of(size: str | None) -> int | None:
    """The bytes of a size as a card prints it ("44.9 MB"), roughly; None where that is not to be had."""
    match = _SIZE.fullmatch(size or "")
    return int(float(match[1]) * _UNITS[match[2].upper()]) if match else None


def size_of(count: int) -> str:
    """As a card prints it."""
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raises: DownloadError where the disk of `folder` has fewer bytes left."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{what} needs {size_of(needed)}, and the disk of {folder} has {size_of(free)} left. Free some space, or "
            f"choose another folder with --cache or TFCLF_CACHE (checkpoints of the hub: HF_HOME)."
        )
