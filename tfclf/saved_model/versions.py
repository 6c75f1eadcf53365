"""Where a model's versions are: TF Serving's layout, `<base path>/<number>/saved_model.pb`."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tfclf.errors import SavedModelError, SourceNotFoundError
from tfclf.files import list_folder

_log = logging.getLogger(__name__)

_NUMBER = re.compile(r"\s*-?[0-9]+\s*", re.ASCII)  # what TF Serving's safe_strto64 reads
_LARGEST = (1 << 63) - 1
_SHARD = re.compile(r"variables\.data-[0-9]{5}-of-([0-9]{5})")


class Version(NamedTuple):
    """One version of a model on disk."""

    model: str
    number: int
    folder: Path


def latest_version(folder: str | Path) -> Version:
    """The version that a server of `folder` serves.

    Args:
      folder: a base path, whose largest version counts; or the folder of one version.
    Raises: SourceNotFoundError, SavedModelError.
    """
    path = Path(folder).resolve()
    if not path.is_dir():
        found = "that is a file" if path.exists() else "there is no such folder"
        raise SourceNotFoundError(
            f"{folder}: {found}. Expected a model's base path, which holds a folder for each version "
            f"({path.name}/1/saved_model.pb), or the folder of one version."
        )
    if holds_saved_model(path):
        number = _number(path.name)
        if number is None:
            return Version(path.name, 1, path)
        return Version(path.parent.name, number, path)
    versions = find_versions(path)
    if not versions:
        raise SavedModelError(
            f"{folder} holds no version of a model: found {list_folder(path)}. Expected folders named with a "
            f"number, each a whole SavedModel: {path.name}/1/saved_model.pb and what was saved beside it."
        )
    number = max(versions)
    return Version(path.name, number, versions[number])


def saved_model_folder(folder: Path) -> Path | None:
    """The folder itself if it holds a SavedModel, else its largest version, else None."""
    if holds_saved_model(folder):
        return folder
    versions = find_versions(folder) if folder.is_dir() else {}
    return versions[max(versions)] if versions else None


def _warn(path: Path) -> None:
    _log.warning("passed over %s: not a whole SavedModel; it may still be on its way here", path)


def find_versions(
    base_path: Path, *, passed_over: Callable[[Path], None] = _warn
) -> dict[int, Path]:
    """Folders by version number; other names and half-written versions are passed over.

    Args:
      passed_over: told of each half-written version; who looks again and again would log it each time.
    Raises: OSError where the folders cannot be read.
    """
    versions: dict[int, Path] = {}
    # Two spellings of one number, such as 1 and 01: TF Serving takes the last in this order.
    for path in sorted(base_path.iterdir()):
        number = _number(path.name)
        if number is None or not path.is_dir():
            continue
        if _is_whole(path):
            versions[number] = path
        else:
            passed_over(path)
    return versions


def _number(name: str) -> int | None:
    if not _NUMBER.fullmatch(name):
        return None
    number = int(name)
    return number if -_LARGEST <= number <= _LARGEST else None


def holds_saved_model(folder: Path) -> bool:
    """Whether the folder is a SavedModel itself, whole or not."""
    return any((folder / f"saved_model.{ending}").is_file() for ending in ("pb", "pbtxt", "cpb"))


def _is_whole(folder: Path) -> bool:
    """Whether every file is there. TensorFlow writes saved_model.pb last, but a copy goes by name or size."""
    if not holds_saved_model(folder):
        return False
    variables = folder / "variables"
    names = {path.name for path in variables.iterdir()} if variables.is_dir() else set()
    if not names:  # a model may have no variables
        return True
    shards = [match for name in names if (match := _SHARD.fullmatch(name))]
    return "variables.index" in names and all(len(shards) == int(match[1]) for match in shards)
