"""A Python worker of an executor: check it, prepare TensorFlow for one task, keep models."""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tfclf._tensorflow import find_devices, quiet_import
from tfclf._version import __version__, package_versions
from tfclf.errors import TfclfError
from tfclf.saved_model.frozen_weights import assume_if_safe
from tfclf.saved_model.manifest import Manifest
from tfclf.spark.places import find_on_executor

if TYPE_CHECKING:
    from tfclf.classifier import Classifier

_log = logging.getLogger(__name__)

_MOST_MODELS = 4
# Spark reuses a worker for many tasks, so a model is loaded once per worker, not once per task.
_models: dict[tuple[Path, int], Classifier] = {}
_is_prepared = False


class Task(Protocol):
    """Work on a column: pickled on the driver, run in a worker."""

    def run(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Turn Arrow arrays into Arrow arrays of the same lengths."""
        ...


def run_task(payload: bytes, driver: Mapping[str, str], batches: Iterator[Any]) -> Iterator[Any]:
    """Run a pickled task. Raises: TfclfError if tfclf is not the driver's version."""
    check_versions(driver)
    task: Task = pickle.loads(payload)  # noqa: S301 - the driver's own, as the function itself
    return task.run(batches)


def driver_versions() -> dict[str, str]:
    """Return the versions that executors compare with their own."""
    return {"tfclf": __version__, **package_versions("tensorflow")}


def check_versions(driver: Mapping[str, str]) -> None:
    """Compare the versions here with the driver's: tfclf's whole number, TensorFlow's minor one.

    Raises: TfclfError, which names the machine.
    """
    here = driver_versions()
    for package, wanted in driver.items():
        found = here.get(package)
        if found is None or _series(package, found) == _series(package, wanted):
            continue
        raise TfclfError(
            f"The executor {platform.node()} has {package} {found}, and the driver has {wanted}. "
            f"Expected the same on both: predictions could differ. Install {package}=={wanted} on "
            f"the executors, or {package}=={found} on the driver."
        )


def load_model(place: str) -> Classifier:
    """Load the model at a place, or return it if this process has it.

    In a task TensorFlow is prepared first. On the driver it stays as the program has set it.

    Raises: TfclfError without TensorFlow; SourceNotFoundError, SavedModelError.
    """
    from pyspark import TaskContext

    global _is_prepared
    version = find_on_executor(place)  # first: it costs nothing, and TensorFlow takes seconds
    context = TaskContext.get()
    if context is not None and not _is_prepared:
        assume_if_safe([version])  # unless another function of this worker has TensorFlow
        _prepare_tensorflow(context)
        _is_prepared = True
    return keep_model(version)


def keep_model(version: Path) -> Classifier:
    """Load an export, or return it if this process has it; a replaced one is loaded again."""
    from tfclf.loader import load_export

    manifest = Manifest.path(version)
    key = (version, manifest.stat().st_mtime_ns if manifest.exists() else 0)
    if key not in _models:
        while len(_models) >= _MOST_MODELS:
            _models.pop(next(iter(_models)))
        _models[key] = load_export(version)
    return _models[key]


def _prepare_tensorflow(context: Any) -> None:
    """Give TensorFlow the cores and GPUs of one task, before its first op.

    Raises: TfclfError if TensorFlow is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise TfclfError(
            f"TensorFlow is not installed on the executor {platform.node()} (Python "
            f"{platform.python_version()}). Expected what tfclf needs, in the Python that runs "
            f"Spark's workers. Install tfclf there with its dependencies, use an image that has "
            f"them, or send a packed environment (docs/spark.md)."
        )
    cores = context.cpus()
    gpu = context.resources().get("gpu")
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.addresses)
    with quiet_import():
        import tensorflow as tf
    try:
        # TensorFlow takes all cores unless told; the tasks of an executor would fight for them.
        tf.config.threading.set_intra_op_parallelism_threads(cores)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
        find_devices()
        # Workers share a GPU; without this the first one takes all of its memory.
        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError as error:  # another function of this worker has used TensorFlow already
        _log.warning("TensorFlow keeps the threads that it has on %s: %s", platform.node(), error)


def _series(package: str, version: str) -> str:
    return version if package == "tfclf" else ".".join(version.split(".")[:2])
