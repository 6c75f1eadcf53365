"""Exports of checkpoints in the cache: made once, so that executors need no transformers."""

import hashlib
from pathlib import Path

from tfclf.catalog.local import cache_folder
from tfclf.errors import ExportError
from tfclf.files import hash_files
from tfclf.saved_model.versions import saved_model_folder


def export_once(checkpoint: Path, name: str) -> Path:
    """Return the export of a checkpoint in the cache; make it if it is not there.

    Its folder, `exports/DIGEST/NAME/1`, is named for the content of the checkpoint's files, so a
    changed checkpoint gets an export of its own.

    Raises: ExportError, SourceError, TokenizerError; MissingExtraError without transformers.
    """
    base = cache_folder() / "exports" / _digest(checkpoint) / name
    version = saved_model_folder(base)
    if version is not None:
        return version
    from tfclf.exporter import export

    try:
        return export(checkpoint, base, version=1)
    except ExportError:
        # Another process may have made it meanwhile.
        made = saved_model_folder(base)
        if made is None:
            raise
        return made


def _digest(checkpoint: Path) -> str:
    lines = [f"{path} {digest}" for path, digest in sorted(hash_files(checkpoint).items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
