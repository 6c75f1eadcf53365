"""The checkpoint from which a card's training starts, on this machine."""

import contextlib
from pathlib import Path

from tfclf.catalog.cards import Card
from tfclf.catalog.local import hub_folder, hub_id
from tfclf.errors import CheckpointError, InputError, SourceNotFoundError
from tfclf.files import list_folder, read_json_object


def find_base_folder(card: Card, given: str | Path | None = None) -> Path:
    """Return the folder of the card's base model.

    Args:
      given: a folder, or the hub id of a pulled model; None: the card's own base model, as pulled.
    Raises: SourceNotFoundError if it is not on this machine, with how to get it; InputError if the
      card has no base model, or the folder is of another family; CheckpointError if the folder is
      no checkpoint.
    """
    if given is not None:
        folder = _find_given(card, given)
        _refuse_other_family(card, folder)
        return folder
    base_model = card.training.base_model
    if base_model is None:
        raise InputError(
            f"The card {card.name} names no base model to download: in the project's repository "
            f"`make demo-model` makes it (build/demo_model/base) and trains it. "
            f"To start from a checkpoint of your own: --base FOLDER"
        )
    try:
        return hub_folder(base_model)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(
            f"{card.name} starts from {base_model}. {error} - or give a folder that holds it: "
            f"--base FOLDER"
        ) from None


def _find_given(card: Card, given: str | Path) -> Path:
    folder = Path(given)
    if folder.is_dir():
        return folder
    if not folder.exists() and hub_id(str(given)) is not None:
        with contextlib.suppress(SourceNotFoundError):
            return hub_folder(str(given))
    problem = "does not exist, and no model of that name was pulled"
    if folder.exists():
        problem = "is a file"
    raise SourceNotFoundError(
        f"--base {given} {problem}. Expected a folder with the {card.family} checkpoint to start "
        f"from (config.json, weights and tokenizer files), or the hub id of one that `tfclf pull` "
        f"has fetched."
    )


def _refuse_other_family(card: Card, folder: Path) -> None:
    again = "Copy the checkpoint again."
    try:
        config = read_json_object(folder / "config.json", error=CheckpointError, again=again)
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds {list_folder(folder)}, and no config.json. "
            f"Expected a Hugging Face checkpoint to start from."
        ) from None
    model_type = config.get("model_type")
    if model_type != card.family:
        raise InputError(
            f"{folder} has model_type {model_type!r}; the card {card.name} is of a "
            f"{card.family!r} model. Give the checkpoint that it started from "
            f"({card.training.base_model or 'see the card'}), or train without --card."
        )
