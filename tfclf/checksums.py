"""SHA-256 of a folder's files, or of one file."""

import hashlib
from pathlib import Path


def checksums(folder: Path) -> dict[str, str]:
    """By path within the folder, sorted; of a file by its name."""
    if folder.is_file():
        return {folder.name: _sha256(folder)}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
