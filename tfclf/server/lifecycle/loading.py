"""The loading of a version: from its folder to a Servable that answers."""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import tensorflow as tf

from tfclf.errors import SavedModelError
from tfclf.saved_model.frozen_weights import check_frozen_weights
from tfclf.saved_model.integrity import check_files
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.requirements import check_requirements
from tfclf.server.config_files import read_batching
from tfclf.server.lifecycle.warm_up import warm_up, warm_up_signatures
from tfclf.server.limits import Limits
from tfclf.server.metrics import Metrics
from tfclf.server.runtime.batching import Batching, RanBatch
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.session import SessionOptions

_PER_MODEL_BATCHING = "batching_params.pbtxt"


@dataclass(frozen=True)
class Loader:
    """A loader of versions; it also sets up their batching and warms them up.

    Attributes:
      session, limits, check_method_names, tensor_content: as for `Servable`.
      batching: options for every model; None: only exports of tfclf are batched, since they are
        known to allow it.
      batch: False: no model is batched.
      per_model: read each version's own batching_params.pbtxt, and do not batch a version without
        one. Then only the threads of `batching` count, as in TF Serving.
      warm_up_runs: how often each warm-up record is replayed; 0: never, and no export of tfclf is
        warmed up otherwise.
      metrics: the metrics of loads, warm-ups, runs and batches; None: none.
    """

    session: SessionOptions = field(default_factory=SessionOptions)
    limits: Limits = field(default_factory=Limits)
    check_method_names: bool = False
    tensor_content: bool = False
    batch: bool = True
    batching: Batching | None = None
    per_model: bool = False
    warm_up_runs: int = 1
    metrics: Metrics | None = None

    def __call__(self, name: str, version: int, folder: Path) -> Servable:
        """Load a version and warm it up.

        Raises: SavedModelError, or ServerError for a bad batching file; then nothing stays loaded.
        """
        metrics = self.metrics
        started = time.perf_counter()
        try:
            ours = Manifest.path(folder).is_file()
            check_frozen_weights(folder)
            manifest = _read_manifest(folder) if ours else None
            if manifest is not None:
                check_requirements(manifest, source=folder, tensorflow=tf.__version__)
                check_files(manifest, source=folder)
            servable = Servable.load(
                name,
                version,
                folder,
                session=replace(self.session, whole_signatures=ours),
                limits=self.limits,
                check_method_names=self.check_method_names,
                tensor_content=self.tensor_content,
                batching=self._batching(folder),
                manifest=manifest,
                on_run=None if metrics is None else partial(_observe_run, metrics, name),
                on_batch=None if metrics is None else partial(_observe_batch, metrics, name),
            )
            loaded = time.perf_counter()
            try:
                called = warm_up_signatures(servable) if ours and self.warm_up_runs else 0
                replayed = warm_up(servable, folder, runs=self.warm_up_runs)
            except BaseException:
                servable.close()
                raise
        except BaseException:
            if metrics is not None:
                metrics.observe_load(name, version, time.perf_counter() - started, ok=False)
            raise
        if metrics is not None:
            metrics.observe_load(name, version, loaded - started)
            if called or replayed:
                metrics.observe_warm_up(name, version, time.perf_counter() - loaded)
        return servable

    def _batching(self, folder: Path) -> Batching | None:
        if not self.batch:
            return None
        if self.per_model:
            return self._own_batching(folder / _PER_MODEL_BATCHING)
        if self.batching is not None:
            return self.batching
        return Batching() if Manifest.path(folder).is_file() else None

    def _own_batching(self, file: Path) -> Batching | None:
        if not file.is_file():
            return None
        own = read_batching(file)
        if self.batching is None:
            return own
        return replace(own, num_batch_threads=self.batching.num_batch_threads)


def _read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest; None if it is broken."""
    try:
        return Manifest.read(folder)
    except SavedModelError:
        return None  # its graph may answer all the same


def _observe_run(metrics: Metrics, name: str, method: str, seconds: float) -> None:
    metrics.observe_run(name, seconds, api=method)


def _observe_batch(metrics: Metrics, name: str, batch: RanBatch) -> None:
    for rows, seconds in batch.requests:
        metrics.observe_queueing(name, rows, seconds)
    metrics.observe_batch(name, batch.rows, batch.rows + batch.padding)
