"""A Python worker: the models that it keeps, and what a task gives to TensorFlow."""

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tfclf.saved_model.manifest import Manifest
from tfclf.spark import worker


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the versions that are loaded, in place of loading them."""
    loaded: list[Path] = []

    def load(version: Path) -> Any:
        loaded.append(version)
        return object()

    monkeypatch.setattr("tfclf.loader.load_export", load)
    monkeypatch.setattr(worker, "_models", {})
    return loaded


def _make_version(folder: Path) -> Path:
    Manifest.path(folder).parent.mkdir(parents=True)
    Manifest.path(folder).write_text("{}", encoding="utf-8")
    return folder


def test_a_model_is_loaded_once(loads: list[Path], tmp_path: Path) -> None:
    version = _make_version(tmp_path / "1")
    assert worker.keep_model(version) is worker.keep_model(version)
    assert loads == [version]


def test_a_model_that_was_replaced_in_place_is_loaded_again(
    loads: list[Path], tmp_path: Path
) -> None:
    version = _make_version(tmp_path / "1")
    worker.keep_model(version)
    os.utime(Manifest.path(version), ns=(1, 1))
    worker.keep_model(version)
    assert loads == [version, version]


def test_a_worker_keeps_a_few_models_only(loads: list[Path], tmp_path: Path) -> None:
    for number in range(10):
        worker.keep_model(_make_version(tmp_path / str(number)))
    assert len(worker._models) == worker._MOST_MODELS
    worker.keep_model(tmp_path / "9")
    assert len(loads) == 10


def test_tensorflow_sees_the_gpus_of_the_task_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    worker._prepare_tensorflow(_context(["2", "3"]))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"


def test_a_worker_whose_tensorflow_runs_keeps_its_threads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import tensorflow as tf

    tf.constant(1)
    before = tf.config.threading.get_intra_op_parallelism_threads()
    with caplog.at_level(logging.WARNING, logger=worker.__name__):
        worker._prepare_tensorflow(_context(None, cores=before + 1))
    assert "keeps the threads that it has" in caplog.text


def test_a_worker_keeps_weights_if_its_first_model_allows_it(
    loads: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyspark = pytest.importorskip("pyspark")
    steps: list[object] = []
    version = _make_version(tmp_path / "1")
    (version / "saved_model.pb").touch()
    monkeypatch.setattr(pyspark.TaskContext, "get", lambda: _context(None))
    monkeypatch.setattr(worker, "_is_prepared", False)
    monkeypatch.setattr(worker, "assume_if_safe", steps.append)
    monkeypatch.setattr(worker, "_prepare_tensorflow", lambda _: steps.append("TensorFlow"))
    worker.load_model(str(version))
    assert steps == [[version], "TensorFlow"]


def _context(addresses: list[str] | None, *, cores: int = 1) -> Any:
    gpus = {} if addresses is None else {"gpu": SimpleNamespace(addresses=addresses)}
    return SimpleNamespace(cpus=lambda: cores, resources=lambda: gpus)
