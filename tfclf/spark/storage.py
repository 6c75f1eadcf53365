"""Keep an export inside a saved pipeline, on any file system that Spark writes to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tfclf.errors import ExportError, InputError
from tfclf.files import new_folder
from tfclf.spark.places import SHIPPED

INSIDE = "inside"
REFERENCE = "reference"
STORAGES = (INSIDE, REFERENCE)


def store_model(spark: Any, version: Path, folder: str) -> None:
    """Copy an export to `folder`, a path or an address, which must be new.

    Raises: InputError on Spark Connect; ExportError if it cannot be written.
    """
    target, files = _open(spark, folder)
    try:
        if _is_local(target, files):
            with new_folder(_local_path(target, files)) as beside:
                shutil.copytree(version, beside, dirs_exist_ok=True)
            return
        source = _jvm(spark).org.apache.hadoop.fs.Path(version.absolute().as_uri())
        files.copyFromLocalFile(False, True, source, target)
    except OSError as error:
        raise ExportError(
            f"The model could not be copied to {folder}: {error.strerror or error}. Nothing was "
            f"left there. Save to a new folder with enough space, or save the pipeline with "
            f"storage='{REFERENCE}', which keeps the model where it is."
        ) from error


def remove_model(spark: Any, folder: str) -> None:
    """Remove what `store_model` wrote."""
    target, files = _open(spark, folder)
    files.delete(target, True)


def place_stored(spark: Any, folder: str) -> str:
    """Return the place of a stored model for the executors.

    A folder on another file system is sent to the executors; TensorFlow reads local files only.
    """
    target, files = _open(spark, folder)
    if _is_local(target, files):
        return str(_local_path(target, files))
    spark.sparkContext.addFile(files.makeQualified(target).toString(), recursive=True)
    return f"{SHIPPED}{target.getName()}"


def _open(spark: Any, folder: str) -> tuple[Any, Any]:
    """Return Hadoop's path and its file system."""
    target = _jvm(spark).org.apache.hadoop.fs.Path(folder)
    return target, target.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())


def _jvm(spark: Any) -> Any:
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        raise InputError(
            f"The pipeline keeps its model inside the saved folder (storage='{INSIDE}'), and Spark "
            f"Connect gives no access to the cluster's file system for that. Expected "
            f"storage='{REFERENCE}': set it, and put the model where the executors see it."
        )
    return spark.sparkContext._jvm


def _is_local(target: Any, files: Any) -> bool:
    return bool(files.makeQualified(target).toUri().getScheme() == "file")


def _local_path(target: Any, files: Any) -> Path:
    return Path(files.makeQualified(target).toUri().getPath())
