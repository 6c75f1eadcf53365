"""Checkpoints of the Hugging Face hub, through huggingface_hub and into its own cache."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfclf.catalog.local import HubId, hub_cache, hub_folder, hub_package
from tfclf.catalog.pull.disk_space import check_disk_space, format_size
from tfclf.catalog.pull.settings import Settings, refuse_offline
from tfclf.catalog.pull.watch import Watch
from tfclf.checkpoints.files import (
    CONFIG,
    PRESET_FILES,
    PRESET_TASK,
    TORCH_WEIGHTS,
    WEIGHTS,
    list_shards,
)
from tfclf.checkpoints.formats import ADAPTERS, QUANTIZED_FILES, describe_file
from tfclf.errors import CheckpointError, DownloadError, SourceNotFoundError, first_line
from tfclf.files import hash_file, nearest_existing
from tfclf.tokenization.file_names import TOKENIZER_FILES

_METADATA_SECONDS = 30.0
_MOST_LISTED = 10


def pull(wanted: HubId, settings: Settings, watch: Watch) -> tuple[Path, int]:
    """Fetch the files of a checkpoint that tfclf reads, with weights in one format.

    huggingface_hub resumes, retries and locks. It does not compare digests with the hub's; this
    does.

    Returns: the folder, and its bytes.
    Raises: DownloadError, CheckpointError, SourceNotFoundError, MissingExtraError.
    """
    if settings.offline:
        try:
            folder = hub_folder(wanted)
        except SourceNotFoundError as error:
            raise refuse_offline(str(wanted)) from error
        return folder, _count_bytes(folder)
    package = hub_package()
    if not watch.draws:
        package.utils.disable_progress_bars()
    with _explain_errors(wanted):
        info = package.HfApi().model_info(
            wanted.repository,
            revision=wanted.revision,
            files_metadata=True,
            timeout=_METADATA_SECONDS,
        )
        files = choose_files({file.rfilename: file for file in info.siblings}, wanted)
        _check_disk_space(files, wanted)
        size = format_size(sum(file.size or 0 for file in files.values()))
        watch.begins(f"{wanted}, {len(files)} files", size=size, address=package.constants.ENDPOINT)
        watch.ends()  # huggingface_hub has bars of its own
        folder = Path(
            package.snapshot_download(
                wanted.repository, revision=wanted.revision, allow_patterns=sorted(files)
            )
        )
    _check_digests(folder, files, wanted)
    return folder, _count_bytes(folder)


def choose_files(files: Mapping[str, Any], wanted: HubId) -> dict[str, Any]:
    """Choose the files to fetch.

    >>> names = ["README.md", "config.json", "model.safetensors", "tf_model.h5", "vocab.txt"]
    >>> sorted(choose_files(dict.fromkeys(names), HubId("org/name")))
    ['config.json', 'model.safetensors', 'vocab.txt']

    Raises: CheckpointError if the repository holds no checkpoint that can be read.
    """
    weights = next((name for name in WEIGHTS if name in files), None)
    if weights is None and PRESET_TASK in files and _has_preset_weights(files):
        return {name: file for name, file in files.items() if PRESET_FILES.fullmatch(name)}
    if weights is None:
        if TORCH_WEIGHTS[0] not in files:
            _refuse_other_format(files, wanted)
        torch = ""
        if TORCH_WEIGHTS[0] in files:
            torch = f", only {TORCH_WEIGHTS[0]}, a pickle that takes torch to read"
        raise CheckpointError(
            f"{wanted} on the hub has no weights that tfclf reads{torch}; expected one of "
            f"{', '.join(WEIGHTS)}, or a KerasHub preset of a classifier. It has "
            f"{', '.join(sorted(files)[:_MOST_LISTED]) or 'no file'}."
        )
    if CONFIG not in files:
        raise CheckpointError(
            f"{wanted} on the hub has no {CONFIG}, and so is no checkpoint of transformers."
        )
    for name in ADAPTERS:  # from_pretrained would apply it to the weights beside it
        if name in files:
            raise CheckpointError(
                f"{wanted} on the hub has more than its weights: {describe_file(Path(name))}"
            )
    # The last ones say how to read the weights: the checkpoint's reader refuses them.
    names = {CONFIG, weights, *list_shards(weights, files), *TOKENIZER_FILES, *QUANTIZED_FILES}
    return {name: file for name, file in files.items() if name in names}


def _refuse_other_format(files: Mapping[str, Any], wanted: HubId) -> None:
    for name in sorted(files):
        foreign = describe_file(Path(name))
        if foreign is not None:
            raise CheckpointError(f"{wanted} on the hub has no weights that tfclf reads: {foreign}")


def _has_preset_weights(files: Mapping[str, Any]) -> bool:
    return any(name.startswith("model") and name.endswith(".h5") for name in files)


def _check_digests(folder: Path, files: Mapping[str, Any], wanted: HubId) -> None:
    """Compare sizes and digests with the hub's; a file that differs is removed.

    Raises: DownloadError.
    """
    for name, file in files.items():
        path = folder / name
        size = path.stat().st_size
        digest = file.lfs.sha256 if file.lfs else None
        if size == (file.size or size) and digest in (None, hash_file(path)):
            continue
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DownloadError(
            f"{wanted}: {name} came other than the hub describes it (size or SHA-256). It was "
            f"removed; pull again."
        )


def _check_disk_space(files: Mapping[str, Any], wanted: HubId) -> None:
    package = hub_package()
    missing = 0
    for name, file in files.items():
        cached = package.try_to_load_from_cache(wanted.repository, name, revision=wanted.revision)
        missing += 0 if isinstance(cached, str) else file.size or 0
    check_disk_space(nearest_existing(hub_cache()), missing, str(wanted))


def _count_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _explain_errors(wanted: HubId) -> Iterator[None]:
    """Raise huggingface_hub's errors as ours."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{wanted} is gated: accept its terms on its page of the hub, then say who you are "
            f"with `hf auth login` or HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise SourceNotFoundError(
            f"{wanted}: the hub has no such model, or it is private: then say who you are with "
            f"`hf auth login` or HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceNotFoundError(
            f"{wanted}: the model has no such revision (branch, tag or commit)."
        ) from error
    except errors.HFValidationError as error:
        reason = first_line(error).rstrip(".")
        raise SourceNotFoundError(f"{wanted} is no hub id: {reason}.") from error
    # OSError includes the errors of requests, which huggingface_hub below 1.0 is built on, and
    # LocalEntryNotFoundError.
    except OSError as error:
        if getattr(error, "filename", None):
            raise DownloadError(
                f"{error.filename} cannot be written: {error.strerror}. HF_HOME names another."
            ) from error
        reason = first_line(error).rstrip(".")
        raise DownloadError(
            f"{wanted} cannot be fetched from the hub: {reason}. Try again later (the bytes so far "
            f"are kept), or name a mirror of the hub with HF_ENDPOINT."
        ) from error
