"""Sources of weights: whatever the format, one `Checkpoint` record comes out."""

from pathlib import Path

from tfclf.checkpoints import huggingface, kerashub, spark_nlp
from tfclf.checkpoints.record import Checkpoint
from tfclf.errors import SourceNotFoundError

__all__ = ["Checkpoint", "open_checkpoint"]


def open_checkpoint(source: str | Path) -> Checkpoint:
    """Reads what a checkpoint says of itself; its weights are read later.

    Args:
      source: a folder with a Hugging Face checkpoint or a KerasHub preset; the folder or the zip of a Spark NLP model.
    Raises: SourceNotFoundError, CheckpointError, UnknownFamilyError.
    """
    folder = Path(source)
    if not folder.exists():
        raise SourceNotFoundError(
            f"{source}: there is no such folder. Expected a Hugging Face checkpoint: a folder with config.json, "
            f"weights (tf_model.h5 or model.safetensors) and tokenizer files."
        )
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
