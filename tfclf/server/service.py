"""What a server answers, whatever the protocol: each RPC as a method, message in, message out.

A transport (gRPC, REST) turns its requests into these messages, and a RequestError into its own form. Whatever
holds for every request stands here: the version in use stays loaded, bugs of ours tell a client nothing, and
each request is observed once, when it has ended.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from grpc import StatusCode
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
)
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from tfclf.server.context import RequestContext
from tfclf.server.lifecycle.manager import Manager
from tfclf.server.lifecycle.model_status import get_model_status
from tfclf.server.lifecycle.reload_config import handle_reload_config
from tfclf.server.logs import shorten
from tfclf.server.request_record import Observer, RequestRecord
from tfclf.server.rpc.inference import classify, first_spec, multi_inference, regress
from tfclf.server.rpc.metadata import get_model_metadata
from tfclf.server.rpc.predict import predict
from tfclf.server.runtime.registry import Registry
from tfclf.server.status import RequestError, invalid_argument

_log = logging.getLogger(__name__)


class Service:
    """The RPCs of a server.

    Args:
      registry: the models.
      manager: takes reloads of the configuration; None where the models are fixed.
      observers: told of each request that has ended (log, metrics); they must not raise.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        manager: Manager | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.registry = registry
        self.manager = manager
        self._observers = (_log_ended, *observers)
        self._in_flight = 0
        self._counting = threading.Lock()

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._in_flight

    def close(self) -> None:
        """Closes the models; what still runs is cancelled."""
        if self.manager is not None:
            self.manager.close()
        for servable in self.registry:  # the fixed ones
            servable.close()

    def predict(
        self, request: PredictRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> PredictResponse:
        """Named tensors in, named tensors out. Raises: RequestError, as every method here."""

        def answer() -> PredictResponse:
            with self.registry.lease(request.model_spec) as servable:
                return predict(servable, request, call=call)

        return self._answer("Predict", request, protocol, call, answer)

    def classify(
        self, request: ClassificationRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> ClassificationResponse:
        """tf.Examples in, classes out."""

        def answer() -> ClassificationResponse:
            with self.registry.lease(request.model_spec) as servable:
                return classify(servable, request, call=call)

        return self._answer("Classify", request, protocol, call, answer)

    def regress(
        self, request: RegressionRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> RegressionResponse:
        """tf.Examples in, values out."""

        def answer() -> RegressionResponse:
            with self.registry.lease(request.model_spec) as servable:
                return regress(servable, request, call=call)

        return self._answer("Regress", request, protocol, call, answer)

    def multi_inference(
        self, request: MultiInferenceRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> MultiInferenceResponse:
        """tf.Examples in, classes and values of several signatures out."""

        def answer() -> MultiInferenceResponse:
            with self.registry.lease(first_spec(request)) as servable:
                return multi_inference(servable, request, call=call)

        return self._answer("MultiInference", request, protocol, call, answer, spec=first_spec)

    def get_model_metadata(
        self, request: GetModelMetadataRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> GetModelMetadataResponse:
        """The signatures of a model."""
        return self._answer(
            "GetModelMetadata",
            request,
            protocol,
            call,
            lambda: get_model_metadata(self.registry, request),
        )

    def get_model_status(
        self, request: GetModelStatusRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> GetModelStatusResponse:
        """What has become of the versions of a model."""
        return self._answer(
            "GetModelStatus",
            request,
            protocol,
            call,
            lambda: get_model_status(self.registry, request),
        )

    def handle_reload_config(
        self, request: ReloadConfigRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> ReloadConfigResponse:
        """Another configuration; returns when its new models answer."""

        def answer() -> ReloadConfigResponse:
            return handle_reload_config(self.manager, request, call=call)

        return self._answer(
            "HandleReloadConfigRequest", request, protocol, call, answer, spec=lambda _: ModelSpec()
        )

    def observe(self, ended: RequestRecord) -> None:
        """Tells the observers of a request; a transport does so itself only where it could not read one."""
        for observer in self._observers:
            observer(ended)

    def _count(self, change: int) -> None:
        with self._counting:
            self._in_flight += change

    def _answer(
        self,
        method: str,
        request: Any,
        protocol: str,
        call: RequestContext,
        answer: Callable[[], Any],
        *,
        spec: Callable[[Any], ModelSpec] | None = None,
    ) -> Any:
        """What `answer` gives; a RequestError for whatever else happens.

        Args:
          spec: the request's ModelSpec; None where it must have one of its own.
        """
        started = time.perf_counter()
        call.method = method
        code = StatusCode.OK
        response = None
        self._count(1)
        try:
            call.time_left()  # it may have waited for a thread until nobody listened any more
            if spec is None and not request.HasField("model_spec"):
                raise invalid_argument("Missing ModelSpec")
            response = answer()
            return response
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
            version = _version(response, model)
            self._count(-1)
            self.observe(
                RequestRecord(
                    method,
                    protocol,
                    model.name,
                    model.signature_name,
                    code,
                    seconds,
                    version,
                    request,
                )
            )


def _version(response: Any, asked: ModelSpec) -> int | None:
    spec = getattr(response, "model_spec", asked)
    return spec.version.value if spec.HasField("version") else None


def _log_ended(ended: RequestRecord) -> None:
    """One line a request. Names are quoted: they come from outside."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    fields = {
        "method": ended.method,
        "protocol": ended.protocol,
        "model": shorten(ended.model),
        "version": ended.version,
        "signature": shorten(ended.signature),
        "code": ended.code.name,
        "milliseconds": round(ended.seconds * 1000, 1),
        "rows": ended.rows,
    }
    _log.debug(
        "method=%(method)s model=%(model)r signature=%(signature)r code=%(code)s milliseconds=%(milliseconds).1f "
        "protocol=%(protocol)s version=%(version)s rows=%(rows)s",
        fields,
    )
