"""What a server answers, whatever the protocol: each RPC as a method, message in, message out.

A transport (gRPC, REST) turns its requests into these messages, and a RequestError into its own form. Whatever
holds for every request stands here: the version in use stays loaded, bugs of ours tell a client nothing, and
each request is observed once, when it has ended.
"""

import logging
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grpc import StatusCode
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from tfclf.server.call import Call
from tfclf.server.metadata import get_model_metadata
from tfclf.server.predict import predict
from tfclf.server.registry import Registry
from tfclf.server.status import RequestError, invalid_argument

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ended:
    """A request that has got its answer or its error; never its texts, nor error messages, which may quote them.

    Attributes:
      method: the RPC, such as Predict.
      protocol: grpc or rest.
      model, signature: as the request names them; they come from outside, any characters may be in them.
      code: how it ended.
      seconds: from the transport's call to the end.
    """

    method: str
    protocol: str
    model: str
    signature: str
    code: StatusCode
    seconds: float


Observer = Callable[[Ended], None]


class Service:
    """The RPCs of a server.

    Args:
      registry: the models.
      observers: told of each request that has ended (log, metrics); they must not raise.
    """

    def __init__(self, registry: Registry, *, observers: Sequence[Observer] = ()) -> None:
        self.registry = registry
        self._observers = (_log_ended, *observers)

    def predict(self, request: PredictRequest, call: Call, *, protocol: str = "grpc") -> PredictResponse:
        """Named tensors in, named tensors out. Raises: RequestError, as every method here."""

        def answer() -> PredictResponse:
            with self.registry.lease(request.model_spec) as servable:
                return predict(servable, request, call=call)

        return self._answer("Predict", request, protocol, call, answer)

    def get_model_metadata(
        self, request: GetModelMetadataRequest, call: Call, *, protocol: str = "grpc"
    ) -> GetModelMetadataResponse:
        """The signatures of a model."""
        return self._answer(
            "GetModelMetadata", request, protocol, call, lambda: get_model_metadata(self.registry, request)
        )

    def observe(self, ended: Ended) -> None:
        """Tells the observers of a request; a transport does so itself only where it could not read one."""
        for observer in self._observers:
            observer(ended)

    def _answer(
        self,
        method: str,
        request: Any,
        protocol: str,
        call: Call,
        answer: Callable[[], Any],
        *,
        spec: Callable[[Any], ModelSpec] | None = None,
    ) -> Any:
        """What `answer` gives; a RequestError for whatever else happens.

        Args:
          spec: the request's ModelSpec; None where it must have one of its own.
        """
        started = time.perf_counter()
        code = StatusCode.OK
        try:
            call.time_left()  # it may have waited for a thread until nobody listened any more
            if spec is None and not request.HasField("model_spec"):
                raise invalid_argument("Missing ModelSpec")
            return answer()
        except RequestError as error:
            code = error.code
            raise
        except MemoryError:
            code = StatusCode.RESOURCE_EXHAUSTED
            raise RequestError(code, "Not enough memory to answer the request") from None
        except Exception as error:
            # A bug of ours. Its message may quote the texts that were sent, so the log gets the place only.
            code = StatusCode.INTERNAL
            place = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s failed: %s at\n%s", method, type(error).__name__, place)
            raise RequestError(code, f"{method} failed in the server; its log says where") from None
        finally:
            model = request.model_spec if spec is None else spec(request)
            seconds = time.perf_counter() - started
            self.observe(Ended(method, protocol, model.name, model.signature_name, code, seconds))


def _log_ended(ended: Ended) -> None:
    """One line a request. Names are quoted: they come from outside."""
    _log.debug(
        "method=%s model=%r signature=%r code=%s milliseconds=%.1f",
        ended.method,
        ended.model,
        ended.signature,
        ended.code.name,
        ended.seconds * 1000,
    )
