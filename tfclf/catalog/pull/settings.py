"""The settings of downloads: options, else the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from tfclf.catalog.local import cache_folder
from tfclf.errors import DownloadError

_TRUE = frozenset({"1", "on", "true", "yes"})  # as huggingface_hub reads its own


@dataclass(frozen=True)
class Settings:
    """How to download.

    Attributes:
      cache: folder of fetched archives.
      offline: no network.
      mirror: see `address.apply_mirror`; None for the published addresses.
    """

    cache: Path
    offline: bool = False
    mirror: str | None = None


def read_settings(
    *, cache: str | Path | None = None, offline: bool = False, mirror: str | None = None
) -> Settings:
    """Return the options, completed from the environment.

    The variables are TFCLF_CACHE, TFCLF_OFFLINE or HF_HUB_OFFLINE, and TFCLF_MIRROR.

    Raises: MissingExtraError if the user's cache folder is needed and platformdirs is missing.
    """
    return Settings(
        cache=Path(cache).expanduser() if cache else cache_folder(),
        offline=offline or _is_offline(),
        mirror=mirror or os.environ.get("TFCLF_MIRROR") or None,
    )


def _is_offline() -> bool:
    names = ("TFCLF_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in _TRUE for name in names)


def refuse_offline(what: str) -> DownloadError:
    """Return the error for a file that must be fetched and may not be."""
    return DownloadError(
        f"{what} is not in the cache, and --offline (or TFCLF_OFFLINE, HF_HUB_OFFLINE) forbids to "
        f"fetch it. Pull it on a machine with a network and copy the cache folder, or take "
        f"--offline out."
    )
