"""The model's place: found on the driver, then found again on each executor.

| form | meaning |
|-|-|
| `/mnt/models/news` | a folder that the driver and every executor see under this path |
| `local:/opt/models/news` | a folder on every executor, such as one in their image |
| `files:NAME` | an archive that `ship_model`, `addArchive` or `addArtifacts` sent |
| a card's name | a model of tfclf's catalog on this machine |

`local:` is Spark's own scheme for files that are on every machine.
"""

import platform
import re
from pathlib import Path

from tfclf.catalog import cards, resolve
from tfclf.errors import SourceNotFoundError
from tfclf.files import list_folder
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.versions import saved_model_folder
from tfclf.spark.exports import export_once

SHIPPED = "files:"
ON_EXECUTORS = "local:"
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)


def find_model(model: str | Path) -> tuple[str, Manifest | None]:
    """Return the model's place for the executors, and its manifest if the driver sees it.

    A base path stands for its newest version, so that all executors load the same one.

    Raises: SourceNotFoundError, SavedModelError.
    """
    text = str(model)
    if text.startswith((SHIPPED, ON_EXECUTORS)):
        return text, None
    if _REMOTE.match(text) and not text.startswith("file:/"):
        raise SourceNotFoundError(
            f"{text} is an address of a file system that TensorFlow's loader does not read. "
            f"Expected a folder that every executor sees under one path. Copy the model to one, or "
            f"send it: addArchive('{text}/model.zip#news') and the model 'files:news'."
        )
    version = find_version(text.removeprefix("file:"))
    return str(version), Manifest.read(version)


def find_version(model: str | Path) -> Path:
    """Return the version's folder of a model on this machine.

    A card without an export is exported, once, from what is in the cache.

    Raises: SourceNotFoundError, SavedModelError.
    """
    if cards.is_name(model):
        found = resolve.find(model)
        return saved_model_folder(found.path) or export_once(found.path, found.name)
    path = Path(model).expanduser()
    if not path.exists():
        raise SourceNotFoundError(
            f"{model}: there is no such folder on the driver ({platform.node()}), and no card has "
            f"that name. Expected an export that every executor sees under this path. If only the "
            f"executors see it, write local:{path.absolute()}; if only the driver does, send it "
            f"with tfclf.spark.ship_model."
        )
    version = saved_model_folder(path)
    if version is None:
        found_here = list_folder(path) if path.is_dir() else "a file"
        raise SourceNotFoundError(
            f"{model} holds {found_here}; expected an exported model (saved_model.pb, or numbered "
            f"version folders with one each). Make one of a checkpoint: tfclf export {model} "
            f"saved_models/NAME"
        )
    return version.resolve()


def find_on_executor(place: str) -> Path:
    """Return the version's folder on the machine of this worker.

    Raises: SourceNotFoundError, which names the machine.
    """
    path = _path_here(place)
    try:
        version = saved_model_folder(path)
    except OSError as error:
        raise SourceNotFoundError(
            f"{path} cannot be read on the executor {platform.node()}: {error.strerror}. Expected "
            f"the export {place}. Give the executors' user the right to read it."
        ) from error
    if version is not None:
        return version
    state = f"holds {list_folder(path)}" if path.is_dir() else "is not there"
    raise SourceNotFoundError(
        f"The model {place} is not on the executor {platform.node()}: {path} {state}. Expected an "
        f"export, as the driver sees it. Put the model on a path that every executor sees, into "
        f"their image, or send it: tfclf.spark.ship_model(spark, model) gives a place to use."
    )


def _path_here(place: str) -> Path:
    if place.startswith(SHIPPED):
        from pyspark import SparkFiles

        return Path(SparkFiles.get(place.removeprefix(SHIPPED)))
    return Path(place.removeprefix(ON_EXECUTORS))
