"""Where downloads go and whether there may be any: by option, else by the environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from tfclf.errors import DownloadError, MissingExtraError

_TRUE = frozenset({"1", "on", "true", "yes"})  # as huggingface_hub reads its own


@dataclass(frozen=True)
class Settings:
    """How to download.

    Attributes:
      cache: folder of what was fetched.
      offline: no network.
      mirror: see `address`; None: the published addresses.
    """

    cache: Path
    offline: bool = False
    mirror: str | None = None


def settings(
    *, cache: str | Path | None = None, offline: bool = False, mirror: str | None = None
) -> Settings:
    """What is given, else what the environment says: TFCLF_CACHE, TFCLF_OFFLINE or HF_HUB_OFFLINE, TFCLF_MIRROR.

    Raises: MissingExtraError where the user's cache folder cannot be told without platformdirs.
    """
    return Settings(
        cache=Path(cache).expanduser() if cache else cache_folder(),
        offline=offline or is_offline(),
        mirror=mirror or os.environ.get("TFCLF_MIRROR") or None,
    )


def cache_folder() -> Path:
    """$TFCLF_CACHE, else the folder `tfclf` among the user's caches. Raises: MissingExtraError."""
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


def is_offline() -> bool:
    """Whether the environment forbids the network."""
    return any(
        os.environ.get(name, "").lower() in _TRUE for name in ("TFCLF_OFFLINE", "HF_HUB_OFFLINE")
    )


def refuse_offline(what: str) -> DownloadError:
    """The error where something has to be fetched and may not be."""
    return DownloadError(
        f"{what} is not in the cache, and --offline (or TFCLF_OFFLINE, HF_HUB_OFFLINE) forbids to fetch it. Pull it "
        f"where there is a network and copy the cache folder, or take --offline out."
    )
