"""Weights into the original TF class: the encoder must be complete, a missing head is made anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfclf._transformers import load_pretrained, transformers
from tfclf.checkpoints import weights
from tfclf.errors import CheckpointError
from tfclf.training.base import Base


def build(base: Base) -> Any:
    """Build the original TF class with the base's weights.

    A head that is missing, or of another size, gets new weights.

    Raises: CheckpointError if the file cannot be read, or lacks weights of the encoder.
    """
    loaded = weights.load(_tf_class_of(base.config, base.folder), base.config, base.weights_file)
    new = [*loaded.missing, *(name for name, _, _ in loaded.mismatched)]
    _check_encoder(loaded.model, new, base.weights_file)
    _check_unexpected(loaded, base.weights_file)
    return loaded.model


def load_trained(folder: Path) -> Any:
    """Load the TF class from a folder that training wrote."""
    config = load_pretrained("AutoConfig", folder)
    tf_class = _tf_class_of(config, folder)
    return load_pretrained(tf_class, folder, config=config, use_safetensors=False)


def _tf_class_of(config: Any, folder: Path) -> Any:
    package = transformers()
    mapping = package.TF_MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    if type(config) not in mapping:
        raise CheckpointError(
            f"{folder} has model_type {config.model_type!r}, which has no TF class for sequence "
            f"classification in transformers {package.__version__}. Start from another checkpoint."
        )
    return mapping[type(config)]


def _check_encoder(model: Any, missing: Sequence[str], file: Path) -> None:
    # The pooler counts as head: models pretrained without sentence pairs lack it.
    encoder = f"{model.base_model_prefix}/"
    lacking = sorted(name for name in missing if name.startswith(encoder) and "pooler" not in name)
    if lacking:
        raise CheckpointError(
            f"{file} lacks {len(lacking)} weights of the encoder, among them "
            f"{', '.join(lacking[:3])}. Only a head may be missing; copy the checkpoint again."
        )


def _check_unexpected(loaded: weights.Loaded, file: Path) -> None:
    """Refuse weights of the encoder that the TF class would drop; a pretraining head may go."""
    encoder = loaded.model.base_model_prefix
    inside = (f"{encoder}.", f"{encoder}/")
    left = [name for name in loaded.unexpected if name.startswith(inside) and "pooler" not in name]
    if left:
        raise CheckpointError(
            f"{file} holds {len(left)} weights of the encoder that {type(loaded.model).__name__} "
            f"has no place for, among them {', '.join(left[:3])}. Only a head may be left out; "
            f"start from a checkpoint that the class can hold."
        )
