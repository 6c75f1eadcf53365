"""From a version's folder to a Servable that answers: what a Manager calls for each version."""

import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tfclf.saved_model.manifest import Manifest
from tfclf.server.config_files import read_batching
from tfclf.server.lifecycle.warm_up import warm_up
from tfclf.server.limits import Limits
from tfclf.server.metrics import Metrics
from tfclf.server.runtime.batching import Batching, RanBatch
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.session import SessionOptions

_PER_MODEL_BATCHING = "batching_params.pbtxt"


@dataclass(frozen=True)
class Loader:
    """Loads versions, batches their requests and warms them up, as a server's options say.

    Attributes:
      check_method_names, tensor_content: as for `Servable`.
      batching: of every model; None: exports of tfclf alone are batched, which are known to bear it.
      batch: False: no model is batched.
      per_model: each version's own batching_params.pbtxt; one without it is not batched. Of `batching` the threads
        hold, as in TF Serving.
      warm_up_runs: how often each warm-up request is replayed; 0: never.
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
        """Raises: SavedModelError, or ServerError for a bad batching file; nothing stays loaded then."""
        metrics = self.metrics
        started = time.perf_counter()
        try:
            servable = Servable.load(
                name,
                version,
                folder,
                session=self.session,
                limits=self.limits,
                check_method_names=self.check_method_names,
                tensor_content=self.tensor_content,
                batching=self._batching(folder),
                on_run=None if metrics is None else partial(_observe_run, metrics, name),
                on_batch=None if metrics is None else partial(_observe_batch, metrics, name),
            )
            loaded = time.perf_counter()
            try:
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
            if replayed:
                metrics.observe_warm_up(name, version, time.perf_counter() - loaded)
        return servable

    def _batching(self, folder: Path) -> Batching | None:
        if not self.batch:
            return None
        if self.per_model:
            own = folder / _PER_MODEL_BATCHING
            if not own.is_file():
                return None
            batching = read_batching(own)
            return (
                replace(batching, num_batch_threads=self.batching.num_batch_threads)
                if self.batching
                else batching
            )
        if self.batching is not None:
            return self.batching
        return Batching() if Manifest.path(folder).is_file() else None


def _observe_run(metrics: Metrics, name: str, method: str, seconds: float) -> None:
    metrics.observe_run(name, seconds, api=method)


def _observe_batch(metrics: Metrics, name: str, batch: RanBatch) -> None:
    for rows, seconds in batch.requests:
        metrics.observe_queueing(name, rows, seconds)
    metrics.observe_batch(name, batch.rows, batch.rows + batch.padding)
