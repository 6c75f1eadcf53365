"""The checkpoint that a card's training starts from, on this machine."""

from pathlib import Path

from tfclf.cards import Card
from tfclf.errors import CheckpointError, InputError, MissingExtraError, SourceNotFoundError
from tfclf.folders import json_object, listing


def base_folder(card: Card, given: str | Path | None = None) -> Path:
    """The folder of the card's base model: the one given, else where the hub id was downloaded to.

    Raises: SourceNotFoundError where it is not at hand, with how to get it; InputError where the card has no base
      model, or the folder is of another family; CheckpointError for a folder that is no checkpoint.
    """
    if given is not None:
        folder = Path(given)
        if not folder.is_dir():
            raise SourceNotFoundError(
                f"--base {folder} {'is a file' if folder.exists() else 'does not exist'}. Expected a folder with the "
                f"{card.family} checkpoint to start from: config.json, weights and tokenizer files."
            )
        _refuse_other_family(card, folder)
        return folder
    base_model = card.training.base_model
    if base_model is None:
        raise InputError(
            f"The card {card.name} names no base model to download: in the project's repository `make demo-model` "
            f"makes it (build/demo_model/base) and trains it. To start from a checkpoint of your own: --base FOLDER"
        )
    found = _downloaded(base_model)
    if found is None:
        raise SourceNotFoundError(
            f"{base_model}, which {card.name} starts from, is not on this machine. Download it: "
            f"`tfclf pull {base_model}`, or give a folder that holds it: --base FOLDER"
        )
    return found


def _downloaded(hub_id: str) -> Path | None:
    """Where huggingface_hub's cache has it; nothing is downloaded."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError as error:
        raise MissingExtraError(
            "huggingface_hub", extra="checkpoints", purpose=f"finding the download of {hub_id}"
        ) from error
    config = try_to_load_from_cache(hub_id, "config.json")
    return Path(config).parent if isinstance(config, str) else None


def _refuse_other_family(card: Card, folder: Path) -> None:
    path = folder / "config.json"
    try:
        found = json_object(path, error=CheckpointError, again="Copy the checkpoint again.").get("model_type")
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds {listing(folder)}, and no config.json. Expected a Hugging Face checkpoint to start from."
        ) from None
    if found != card.family:
        raise InputError(
            f"{folder} has model_type {found!r}; the card {card.name} is of a {card.family!r} model. Give the "
            f"checkpoint that it started from ({card.training.base_model or 'see the card'}), or train without --card."
        )
