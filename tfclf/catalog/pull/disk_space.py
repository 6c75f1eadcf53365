"""Sizes as people write them, and the free space of a disk."""

import re
import shutil
from pathlib import Path

from tfclf.errors import DownloadError

_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)i?B\s*", re.IGNORECASE)


def parse_size(size: str | None) -> int | None:
    """Return the bytes of a size as a card prints it, roughly; None if it cannot be read.

    >>> parse_size("44.9 MB")
    44900000
    >>> parse_size("large") is None
    True
    """
    match = _SIZE.fullmatch(size or "")
    return int(float(match[1]) * _UNITS[match[2].upper()]) if match else None


def format_size(count: int) -> str:
    """Write a number of bytes as a card does.

    >>> format_size(44_900_000), format_size(1_120_000_000)
    ('44.9 MB', '1.12 GB')
    """
    return f"{count / 1e9:,.2f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def check_disk_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise DownloadError if the disk of `folder` has fewer than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{purpose} needs {format_size(needed)}, and the disk of {folder} has "
            f"{format_size(free)} left. Free some space, or choose another folder with --cache or "
            f"TFCLF_CACHE (checkpoints of the hub: HF_HOME)."
        )
