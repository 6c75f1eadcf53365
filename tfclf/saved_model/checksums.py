"""SHA-256 of a folder's files, or of one file."""

import hashlib
from pathlib import Path


def checksums(folder: Path) -> dict[str, str]:
    """By path within the folder, sorted; of a file by its name."""
    if folder.is_file():
        return {folder.name: sha256_of(folder)}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def sha256_of(path: Path) -> str:
    """Of one file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
