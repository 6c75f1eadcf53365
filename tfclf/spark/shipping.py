"""Send an export to the executors as an archive."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from tfclf.files import hash_file
from tfclf.saved_model.manifest import Manifest
from tfclf.spark.places import SHIPPED, find_version

_DATE = (1980, 1, 1, 0, 0, 0)  # the same bytes each time: Spark refuses another file of one name


def ship_model(spark: Any, model: str | Path) -> str:
    """Send an export to every executor, and return its place for `classify`.

    Use it if the executors do not see the model's folder. Spark copies the archive to each executor
    once, and unpacks it there; executors that start later get it, too.

    Args:
      spark: the session, classic or of Spark Connect.
      model: a folder on the driver, or a card's name.
    Returns: `files:NAME`.
    Raises: SourceNotFoundError, SavedModelError.
    """
    version = find_version(model)
    manifest = Manifest.read(version)
    # The manifest holds the checksums of all files, so its own names the export.
    name = f"{manifest.name}-{hash_file(Manifest.path(version))[:12]}"
    archive = _temporary_folder() / f"{name}.zip"
    if not archive.exists():
        pack_export(version, archive)
    address = f"{archive}#{name}"
    if _is_connect(spark):
        spark.addArtifacts(address, archive=True)
    else:
        spark.sparkContext.addArchive(address)
    return f"{SHIPPED}{name}"


def pack_export(version: Path, archive: Path) -> None:
    """Write the files of a version into a zip, uncompressed: weights hardly shrink."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(version.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(version).as_posix(), _DATE)
                entry.external_attr = 0o644 << 16
                entry.file_size = path.stat().st_size
                with path.open("rb") as source, packed.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, 1 << 20)


def _is_connect(spark: Any) -> bool:
    return type(spark).__module__.startswith("pyspark.sql.connect")


@functools.cache
def _temporary_folder() -> Path:
    """Return a folder that lasts as long as the driver: Spark serves the archive from there."""
    folder = Path(tempfile.mkdtemp(prefix="tfclf-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
