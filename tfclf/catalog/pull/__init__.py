"""Getting published models: archives of the cards over HTTP, checkpoints from the Hugging Face hub.

address, settings, room, watch -> part -> http; cache -> archive; hub. Only `pull` touches the network.
"""

from dataclasses import dataclass
from pathlib import Path

from tfclf.catalog import cards
from tfclf.catalog.cards import Card
from tfclf.catalog.pull import cache, hub
from tfclf.catalog.pull.archive import fetch
from tfclf.catalog.pull.http import Patience
from tfclf.catalog.pull.hub import HubId, hub_folder, hub_id
from tfclf.catalog.pull.settings import Settings, cache_folder, settings
from tfclf.catalog.pull.watch import Watch
from tfclf.errors import InputError, MissingExtraError, SourceNotFoundError
from tfclf.saved_model.versions import saved_model_folder

__all__ = [
    "Patience",
    "Pulled",
    "Settings",
    "Watch",
    "bundled_export",
    "cached_archive",
    "hub_folder",
    "hub_id",
    "pull",
    "pullable",
    "settings",
]


@dataclass(frozen=True)
class Pulled:
    """What `pull` got, or found to be there.

    Attributes:
      name: as `tfclf.load` takes it.
      kind: "archive" (of Spark NLP), "checkpoint" (of the hub) or "bundled" (nothing to fetch).
      path: the archive, or the folder.
      size: bytes; None of a bundled model.
      sha256, address: of an archive; None of others.
    """

    name: str
    kind: str
    path: Path
    size: int | None = None
    sha256: str | None = None
    address: str | None = None


def pullable(name: str) -> Card | HubId:
    """What a name stands for: a card, by name or NLU reference, or a checkpoint of the hub.

    Raises: SourceNotFoundError, which names the nearest cards.
    """
    if cards.is_name(name):
        return cards.find(name)
    wanted = hub_id(name)
    if wanted is not None:
        return wanted
    try:
        return cards.find(name)
    except SourceNotFoundError as error:
        raise SourceNotFoundError(
            f"{error} A model of the Hugging Face hub is named ORG/NAME."
        ) from None


def pull(
    name: str,
    *,
    settings: Settings,
    revision: str | None = None,
    sha256: str | None = None,
    watch: Watch | None = None,
    patience: Patience | None = None,
) -> Pulled:
    """Fetches a card's archive, or a checkpoint of the hub, so that `tfclf.load(name)` finds it.

    >>> pull("en.classify.albert.ag_news", settings=settings()).path.name
    'albert_base_sequence_classifier_ag_news_en_3.4.0_3.0_1639648298937.zip'

    Args:
      name: a card's name or NLU reference, or a hub id: ORG/NAME, ORG/NAME@REVISION.
      revision: of a hub id: a branch, a tag or a commit.
      sha256: that the archive must have; the card's by default, where it has one.
    Raises: SourceNotFoundError, DownloadError, CheckpointError, InputError, MissingExtraError.
    """
    wanted, watch = pullable(name), watch or Watch()
    if isinstance(wanted, Card) and wanted.archive is not None:
        if revision is not None:
            raise InputError(
                f"--revision {revision} is for a model of the hub, and {name} is a card with an archive."
            )
        path, record = fetch(
            wanted.name,
            wanted.archive.url,
            settings=settings,
            size=wanted.archive.size,
            sha256=sha256 or wanted.archive.sha256,
            watch=watch,
            patience=patience,
        )
        return Pulled(name, "archive", path, record.size, record.sha256, record.address)
    if sha256 is not None:
        raise InputError(
            f"--sha256 is for a card's archive, and {name} has none; the hub's digests are checked anyway."
        )
    if isinstance(wanted, Card):
        if wanted.hub_model is None:
            return Pulled(name, "bundled", _bundled(wanted))
        wanted = hub_id(wanted.hub_model) or HubId(wanted.hub_model)
    if revision is not None:
        wanted = HubId(wanted.repository, revision)
    folder, size = hub.pull(wanted, settings, watch)
    return Pulled(name if cards.is_name(name) else str(wanted), "checkpoint", folder, size)


def bundled_export(card: Card) -> Path | None:
    """The card's export in a checkout of the repository: that of this module, or the working directory's."""
    if card.saved_model is None:
        return None
    places = (Path(__file__).parents[3] / card.saved_model, Path(card.saved_model))
    return next((place for place in places if saved_model_folder(place) is not None), None)


def _bundled(card: Card) -> Path:
    folder = bundled_export(card)
    if folder is None:
        raise SourceNotFoundError(
            f"{card.name} is bundled with tfclf's repository ({card.saved_model}), and an installed package does not "
            f"have it; there is nothing to download. Run this in the repository, or give the path of that folder."
        )
    return folder


def cached_archive(card: Card) -> Path | None:
    """The archive of a card that was pulled before; nothing is fetched."""
    if card.archive is None:
        return None
    try:
        place = cache.place(cache_folder(), card.name, card.archive.url)
    except MissingExtraError:  # without it nothing can have been pulled
        return None
    return place.path if place.record() is not None else None
