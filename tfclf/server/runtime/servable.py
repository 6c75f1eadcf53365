"""A Servable: one loaded version of one model."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfclf._tensorflow import load_text_ops
from tfclf.errors import SavedModelError, first_line
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.model_list import digest_facts
from tfclf.saved_model.pieces import has_pieces, read_pieces
from tfclf.server.context import RequestContext
from tfclf.server.limits import Limits
from tfclf.server.runtime.batching import Batcher, Batching, RanBatch
from tfclf.server.runtime.session import Output, Session, SessionOptions

_log = logging.getLogger(__name__)


class Servable:
    """A version of a model that answers requests.

    Args:
      check_method_names: whether a signature answers only the RPC that it is made for. Off, as in
        TF Serving: `tf.saved_model.save` writes every signature for Predict.
      tensor_content: whether Predict sends tensors as bytes in that field; by default it fills the
        `*_val` fields, as TF Serving does.
      batching: how requests share runs; None: each request has its own run.
      folder: of the SavedModel; None if it was not loaded from one.
      manifest: what the export says of itself; None if tfclf did not make the model, or if it
        cannot be read.
      on_batch: called after each batch that has run.
      on_run: called with the RPC and the seconds that the model took for it, the wait for its batch
        included.
    """

    def __init__(
        self,
        name: str,
        version: int,
        session: Session,
        *,
        check_method_names: bool = False,
        tensor_content: bool = False,
        batching: Batching | None = None,
        limits: Limits | None = None,
        folder: Path | None = None,
        manifest: Manifest | None = None,
        on_batch: Callable[[RanBatch], None] | None = None,
        on_run: Callable[[str, float], None] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.check_method_names = check_method_names
        self.tensor_content = tensor_content
        self.manifest = manifest
        self._folder = folder
        self._session = session
        self._limits = limits or Limits()
        self._batcher = None if batching is None else Batcher(session, batching, observe=on_batch)
        self._on_run = on_run

    @classmethod
    def load(
        cls,
        name: str,
        version: int,
        folder: Path,
        *,
        session: SessionOptions | None = None,
        **options: Any,
    ) -> "Servable":
        """Load the SavedModel in `folder`.

        Args:
          session: how the SavedModel is loaded and run.
          options: keyword arguments of `Servable`.
        Raises: SavedModelError.
        """
        started = time.perf_counter()
        load_text_ops()  # the SavedModel may use them
        try:
            loaded = Session(folder, session)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            reason = first_line(error)
            tags = ",".join((session or SessionOptions()).tags)
            raise SavedModelError(
                f"{folder} cannot be loaded: {reason} Expected a SavedModel: saved_model.pb with a "
                f"graph tagged {tags!r}, and the variables/ and assets/ saved with it. Copy or "
                "export it again."
            ) from error
        _log.info(
            "loaded model=%r version=%d seconds=%.2f", name, version, time.perf_counter() - started
        )
        return cls(name, version, loaded, folder=folder, **options)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the probabilities, in their order; none if they are not known."""
        return () if self.manifest is None else self.manifest.probability_labels

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The calibrated thresholds, in the order of the labels; none without calibration."""
        by_label = {} if self.manifest is None else self.manifest.thresholds or {}
        if not all(label in by_label for label in self.labels):
            return ()
        return tuple(by_label[label] for label in self.labels)

    @cached_property
    def facts(self) -> str:
        """A digest of the facts by which a client reads answers; "" if they are not known."""
        manifest = self.manifest
        if manifest is None:
            return ""
        labels, thresholds = list(self.labels), list(self.thresholds)
        return digest_facts(manifest.problem_type, labels, thresholds, manifest.max_length)

    @property
    def has_pieces(self) -> bool:
        """Whether `pieces` names the token ids."""
        return self._folder is not None and has_pieces(self._folder)

    @cached_property
    def pieces(self) -> tuple[str | None, ...]:
        """The pieces of the token ids, in their order; none if the export does not have them."""
        return () if self._folder is None else read_pieces(self._folder)

    @property
    def signatures(self) -> Mapping[str, SignatureDef]:
        """SignatureDefs by name, as in saved_model.pb."""
        return self._session.signatures

    @property
    def waiting(self) -> int:
        """Requests that wait for a batch."""
        return 0 if self._batcher is None else self._batcher.waiting

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        fetches: Sequence[str],
        *,
        call: RequestContext | None = None,
    ) -> list[Output]:
        """Run the graph like `Session.run`, batched if batching is on, within `call`'s deadline.

        Raises: RequestError.
        """
        self._limits.check(feeds, called=self._find_alias)
        call = call or RequestContext()
        started = time.perf_counter()
        try:
            if self._batcher is not None:
                return self._batcher.run(feeds, fetches, call=call)
            return self._session.run(feeds, fetches, timeout=call.time_left())
        finally:
            if self._on_run is not None and call.method:  # a warm-up has no method
                self._on_run(call.method, time.perf_counter() - started)

    def _find_alias(self, tensor: str) -> str:
        """Return an input's name in its signature; the tensor's own name if there is none."""
        inputs = (
            each for signature in self.signatures.values() for each in signature.inputs.items()
        )
        return next((str(name) for name, info in inputs if info.name == tensor), tensor)

    def close(self) -> None:
        """Cancel in-flight requests and refuse new ones."""
        if self._batcher is not None:
            self._batcher.close()
        self._session.close()
