"""Files that are there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfclf.errors import InputError


def check_output(folder: Path) -> None:
    """Raises: InputError where no files can be written into the folder, or where it cannot be made."""
    above = _nearest(folder)
    if not above.is_dir():
        raise InputError(
            f"--output {folder}: {above} is no folder. Expected a folder, or a place to make one."
        )
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(
            f"--output {folder}: {above} cannot be written to. Give another folder, or its rights."
        )


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """An empty folder to write files into; they come into `folder` when all are there, or none does.

    Files of the same names are replaced, others in `folder` stay.
    """
    # In the folder itself where it is there already: it may be a file system of its own, such as a container's volume.
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=_nearest(folder)))
    try:
        yield beside
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(beside.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _nearest(folder: Path) -> Path:
    """The folder, or what is above it and there already."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
