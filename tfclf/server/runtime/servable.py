"""A Servable: one loaded version of one model."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfclf._tensorflow import load_text_ops
from tfclf.errors import SavedModelError, first_line
from tfclf.server.context import RequestContext
from tfclf.server.limits import Limits
from tfclf.server.runtime.batching import Batcher, Batching, RanBatch
from tfclf.server.runtime.session import Fetched, Session, SessionOptions

_log = logging.getLogger(__name__)


class Servable:
    """A version of a model that answers requests.

    Args:
      check_method_names: whether a signature answers only the RPC that it is made for. Off, as in TF Serving:
        `tf.saved_model.save` writes every signature for Predict.
      tensor_content: whether Predict sends tensors as bytes in that field, where TF Serving fills the `*_val` fields
        by default.
      batching: how requests share runs; None: each has its own.
      on_batch: told of each batch that has run.
      on_run: told the RPC and the seconds that the model took for it, waiting for its batch included.
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
        on_batch: Callable[[RanBatch], None] | None = None,
        on_run: Callable[[str, float], None] | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.check_method_names = check_method_names
        self.tensor_content = tensor_content
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
        """Loads the SavedModel in `folder`.

        Args:
          session: how it is loaded and run.
          options: as for `Servable`.
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
                f"{folder} cannot be loaded: {reason} Expected a SavedModel: saved_model.pb with a graph "
                f"tagged {tags!r}, and the variables/ and assets/ saved with it. Copy or export it again."
            ) from error
        _log.info(
            "loaded model=%r version=%d seconds=%.2f", name, version, time.perf_counter() - started
        )
        return cls(name, version, loaded, **options)

    @property
    def signatures(self) -> Mapping[str, SignatureDef]:
        """SignatureDef by name, as saved_model.pb has them."""
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
    ) -> list[Fetched]:
        """`Session.run`, in a batch with others where there is batching, within the time that `call` has left.

        Raises: RequestError.
        """
        self._limits.check(feeds, called=self._input_name)
        call = call or RequestContext()
        started = time.perf_counter()
        try:
            if self._batcher is not None:
                return self._batcher.run(feeds, fetches, call=call)
            return self._session.run(feeds, fetches, timeout=call.time_left())
        finally:
            if self._on_run is not None and call.method:  # none of a warm-up
                self._on_run(call.method, time.perf_counter() - started)

    def _input_name(self, tensor: str) -> str:
        inputs = (
            each for signature in self.signatures.values() for each in signature.inputs.items()
        )
        return next((str(name) for name, info in inputs if info.name == tensor), tensor)

    def close(self) -> None:
        """Cancels what runs and refuses what comes."""
        if self._batcher is not None:
            self._batcher.close()
        self._session.close()
