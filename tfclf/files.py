"""Files and folders: list, hash, read JSON; and the one way to write whole files.

A file is written beside its place and then renamed, so a reader never sees half of it, and neither
an error nor a kill leaves half of it:

| what | with |
|-|-|
| one file | `write_file`, or `write_json` |
| a folder that is new | `new_folder` |
| files into a folder that may hold others | `fill_folder` |
"""

import errno
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What renaming a folder says of a path that is taken, by system.
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_MOST_LISTED = 10
_HASH_BLOCK = 1 << 20  # bytes


def list_folder(folder: Path) -> str:
    """Return the names in a folder, for a message: sorted, at most ten; 'nothing' if empty."""
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more or "nothing"


def hash_file(path: Path, *more: Path) -> str:
    """Return the SHA-256 of a file, or of several read one after another, in hexadecimal digits."""
    digest = hashlib.sha256()
    for one in (path, *more):
        with one.open("rb") as file:
            while block := file.read(_HASH_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder tree, by relative path; of one file, by name."""
    if folder.is_file():
        return {folder.name: hash_file(folder)}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def read_json_object(
    path: Path,
    *,
    error: type[Exception],
    again: str,
    twice: type[Exception] | None = None,
    once: str = "it once",
) -> dict[str, Any]:
    """Read a JSON object whose keys are distinct.

    json itself silently keeps the last of equal keys.

    Args:
      error: raised for anything else.
      again: ends the message if the file is not JSON: how to get a better one.
      twice: raised for a key that occurs twice, if not `error`.
      once: ends the message for such a key: what was expected.
    Raises: FileNotFoundError, `error`, `twice`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_refuse_equal_keys)
    except (UnicodeDecodeError, json.JSONDecodeError) as cause:
        raise error(f"{path} is not JSON ({cause}). {again}") from cause
    except _EqualKeysError as key:
        raise (twice or error)(
            f"{path} has the key {key} twice in one object; expected {once}."
        ) from None
    except FileNotFoundError:
        raise
    except OSError as cause:  # a folder of that name, or no right to read it
        raise error(f"{path} cannot be read: {cause.strerror or cause}. {again}") from cause
    if not isinstance(content, dict):
        raise error(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as indented JSON in UTF-8, whole or not at all."""
    with write_file(path) as beside:
        beside.write_text(
            json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )


@contextmanager
def write_file(path: Path) -> Iterator[Path]:
    """Give a path to write a file to; it replaces `path` if the block ends well."""
    beside = path.with_name(f"{path.name}.partial")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path, *, choose_next: Callable[[], Path] | None = None) -> Iterator[Path]:
    """Give an empty folder beside `path`, renamed to `path` if the block ends without an error.

    Otherwise nothing is left, not even folders above `path` that were made for it.

    Args:
      choose_next: gives another path beside it if one is taken by then. Another process may have
        taken it in the meantime.
    Raises: OSError if `path` is there already, and not an empty folder.
    """
    parent = path.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    parent.mkdir(parents=True, exist_ok=True)
    # The name begins with a dot, and so is no version number to TF Serving and `load`.
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=parent))
    try:
        yield beside
        beside.chmod(0o777 & ~_umask())
        _rename(beside, path, choose_next)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        for folder in made:
            if not any(folder.iterdir()):
                folder.rmdir()


def _rename(beside: Path, path: Path, choose_next: Callable[[], Path] | None) -> None:
    while True:
        try:
            beside.rename(path)
            return
        except OSError as error:
            if choose_next is None or error.errno not in TAKEN:
                raise
        path = choose_next()


def remove_partial(path: Path) -> None:
    """Remove what `new_folder` leaves beside `path` if its process is killed."""
    for beside in path.parent.glob(f".{glob.escape(path.name)}.partial-*"):
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def fill_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write files to; they move into `folder` if the block ends well.

    Files of the same names are replaced, others in `folder` stay.
    """
    # Inside the folder if it exists: it may be a file system of its own, as a volume is.
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=nearest_existing(folder)))
    try:
        yield beside
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(beside.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def nearest_existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _EqualKeysError(Exception):
    pass


def _refuse_equal_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _EqualKeysError(next(repr(key) for key in keys if keys.count(key) > 1))
    return content
