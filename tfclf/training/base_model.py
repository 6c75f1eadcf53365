"""The checkpoint that a card's training starts from, on this machine."""

import contextlib
from pathlib import Path

from tfclf.catalog.cards import Card
from tfclf.catalog.local import hub_folder, hub_id
from tfclf.errors import CheckpointError, InputError, SourceNotFoundError
from tfclf.files import list_folder, read_json_object


def base_folder(card: Card, given: str | Path | None = None) -> Path:
    """The folder of the card's base model: the one given, a folder or a hub id, else the card's own as it was pulled.

    Raises: SourceNotFoundError where it is not at hand, with how to get it; InputError where the card has no base
      model, or the folder is of another family; CheckpointError for a folder that is no checkpoint.
    """
    if given is not None:
        folder = _given_folder(card, given)
        _refuse_other_family(card, folder)
        return folder
    base_model = card.training.base_model
    if base_model is None:
        raise InputError(
            f"The card {card.name} names no base model to download: in the project's repository `make demo-model` "
            f"makes it (build/demo_model/base) and trains it. To start from a checkpoint of your own: --base FOLDER"
        )
    try:
        return hub_folder(base_model)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(
            f"{card.name} starts from {base_model}. {error} - or give a folder that holds it: --base FOLDER"
        ) from None


def _given_folder(card: Card, given: str | Path) -> Path:
    folder = Path(given)
    if folder.is_dir():
        return folder
    if not folder.exists() and hub_id(str(given)) is not None:
        with contextlib.suppress(SourceNotFoundError):
            return hub_folder(str(given))
    there_is = (
        "is a file" if folder.exists() else "does not exist, and no model of that name was pulled"
    )
    raise SourceNotFoundError(
        f"--base {given} {there_is}. Expected a folder with the {card.family} checkpoint to start from (config.json, "
        f"weights and tokenizer files), or the hub id of one that `tfclf pull` has got."
    )


def _refuse_other_family(card: Card, folder: Path) -> None:
    path = folder / "config.json"
    try:
        found = read_json_object(
            path, error=CheckpointError, again="Copy the checkpoint again."
        ).get("model_type")
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds {list_folder(folder)}, and no config.json. Expected a Hugging Face checkpoint to start from."
        ) from None
    if found != card.family:
        raise InputError(
            f"{folder} has model_type {found!r}; the card {card.name} is of a {card.family!r} model. Give the "
            f"checkpoint that it started from ({card.training.base_model or 'see the card'}), or train without --card."
        )
