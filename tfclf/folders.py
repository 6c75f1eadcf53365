"""What a folder holds, as error messages put it."""

from pathlib import Path

_MOST = 10


def listing(folder: Path) -> str:
    """The names in it, sorted, the first ten of them; 'nothing' where it is empty."""
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more or "nothing"
