"""Opening a checkpoint: each format is tried in order."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tfclf.checkpoints import formats, huggingface, kerashub, spark_nlp
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.checkpoints.files import CONFIG
from tfclf.errors import CheckpointError, SourceNotFoundError


class _Format(NamedTuple):
    matches: Callable[[Path], bool]
    read: Callable[[Path], Checkpoint]


# Any folder may be a Hugging Face checkpoint: its reader says what is missing.
_FORMATS = (
    _Format(spark_nlp.is_model, spark_nlp.read),
    _Format(kerashub.is_preset, kerashub.read),
    _Format(Path.is_dir, huggingface.read),
)


def is_checkpoint(folder: Path) -> bool:
    """Return whether a folder is laid out as a checkpoint; its files may still be wrong."""
    if (folder / CONFIG).is_file() or spark_nlp.is_model(folder):
        return True
    return bool(formats.list_foreign_files(folder))  # its reader names the format


def open_checkpoint(path: Path) -> Checkpoint:
    """Read what a checkpoint says of itself; its weights are read later.

    Args:
      path: the folder of a Hugging Face checkpoint or of a KerasHub preset; the folder or the zip
        of a Spark NLP model. `tfclf.catalog.resolve` finds the path of a name.
    Raises: SourceNotFoundError, CheckpointError, UnknownFamilyError.
    """
    for kind in _FORMATS:
        if kind.matches(path):
            return kind.read(path)
    if not path.exists():
        raise SourceNotFoundError(
            f"{path}: there is no such folder or file. Expected the folder of a Hugging Face "
            f"checkpoint or of a KerasHub preset, or a Spark NLP model."
        )
    if (foreign := formats.describe_file(path)) is not None:
        raise CheckpointError(foreign)
    raise SourceNotFoundError(
        f"{path} is a file. Expected the folder of a Hugging Face checkpoint, or the zip of a "
        f"Spark NLP model; if it is one of a checkpoint's files, give its folder: {path.parent}"
    )
