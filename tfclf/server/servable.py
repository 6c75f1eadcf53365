"""A Servable: one loaded version of one model."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfclf import text_ops
from tfclf.errors import SavedModelError
from tfclf.server.call import Call
from tfclf.server.session import Fetched, Session

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Servable:
    """A version of a model that answers requests.

    Attributes:
      check_method_names: whether a signature answers only the RPC that it is made for. Off, as in TF Serving:
        `tf.saved_model.save` writes every signature for Predict.
    """

    name: str
    version: int
    session: Session
    check_method_names: bool = False

    @classmethod
    def load(cls, name: str, version: int, folder: Path, *, check_method_names: bool = False) -> "Servable":
        """Loads the SavedModel in `folder`.

        Raises: SavedModelError.
        """
        started = time.perf_counter()
        text_ops.register()  # the SavedModel may use them
        try:
            session = Session(folder)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise SavedModelError(
                f"{folder} cannot be loaded: {reason} Expected a SavedModel: saved_model.pb with a graph "
                f"tagged 'serve', and the variables/ and assets/ saved with it. Copy or export it again."
            ) from error
        _log.info("loaded model=%r version=%d seconds=%.2f", name, version, time.perf_counter() - started)
        return cls(name, version, session, check_method_names)

    @property
    def signatures(self) -> Mapping[str, SignatureDef]:
        """SignatureDef by name, as saved_model.pb has them."""
        return self.session.signatures

    def run(
        self, feeds: Mapping[str, NDArray[Any]], fetches: Sequence[str], *, call: Call | None = None
    ) -> list[Fetched]:
        """`Session.run`, within the time that `call` has left. Raises: RequestError."""
        return self.session.run(feeds, fetches, timeout=None if call is None else call.time_left())

    def close(self) -> None:
        """Cancels what runs and refuses what comes."""
        self.session.close()
