"""Resolving a source (path, card's name, NLU reference or hub id) to a path on this machine.

Nothing is fetched: the error for a model that is not here says how to get it. `load`, `export`,
`verify` and `evaluate` resolve once; below them only paths travel.
"""

from dataclasses import dataclass
from pathlib import Path

from tfclf.catalog import cards
from tfclf.catalog.cards import Card
from tfclf.catalog.local import (
    HubId,
    bundled_export,
    cached_archive,
    explain_absent,
    hub_folder,
    hub_id,
)
from tfclf.errors import MissingExtraError, SourceNotFoundError


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine.

    Attributes:
      path: its folder or file.
      name: the card's name, or the name of the folder or file without `.zip`.
    """

    path: Path
    name: str


def find(source: str | Path, *, exports: bool = True) -> LocalModel:
    """Find a source on this machine.

    >>> find("en.classify.distilbert_mini.ag_news").name
    'distilbert_mini_sequence_classifier_ag_news'

    The order: a path that exists; then a card, by name or NLU reference (its export in this
    repository, its archive in the cache, its checkpoint in the hub's cache); then a hub id,
    ORG/NAME or ORG/NAME@REVISION, in that cache.

    Args:
      exports: whether exports count; if not, only checkpoints do.
    Raises: SourceNotFoundError.
    """
    path = Path(source)
    if source != "" and _exists(path):
        return LocalModel(path, path.name.removesuffix(".zip"))
    if isinstance(source, str):
        if cards.is_name(source):
            return _find_card(cards.find(source), source, exports=exports)
        wanted = hub_id(source)
        folder = _find_in_hub_cache(wanted)
        if wanted is not None and folder is not None:
            return LocalModel(folder, wanted.name)
    raise SourceNotFoundError(_explain_missing(source))


def find_export(source: str | Path) -> Path:
    """Find an exported model: a path, returned as it is, or a card with a bundled export.

    Raises: SourceNotFoundError for the name of a model that must be exported first.
    """
    if not isinstance(source, str) or _exists(Path(source)):
        return Path(source)
    is_card = cards.is_name(source)
    if is_card:
        card = cards.find(source)
        if (bundled := bundled_export(card)) is not None:
            return bundled
        if card.archive is None and card.hub_model is None and card.saved_model is not None:
            raise SourceNotFoundError(explain_absent(card))
    if is_card or hub_id(source) is not None:
        state = "the card has no export here" if is_card else "no card either"
        raise SourceNotFoundError(
            f"{source}: there is no such folder, and {state}. Expected an export. For a card or a "
            f"model of the hub: `tfclf pull {source}` gets it, `tfclf export {source} "
            f"saved_models/NAME` makes one; then give saved_models/NAME."
        )
    return Path(source)


def _find_card(card: Card, source: str, *, exports: bool) -> LocalModel:
    bundled = bundled_export(card)
    if exports and bundled is not None:
        return LocalModel(bundled, card.name)
    if (archive := cached_archive(card)) is not None:
        return LocalModel(archive, card.name)
    if card.hub_model is not None:
        folder = _find_in_hub_cache(card.hub_model)
        if folder is not None:
            return LocalModel(folder, card.name)
    if card.archive is not None:
        size = f" ({card.archive.size})" if card.archive.size else ""
        file = card.archive.url.rpartition("/")[2]
        raise SourceNotFoundError(
            f"{source} is not on this machine yet. Get its archive{size} with: tfclf pull {source} "
            f"- "
            f'or download {card.archive.url} by hand and give the file: tfclf.load("{file}")'
        )
    if card.hub_model is not None:
        raise SourceNotFoundError(
            f"{source} is not on this machine yet. Get the checkpoint {card.hub_model} from the "
            f"Hugging Face hub with: tfclf pull {source}"
        )
    if bundled is not None:
        raise SourceNotFoundError(
            f"{source} comes as an export, {bundled}, which predict, evaluate, show and serve take "
            f"as it is; here a checkpoint is needed, and the card names no archive and no model of "
            f"the hub."
        )
    raise SourceNotFoundError(explain_absent(card))


def _find_in_hub_cache(wanted: str | HubId | None) -> Path | None:
    if wanted is None:
        return None
    try:
        return hub_folder(wanted)
    except (SourceNotFoundError, MissingExtraError):
        return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or has a NUL
        return False


def _explain_missing(source: str | Path) -> str:
    expected = (
        "Expected an exported model, a Hugging Face checkpoint (a folder with config.json, "
        "weights: tf_model.h5 or model.safetensors, and tokenizer files), a KerasHub preset, or an "
        "archive of Spark NLP (.zip)."
    )
    if isinstance(source, Path):
        return f"{source}: there is no such folder or file. {expected}"
    if hub_id(source) is not None:
        return (
            f"{source}: there is no such folder or file, and no model of that name in the cache of "
            f"the Hugging Face hub. If it is one of the hub, get it with: tfclf pull {source}"
        )
    near = cards.find_nearest(source)
    hint = f" Nearest cards: {', '.join(near)}." if near else ""
    return (
        f"{source}: there is no such folder or file, and no card answers to that name.{hint} "
        f"`tfclf cards` lists them. {expected}"
    )
