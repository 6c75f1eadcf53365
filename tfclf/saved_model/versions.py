"""A model's versions on disk, in TF Serving's layout: `<base path>/<number>/saved_model.pb`."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tfclf.errors import SavedModelError, SourceNotFoundError
from tfclf.files import list_folder

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"\s*-?[0-9]+\s*", re.ASCII)  # TF Serving's safe_strto64
_LARGEST = (1 << 63) - 1
_SHARD = re.compile(r"variables\.data-[0-9]{5}-of-([0-9]{5})")


class Version(NamedTuple):
    """One version of a model on disk."""

    model: str
    number: int
    folder: Path


def latest_version(folder: str | Path) -> Version:
    """Return the version that a server of `folder` serves.

    Args:
      folder: a base path, of which the largest version counts; or the folder of one version.
    Raises: SourceNotFoundError, SavedModelError.
    """
    path = Path(folder).resolve()
    if not path.is_dir():
        problem = "that is a file" if path.exists() else "there is no such folder"
        raise SourceNotFoundError(
            f"{folder}: {problem}. Expected a model's base path, which holds a folder for each "
            f"version ({path.name}/1/saved_model.pb), or the folder of one version."
        )
    if holds_saved_model(path):
        number = _parse_number(path.name)
        if number is None:
            return Version(path.name, 1, path)
        return Version(path.parent.name, number, path)
    versions = find_versions(path)
    if not versions:
        raise SavedModelError(
            f"{folder} holds no version of a model: found {list_folder(path)}. Expected folders "
            f"named with a number, each a complete SavedModel: {path.name}/1/saved_model.pb and "
            f"the files saved with it."
        )
    number = max(versions)
    return Version(path.name, number, versions[number])


def saved_model_folder(
    folder: Path, *, passed_over: Callable[[Path], None] | None = None
) -> Path | None:
    """Return the folder itself if it holds a SavedModel, else its largest version, else None.

    Args:
      passed_over: as for `find_versions`.
    """
    if holds_saved_model(folder):
        return folder
    versions = find_versions(folder, passed_over=passed_over or _warn) if folder.is_dir() else {}
    return versions[max(versions)] if versions else None


def _warn(path: Path) -> None:
    _log.warning("passed over %s: not a whole SavedModel; it may still be on its way here", path)


def find_versions(
    base_path: Path, *, passed_over: Callable[[Path], None] = _warn
) -> dict[int, Path]:
    """Find the version folders by number; skip other names and half-written versions.

    Args:
      passed_over: called with each half-written version. The default logs it, which a caller that
        polls would do each time.
    Raises: OSError if a folder cannot be read.
    """
    versions: dict[int, Path] = {}
    # Of two spellings of one number, such as 01 and 1, TF Serving takes the last in this order.
    for path in sorted(base_path.iterdir()):
        number = _parse_number(path.name)
        if number is None or not path.is_dir():
            continue
        if _is_complete(path):
            versions[number] = path
        else:
            passed_over(path)
    return versions


def find_siblings(version: Version) -> list[int]:
    """Return the numbers of all versions in the base path of `version`, in ascending order."""
    if _parse_number(version.folder.name) is None:  # a SavedModel outside any base path
        return [version.number]
    return sorted(find_versions(version.folder.parent, passed_over=lambda path: None))  # noqa: ARG005


def list_versions(folder: Path) -> list[Path]:
    """List all whole versions of a base path, or the folder itself if it is one; none if neither.

    Nothing is logged or raised: a caller that loads them does so.
    """
    if holds_saved_model(folder):
        return [folder]
    try:
        return list(find_versions(folder, passed_over=lambda _: None).values())
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return []


def _parse_number(name: str) -> int | None:
    """Parse a folder's name like TF Serving; None if it names no version.

    >>> _parse_number("0012"), _parse_number("v1"), _parse_number("99999999999999999999")
    (12, None, None)
    """
    if not _NUMBER.fullmatch(name):
        return None
    number = int(name)
    return number if -_LARGEST <= number <= _LARGEST else None


def holds_saved_model(folder: Path) -> bool:
    """Whether the folder itself is a SavedModel, complete or not."""
    return any((folder / f"saved_model.{ending}").is_file() for ending in ("pb", "pbtxt", "cpb"))


def _is_complete(folder: Path) -> bool:
    """Whether every file is there.

    TensorFlow writes saved_model.pb last, but a copy may write the files in any order.
    """
    if not holds_saved_model(folder):
        return False
    variables = folder / "variables"
    names = {path.name for path in variables.iterdir()} if variables.is_dir() else set()
    if not names:  # a model may have no variables
        return True
    shards = [match for name in names if (match := _SHARD.fullmatch(name))]
    return "variables.index" in names and all(len(shards) == int(match[1]) for match in shards)
