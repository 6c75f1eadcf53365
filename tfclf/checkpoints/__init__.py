"""Sources of weights: whatever the format, one `Checkpoint` record comes out."""

from pathlib import Path

from tfclf.catalog import resolve as sources
from tfclf.checkpoints import huggingface, kerashub, spark_nlp
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.errors import SourceNotFoundError

__all__ = ["Checkpoint", "is_checkpoint", "open_checkpoint"]


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder is laid out as a format that is read here; what is in its files may still be wrong."""
    return (folder / "config.json").is_file() or spark_nlp.is_model(folder)


def open_checkpoint(source: str | Path) -> Checkpoint:
    """Reads what a checkpoint says of itself; its weights are read later.

    Args:
      source: a folder with a Hugging Face checkpoint or a KerasHub preset; the folder or the zip of a Spark NLP model;
        or a name of one of these, as `tfclf.catalog.resolve` resolves it.
    Raises: SourceNotFoundError, CheckpointError, UnknownFamilyError.
    """
    folder = sources.find(source, exports=False).path
    if spark_nlp.is_model(folder):
        return spark_nlp.read(folder)
    if not folder.is_dir():
        raise SourceNotFoundError(
            f"{source} is a file. Expected the folder of a Hugging Face checkpoint, or the zip of a Spark NLP model; "
            f"if it is one of a checkpoint's files, give its folder: {folder.parent}"
        )
    if kerashub.is_preset(folder):
        return kerashub.read(folder)
    return huggingface.read(folder)
