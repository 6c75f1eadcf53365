"""PredictionService over gRPC, on tensorflow-serving-api's stubs."""

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from grpc import ServicerContext, StatusCode
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer

from tfclf.server.metadata import get_model_metadata
from tfclf.server.predict import predict
from tfclf.server.registry import Registry
from tfclf.server.status import RequestError, cut, invalid_argument

_log = logging.getLogger(__name__)


class PredictionService(PredictionServiceServicer):
    """The RPCs that are not here answer UNIMPLEMENTED, as the generated base class has them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def Predict(self, request: PredictRequest, context: ServicerContext) -> PredictResponse:  # noqa: N802
        """Named tensors in, named tensors out."""

        def answer() -> PredictResponse:
            servable = self._registry.find(request.model_spec)
            return predict(servable, request, timeout=_time_left(context))

        return _answer("Predict", answer, request, context)

    def GetModelMetadata(  # noqa: N802
        self, request: GetModelMetadataRequest, context: ServicerContext
    ) -> GetModelMetadataResponse:
        """The signatures of a model."""
        return _answer("GetModelMetadata", lambda: get_model_metadata(self._registry, request), request, context)


def _time_left(context: ServicerContext) -> float | None:
    """Seconds to the client's deadline; None without one. Raises: RequestError where it has passed."""
    left: float | None = context.time_remaining()
    if left is not None and left <= 0:
        # It waited for a thread for too long; nobody listens any more, so nothing is computed.
        raise RequestError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    return left


def _answer(method: str, answer: Callable[[], Any], request: Any, context: ServicerContext) -> Any:
    """What `answer` gives, or the call's end with a status. One line of log either way."""
    started = time.perf_counter()
    try:
        if not request.HasField("model_spec"):
            raise invalid_argument("Missing ModelSpec")
        response = answer()
    except RequestError as error:
        _log_request(method, request, error.code, started)
        _abort(context, error.code, error.message)
    except MemoryError:
        _log_request(method, request, StatusCode.RESOURCE_EXHAUSTED, started)
        _abort(context, StatusCode.RESOURCE_EXHAUSTED, "Not enough memory to answer the request")
    except Exception as error:
        # A bug of ours. Its message may quote the texts that were sent, so the log gets the place only.
        place = "".join(traceback.format_tb(error.__traceback__))
        _log.error("%s failed: %s at\n%s", method, type(error).__name__, place)
        _log_request(method, request, StatusCode.INTERNAL, started)
        _abort(context, StatusCode.INTERNAL, f"{method} failed in the server; its log says where")
    _log_request(method, request, StatusCode.OK, started)
    return response


def _abort(context: ServicerContext, code: StatusCode, message: str) -> NoReturn:
    context.abort(code, cut(message))
    raise AssertionError("abort raises")


def _log_request(method: str, request: Any, code: StatusCode, started: float) -> None:
    """Never the texts, nor error messages, which may quote them. Names are quoted: they come from outside."""
    spec = request.model_spec
    _log.debug(
        "method=%s model=%r signature=%r code=%s milliseconds=%.1f",
        method,
        spec.name,
        spec.signature_name,
        code.name,
        (time.perf_counter() - started) * 1000,
    )
