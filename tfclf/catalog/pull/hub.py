"""Checkpoints of the Hugging Face hub, through huggingface_hub and in its own cache (HF_HOME, HF_HUB_CACHE)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.catalog.pull.room import check_room, size_of
from tfclf.catalog.pull.settings import Settings, refuse_offline
from tfclf.catalog.pull.watch import Watch
from tfclf.errors import (
    CheckpointError,
    DownloadError,
    MissingExtraError,
    SourceNotFoundError,
    first_line,
)
from tfclf.files import hash_file

# In the order in which `tfclf.checkpoints` looks for them: of several formats only the first is fetched.
_WEIGHTS = (
    ("tf_model.h5",),
    ("tf_model.h5.index.json", r"tf_model-[0-9]+-of-[0-9]+\.h5"),
    ("model.safetensors",),
    ("model.safetensors.index.json", r"model-[0-9]+-of-[0-9]+\.safetensors"),
)
_BESIDE = frozenset(
    {
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "spiece.model",
        "sentencepiece.bpe.model",
        "sentencepiece.model",
        "spm.model",
    }
)
_KERAS_HUB_MARK = "task.json"
_KERAS_HUB = re.compile(
    r"(config|task|preprocessor|tokenizer|metadata)\.json|(model|task)[^/]*\.weights\.(h5|json)|assets/.+"
)
_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]+))?", re.ASCII)

_METADATA_SECONDS = 30.0


@dataclass(frozen=True)
class HubId:
    """`ORG/NAME`, or `ORG/NAME@REVISION`: a branch, a tag or a commit."""

    repository: str
    revision: str | None = None

    @property
    def name(self) -> str:
        """Without the organisation."""
        return self.repository.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def hub_id(text: str) -> HubId | None:
    """The hub id that a text is, by its looks; None where it is none."""
    match = _HUB_ID.fullmatch(text)
    return None if match is None or ".." in text or "--" in match[1] else HubId(match[1], match[2])


def hub_folder(source: str | HubId) -> Path:
    """The folder of a checkpoint that was pulled before; nothing is fetched.

    Args:
      source: a hub id, `albert/albert-base-v2`, or with a revision, `albert/albert-base-v2@main`.
    Raises: SourceNotFoundError, which says how to get it; MissingExtraError.
    """
    wanted = hub_id(source) if isinstance(source, str) else source
    if wanted is None:
        raise SourceNotFoundError(
            f"{source!r} is no hub id; expected ORG/NAME, for instance albert/albert-base-v2."
        )
    package = _package()
    try:
        found = package.snapshot_download(
            wanted.repository, revision=wanted.revision, local_files_only=True
        )
    except (OSError, ValueError):
        found = None
    if found is None:
        raise SourceNotFoundError(
            f"{wanted} is not in the cache of the Hugging Face hub ({_cache()}). Get it with: tfclf pull {wanted}"
        )
    folder = Path(found)
    # Other programs fetch single files: a snapshot may be there, and the weights not.
    if not _is_whole(folder):
        raise SourceNotFoundError(
            f"{wanted} is in the cache of the Hugging Face hub only in part: {folder} has no config.json, or no "
            f"weights. Get the rest with: tfclf pull {wanted}"
        )
    return folder


def pull(wanted: HubId, settings: Settings, watch: Watch) -> tuple[Path, int]:
    """Fetches what `tfclf` reads of a checkpoint, weights of one format; its folder and the bytes in it.

    huggingface_hub resumes, retries and locks; what it does not do is compare digests with the hub's.

    Raises: DownloadError, CheckpointError, SourceNotFoundError, MissingExtraError.
    """
    if settings.offline:
        try:
            folder = hub_folder(wanted)
        except SourceNotFoundError as error:
            raise refuse_offline(str(wanted)) from error
        return folder, _bytes_in(folder)
    package = _package()
    if not watch.draws:
        package.utils.disable_progress_bars()
    with _told(wanted):
        info = package.HfApi().model_info(
            wanted.repository,
            revision=wanted.revision,
            files_metadata=True,
            timeout=_METADATA_SECONDS,
        )
        files = {file.rfilename: file for file in info.siblings}
        chosen = _chosen(files, wanted)
        size = sum(file.size or 0 for file in chosen.values())
        _check_room(chosen, wanted)
        watch.begins(
            f"{wanted}, {len(chosen)} files", size=size_of(size), address=package.constants.ENDPOINT
        )
        watch.ends()  # huggingface_hub has bars of its own
        folder = Path(
            package.snapshot_download(
                wanted.repository, revision=wanted.revision, allow_patterns=sorted(chosen)
            )
        )
    _check_digests(folder, chosen, wanted)
    return folder, _bytes_in(folder)


def _chosen(files: Mapping[str, Any], wanted: HubId) -> dict[str, Any]:
    """The files to fetch. Raises: CheckpointError where the repository is no checkpoint that can be read."""
    names = set(_BESIDE)
    for first, *shards in _WEIGHTS:
        if first in files:
            names |= {first} | {
                name for name in files for shard in shards if re.fullmatch(shard, name)
            }
            break
    else:
        if _KERAS_HUB_MARK in files and any(
            name.startswith("model") and name.endswith(".h5") for name in files
        ):
            return {name: file for name, file in files.items() if _KERAS_HUB.fullmatch(name)}
        torch = (
            ", only pytorch_model.bin, a pickle that takes torch to read"
            if "pytorch_model.bin" in files
            else ""
        )
        raise CheckpointError(
            f"{wanted} on the hub has no weights that tfclf reads{torch}; expected one of "
            f"{', '.join(first for first, *_ in _WEIGHTS)}, or a KerasHub preset of a classifier. It has "
            f"{', '.join(sorted(files)[:10]) or 'no file'}."
        )
    if "config.json" not in files:
        raise CheckpointError(
            f"{wanted} on the hub has no config.json, and so is no checkpoint of transformers."
        )
    return {name: file for name, file in files.items() if name in names}


def _check_digests(folder: Path, chosen: Mapping[str, Any], wanted: HubId) -> None:
    """Raises: DownloadError; what differs is removed, so that it is fetched again."""
    for name, file in chosen.items():
        path = folder / name
        expected = file.lfs.sha256 if file.lfs else None
        if path.stat().st_size == (file.size or path.stat().st_size) and expected in (
            None,
            hash_file(path),
        ):
            continue
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DownloadError(
            f"{wanted}: {name} came other than the hub describes it (size or SHA-256). It was removed; pull again."
        )


def _check_room(chosen: Mapping[str, Any], wanted: HubId) -> None:
    package = _package()
    missing = sum(
        file.size or 0
        for name, file in chosen.items()
        if not isinstance(
            package.try_to_load_from_cache(wanted.repository, name, revision=wanted.revision), str
        )
    )
    there = _cache()
    while not there.exists():
        there = there.parent
    check_room(there, missing, str(wanted))


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _is_whole(folder: Path) -> bool:
    weights = [first for first, *_ in _WEIGHTS] + ["model.weights.h5", "model.weights.json"]
    return (folder / "config.json").is_file() and any((folder / name).is_file() for name in weights)


@contextmanager
def _told(wanted: HubId) -> Iterator[None]:
    """huggingface_hub's errors as ours."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{wanted} is gated: accept its terms on its page of the hub, then say who you are with `hf auth login` or "
            f"HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceNotFoundError(
            f"{wanted}: the hub has no such model, or it is private: then say who you are with `hf auth login` or "
            f"HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceNotFoundError(
            f"{wanted}: the model has no such revision (branch, tag or commit)."
        ) from error
    except errors.HFValidationError as error:
        raise SourceNotFoundError(f"{wanted} is no hub id: {_first_line(error)}.") from error
    # Among OSError: those of requests, which huggingface_hub before 1.0 is made with, and LocalEntryNotFoundError.
    except OSError as error:
        if getattr(error, "filename", None):
            raise DownloadError(
                f"{error.filename} cannot be written: {error.strerror}. HF_HOME names another."
            ) from error
        raise DownloadError(
            f"{wanted} cannot be fetched from the hub: {_first_line(error)}. Try again later (what has come is kept), "
            f"or name a mirror of the hub with HF_ENDPOINT."
        ) from error


def _first_line(error: Exception) -> str:
    return first_line(error).rstrip(".")


def _cache() -> Path:
    return Path(_package().constants.HF_HUB_CACHE)


def _package() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants  # a submodule: the package has no such attribute before
        import huggingface_hub.utils
    except ImportError as error:
        raise MissingExtraError(
            "huggingface_hub", extra="pull", purpose="a checkpoint of the hub"
        ) from error
    return huggingface_hub
