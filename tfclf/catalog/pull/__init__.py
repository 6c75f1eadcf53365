"""Fetching published models: a card's archive over HTTP, a checkpoint from the Hugging Face hub.

Only this package touches the network; it fills the places that `tfclf.catalog.local` reads.
"""

from dataclasses import dataclass
from pathlib import Path

from tfclf.catalog import cards
from tfclf.catalog.cards import Card
from tfclf.catalog.local import HubId, bundled_export, explain_absent, hub_id
from tfclf.catalog.pull import hub
from tfclf.catalog.pull.archive import fetch
from tfclf.catalog.pull.http import Patience
from tfclf.catalog.pull.settings import Settings, read_settings
from tfclf.catalog.pull.watch import Watch
from tfclf.errors import InputError, SourceNotFoundError

__all__ = ["Patience", "Pulled", "Settings", "Watch", "identify", "pull", "read_settings"]


@dataclass(frozen=True)
class Pulled:
    """A model that `pull` fetched, or found on this machine.

    Attributes:
      name: as `tfclf.load` takes it.
      kind: "archive" (of Spark NLP), "checkpoint" (of the hub) or "bundled" (nothing to fetch).
      path: the archive, or the folder.
      size: bytes; None for a bundled model.
      sha256, address: of an archive; None for others.
    """

    name: str
    kind: str
    path: Path
    size: int | None = None
    sha256: str | None = None
    address: str | None = None


def identify(name: str) -> Card | HubId:
    """Return the card of a name or NLU reference, or the hub id.

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
    """Fetch a card's archive, or a checkpoint of the hub, so that `tfclf.load(name)` finds it.

    A card with a bundled export needs no download:

    >>> pull("en.classify.distilbert_mini.ag_news", settings=Settings(Path("cache"))).kind
    'bundled'

    Args:
      name: a card's name or NLU reference, or a hub id: ORG/NAME, ORG/NAME@REVISION.
      revision: of a hub id: a branch, a tag or a commit.
      sha256: the digest that the archive must have; the card's by default, if it has one.
    Raises: SourceNotFoundError, DownloadError, CheckpointError, InputError, MissingExtraError.
    """
    wanted, watch = identify(name), watch or Watch()
    if isinstance(wanted, Card) and wanted.archive is not None:
        if revision is not None:
            raise InputError(
                f"--revision {revision} is for a model of the hub, and {name} is a card with an "
                f"archive."
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
            f"--sha256 is for a card's archive, and {name} has none; the hub's digests are checked "
            f"anyway."
        )
    if isinstance(wanted, Card):
        if wanted.hub_model is None:
            return Pulled(name, "bundled", _find_bundled(wanted))
        wanted = hub_id(wanted.hub_model) or HubId(wanted.hub_model)
    if revision is not None:
        wanted = HubId(wanted.repository, revision)
    folder, size = hub.pull(wanted, settings, watch)
    return Pulled(name if cards.is_name(name) else str(wanted), "checkpoint", folder, size)


def _find_bundled(card: Card) -> Path:
    folder = bundled_export(card)
    if folder is None:
        raise SourceNotFoundError(explain_absent(card))
    return folder
