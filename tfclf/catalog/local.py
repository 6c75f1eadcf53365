"""The models that are on this machine. Nothing is fetched here; `tfclf.catalog.pull` does that.

| model | place |
|-|-|
| a card's export | `saved_models/NAME` of this repository, if this is a checkout of it |
| a card's archive | `archives/NAME/x.zip` in the cache folder, beside it a record, `x.zip.json` |
| a model of the hub | huggingface_hub's own cache (HF_HOME, HF_HUB_CACHE) |
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from tfclf.catalog.cards import Card
from tfclf.checkpoints.files import has_config_and_weights
from tfclf.errors import CardError, MissingExtraError, SourceNotFoundError
from tfclf.saved_model.versions import saved_model_folder

RECORD_FORMAT = 1
_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]+))?", re.ASCII)
_CHECKOUT = Path(__file__).parents[2]


def bundled_export(card: Card) -> Path | None:
    """Return a card's export in a checkout of the repository; None if there is none.

    The checkout is the one that this module is in, or the working directory.
    """
    if card.saved_model is None:
        return None
    places = (_CHECKOUT / card.saved_model, Path(card.saved_model))
    return next((place for place in places if saved_model_folder(place) is not None), None)


def explain_absent(card: Card) -> str:
    """Say how to get a bundled model outside a clone: the same words in every command."""
    return (
        f"{card.name} comes with a clone of tfclf's repository, as {card.saved_model}, and no "
        f"clone was found. An installed package does not include it, and there is nothing to "
        f"download. Give the folder by its path, /path/to/tfclf/{card.saved_model}, or run tfclf "
        f"inside the clone."
    )


@dataclass(frozen=True)
class Record:
    """The facts about a fetched archive, as they are stored beside it.

    Attributes:
      url: the published address.
      address: the address that it was fetched from: the mirror's, if there was one.
      size: bytes.
      sha256: of these bytes.
      etag: as the server gave it.
      fetched: the time, ISO 8601.
    """

    url: str
    address: str
    size: int
    sha256: str
    etag: str | None
    fetched: str


@dataclass(frozen=True)
class ArchivePlace:
    """The place of one archive in the cache, and of the files beside it.

    >>> place = ArchivePlace(Path("cache/archives/x"), "https://host.example/models/x.zip")
    >>> [path.name for path in (place.path, place.record_path, place.part_path, place.lock_path)]
    ['x.zip', 'x.zip.json', 'x.zip.part', 'x.zip.lock']
    """

    folder: Path
    url: str

    @property
    def path(self) -> Path:
        """The archive itself."""
        return self.folder / file_name(self.url)

    @property
    def record_path(self) -> Path:
        """The facts about the archive, as JSON."""
        return self._beside("json")

    @property
    def part_path(self) -> Path:
        """The bytes of a download in progress."""
        return self._beside("part")

    @property
    def lock_path(self) -> Path:
        """The lock of the process that fetches it."""
        return self._beside("lock")

    def read_record(self) -> Record | None:
        """Return the record of an archive that is whole and came from `url`; else None."""
        record = _read_record(self.record_path)
        if record is None or record.url != self.url or not self.path.is_file():
            return None
        return record if self.path.stat().st_size == record.size else None

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")


def archive_place(cache: Path, name: str, url: str) -> ArchivePlace:
    """Return the place of the archive of model `name`, published at `url`. Raises: CardError."""
    if not file_name(url).endswith(".zip"):
        raise CardError(
            f"the archive of {name} is {url!r}; expected the address of a file that ends in .zip."
        )
    return ArchivePlace(cache / "archives" / name, url)


def cached_archive(card: Card) -> Path | None:
    """Return the archive of a card that was pulled before; None if there is none."""
    if card.archive is None:
        return None
    try:
        place = archive_place(cache_folder(), card.name, card.archive.url)
    except MissingExtraError:  # without platformdirs nothing can have been pulled
        return None
    return place.path if place.read_record() is not None else None


def list_archives(cache: Path) -> Iterator[tuple[str, Path, Record]]:
    """Yield name, path and record of every whole archive in the cache, by name."""
    for path in sorted((cache / "archives").glob("*/*.zip")):
        record = _read_record(path.with_name(f"{path.name}.json"))
        if record is not None and path.stat().st_size == record.size:
            yield path.parent.name, path, record


def cache_folder() -> Path:
    """Return $TFCLF_CACHE, else `tfclf` in the user's cache folder. Raises: MissingExtraError."""
    named = os.environ.get("TFCLF_CACHE")
    if named:
        return Path(named).expanduser()
    try:
        import platformdirs
    except ImportError as error:
        raise MissingExtraError(
            "platformdirs", extra="pull", purpose="a cache of downloads"
        ) from error
    return platformdirs.user_cache_path("tfclf")


def file_name(url: str) -> str:
    """Return the last part of an address's path.

    >>> file_name("https://host.example/models/a%20model.zip?signature=1")
    'a model.zip'
    """
    return PurePosixPath(unquote(urlsplit(url).path)).name


def _read_record(path: Path) -> Record | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format_version") != RECORD_FORMAT:
            return None
        return Record(**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


@dataclass(frozen=True)
class HubId:
    """`ORG/NAME`, or `ORG/NAME@REVISION`: a branch, a tag or a commit."""

    repository: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """The name without the organisation."""
        return self.repository.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def hub_id(text: str) -> HubId | None:
    """Parse a hub id; None for text of another form. Whether the hub has it is not asked.

    >>> hub_id("albert/albert-base-v2@main")
    HubId(repository='albert/albert-base-v2', revision='main')
    >>> hub_id("en.classify.albert.ag_news") is None
    True
    """
    match = _HUB_ID.fullmatch(text)
    return None if match is None or ".." in text or "--" in match[1] else HubId(match[1], match[2])


def hub_folder(source: str | HubId) -> Path:
    """Return the folder of a checkpoint of the hub that was pulled before.

    Args:
      source: a hub id, `albert/albert-base-v2`, or with a revision, `albert/albert-base-v2@main`.
    Raises: SourceNotFoundError, which says how to get it; MissingExtraError.
    """
    wanted = hub_id(source) if isinstance(source, str) else source
    if wanted is None:
        raise SourceNotFoundError(
            f"{source!r} is no hub id; expected ORG/NAME, for instance albert/albert-base-v2."
        )
    package = hub_package()
    try:
        snapshot = package.snapshot_download(
            wanted.repository, revision=wanted.revision, local_files_only=True
        )
    except (OSError, ValueError):
        raise SourceNotFoundError(
            f"{wanted} is not in the cache of the Hugging Face hub ({hub_cache()}). Get it with: "
            f"tfclf pull {wanted}"
        ) from None
    folder = Path(snapshot)
    # Other programs fetch single files: a snapshot may lack the weights.
    if not has_config_and_weights(folder):
        raise SourceNotFoundError(
            f"{wanted} is in the cache of the Hugging Face hub only in part: {folder} has no "
            f"config.json, or no weights. Get the rest with: tfclf pull {wanted}"
        )
    return folder


def hub_cache() -> Path:
    """Return huggingface_hub's cache folder. Raises: MissingExtraError."""
    return Path(hub_package().constants.HF_HUB_CACHE)


def hub_package() -> Any:
    """Import huggingface_hub. Raises: MissingExtraError if it is not installed."""
    try:
        import huggingface_hub
        import huggingface_hub.constants  # submodules are attributes only once imported
        import huggingface_hub.utils
    except ImportError as error:
        raise MissingExtraError(
            "huggingface_hub", extra="pull", purpose="a checkpoint of the hub"
        ) from error
    return huggingface_hub
