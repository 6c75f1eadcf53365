"""Whatever names a model -> where it is on this machine: a path, a card, an NLU reference, a hub id.

Nothing is fetched here: what is not at hand is an error that says how to get it.
"""

from dataclasses import dataclass
from pathlib import Path

from tfclf.catalog import cards
from tfclf.catalog.cards import Card
from tfclf.catalog.pull import bundled_export, cached_archive, hub_folder, hub_id
from tfclf.errors import MissingExtraError, SourceNotFoundError


@dataclass(frozen=True)
class Found:
    """A source on this machine.

    Attributes:
      path: its folder or file.
      name: what the model is called.
    """

    path: Path
    name: str


def find(source: str | Path, *, exports: bool = True) -> Found:
    """Where a source is.

    >>> find("en.classify.distilbert_mini.ag_news").name
    'distilbert_mini_sequence_classifier_ag_news'

    In this order: a path that exists; a card, by name or NLU reference: the export bundled with this repository, the
    archive in the cache, its checkpoint in the hub's cache; a hub id, ORG/NAME or ORG/NAME@REVISION, in that cache.

    Args:
      exports: whether an export will do; else only what a checkpoint can be read from.
    Raises: SourceNotFoundError.
    """
    path = Path(source)
    if source != "" and _exists(path):
        return Found(path, path.name.removesuffix(".zip"))
    if isinstance(source, str):
        if cards.is_name(source):
            return _of_card(cards.find(source), source, exports=exports)
        if (found := _of_hub(source)) is not None:
            return found
    raise SourceNotFoundError(_nothing(source))


def find_export(source: str | Path) -> Path:
    """Where an exported model is: a path, as it is given, or a card whose model is bundled.

    Raises: SourceNotFoundError for the name of what first has to be exported.
    """
    if not isinstance(source, str) or _exists(Path(source)):
        return Path(source)
    named = cards.is_name(source)
    if named and (bundled := bundled_export(cards.find(source))) is not None:
        return bundled
    if named or hub_id(source) is not None:
        raise SourceNotFoundError(
            f"{source}: there is no such folder, and {'the card has no export here' if named else 'no card either'}. "
            f"Expected an export. Of a card or a model of the hub: `tfclf pull {source}` gets it, "
            f"`tfclf export {source} saved_models/NAME` makes one; then give saved_models/NAME."
        )
    return Path(source)


def _of_card(card: Card, given: str, *, exports: bool) -> Found:
    bundled = bundled_export(card)
    if exports and bundled is not None:
        return Found(bundled, card.name)
    if (archive := cached_archive(card)) is not None:
        return Found(archive, card.name)
    if card.hub_model is not None and (found := _in_hub(card.hub_model)) is not None:
        return Found(found, card.name)
    if card.archive is not None:
        size = f" ({card.archive.size})" if card.archive.size else ""
        raise SourceNotFoundError(
            f"{given} is not on this machine yet. Get its archive{size} with: tfclf pull {given} - or download "
            f'{card.archive.url} by hand and give the file: tfclf.load("{card.archive.url.rpartition("/")[2]}")'
        )
    if card.hub_model is not None:
        raise SourceNotFoundError(
            f"{given} is not on this machine yet. Get the checkpoint {card.hub_model} from the Hugging Face hub with: "
            f"tfclf pull {given}"
        )
    if bundled is not None:
        raise SourceNotFoundError(
            f"{given} comes as an export, {bundled}, which predict, evaluate, show and serve take as it is; here a "
            f"checkpoint is needed, and the card names no archive and no model of the hub."
        )
    raise SourceNotFoundError(
        f"{given} is bundled with tfclf's repository ({card.saved_model}), and an installed package does not have it. "
        f"Run this in the repository, or give the path of that folder."
    )


def _of_hub(source: str) -> Found | None:
    wanted = hub_id(source)
    folder = None if wanted is None else _in_hub(source)
    return None if wanted is None or folder is None else Found(folder, wanted.name)


def _in_hub(source: str) -> Path | None:
    try:
        return hub_folder(source)
    except (SourceNotFoundError, MissingExtraError):
        return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, a NUL in it
        return False


def _nothing(source: str | Path) -> str:
    expected = (
        "Expected an exported model, a Hugging Face checkpoint (a folder with config.json, weights: tf_model.h5 or "
        "model.safetensors, and tokenizer files), a KerasHub preset, or an archive of Spark NLP (.zip)."
    )
    if isinstance(source, Path):
        return f"{source}: there is no such folder or file. {expected}"
    if hub_id(source) is not None:
        return (
            f"{source}: there is no such folder or file, and no model of that name in the cache of the Hugging Face "
            f"hub. If it is one of the hub, get it with: tfclf pull {source}"
        )
    near = cards.nearest(source)
    hint = f" Nearest cards: {', '.join(near)}." if near else ""
    return (
        f"{source}: there is no such folder or file, and no card answers to that name.{hint} `tfclf cards` lists them. "
        f"{expected}"
    )
