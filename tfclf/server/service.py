"""The RPCs of a server, each a method from message to message, whatever the protocol.

A transport (gRPC, REST) turns its requests into these messages, and a RequestError into its own
form. `Service` does what every request needs: the version in use stays loaded, a bug of ours tells
a client nothing, and each request is observed once, when it has finished.
"""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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

from tfclf.saved_model.model_list import encode_names
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
      manager: reloads the configuration; None if the models are fixed.
      observers: called with the record of each finished request (log, metrics); they must not
        raise.
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
        self._observers = (_log_record, *observers)
        self._in_flight = 0
        self._counting = threading.Lock()

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self._in_flight

    @property
    def model_names(self) -> str:
        """The names of the models, encoded, for clients that ask for a model that is not there."""
        return encode_names(self.registry.states.names())

    def close(self) -> None:
        """Close the models and cancel the requests that still run."""
        if self.manager is not None:
            self.manager.close()
        for servable in self.registry:  # models that no manager loaded
            servable.close()

    def predict(
        self, request: PredictRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> PredictResponse:
        """Take named tensors, give named tensors. Raises: RequestError, as all methods here."""
        return self._answer(_PREDICT, request, call, protocol)

    def classify(
        self, request: ClassificationRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> ClassificationResponse:
        """Take tf.Examples, give classes."""
        return self._answer(_CLASSIFY, request, call, protocol)

    def regress(
        self, request: RegressionRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> RegressionResponse:
        """Take tf.Examples, give values."""
        return self._answer(_REGRESS, request, call, protocol)

    def multi_inference(
        self, request: MultiInferenceRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> MultiInferenceResponse:
        """Take tf.Examples, give classes and values of several signatures."""
        return self._answer(_MULTI_INFERENCE, request, call, protocol)

    def get_model_metadata(
        self, request: GetModelMetadataRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> GetModelMetadataResponse:
        """Give the signatures of a model."""
        return self._answer(_METADATA, request, call, protocol)

    def get_model_status(
        self, request: GetModelStatusRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> GetModelStatusResponse:
        """Give the state of each version of a model."""
        return self._answer(_STATUS, request, call, protocol)

    def handle_reload_config(
        self, request: ReloadConfigRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> ReloadConfigResponse:
        """Take another configuration; return when its new models answer."""
        return self._answer(_RELOAD, request, call, protocol)

    def observe(self, record: RequestRecord) -> None:
        """Call the observers; a transport itself does so only for a request it cannot read."""
        for observer in self._observers:
            observer(record)

    def _count(self, change: int) -> None:
        with self._counting:
            self._in_flight += change

    def _answer(self, rpc: "_Rpc", request: Any, call: RequestContext, protocol: str) -> Any:
        """Run an RPC, and count and observe it; turn any other error into a RequestError."""
        started = time.perf_counter()
        call.method = rpc.name
        code = StatusCode.OK
        response = None
        self._count(1)
        try:
            call.time_left()  # the client may have given up while the request waited for a thread
            if rpc.spec is _own_spec and not request.HasField("model_spec"):
                raise invalid_argument("Missing ModelSpec")
            response = rpc.run(self, request, call)
            return response
        except RequestError as error:
            code = error.code
            raise
        except MemoryError:
            code = StatusCode.RESOURCE_EXHAUSTED
            raise RequestError(code, "Not enough memory to answer the request") from None
        except Exception as error:
            # A bug of ours. Its message may quote the request's texts, so the log gets only the
            # place.
            code = StatusCode.INTERNAL
            place = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s failed: %s at\n%s", rpc.name, type(error).__name__, place)
            raise RequestError(
                code, f"{rpc.name} failed in the server; its log says where"
            ) from None
        finally:
            spec = rpc.spec(request)
            seconds = time.perf_counter() - started
            version = _version(response, spec)
            self._count(-1)
            self.observe(
                RequestRecord(
                    rpc.name,
                    protocol,
                    spec.name,
                    spec.signature_name,
                    code,
                    seconds,
                    version,
                    request,
                    call.request_id,
                    call.traceparent,
                )
            )


def _own_spec(request: Any) -> ModelSpec:
    return request.model_spec


@dataclass(frozen=True)
class _Rpc:
    """An RPC.

    Attributes:
      name: TF Serving's name of it.
      run: computes the response.
      spec: finds the model that a request is for. A request whose RPC has `_own_spec` must name
        one.
    """

    name: str
    run: Callable[[Service, Any, RequestContext], Any]
    spec: Callable[[Any], ModelSpec] = _own_spec


def _servable_rpc(
    name: str, infer: Callable[..., Any], spec: Callable[[Any], ModelSpec] = _own_spec
) -> _Rpc:
    """Return an RPC that `infer` answers with a Servable, which stays loaded meanwhile."""

    def run(service: Service, request: Any, call: RequestContext) -> Any:
        with service.registry.lease(spec(request)) as servable:
            return infer(servable, request, call=call)

    return _Rpc(name, run, spec)


_PREDICT = _servable_rpc("Predict", predict)
_CLASSIFY = _servable_rpc("Classify", classify)
_REGRESS = _servable_rpc("Regress", regress)
_MULTI_INFERENCE = _servable_rpc("MultiInference", multi_inference, first_spec)
_METADATA = _Rpc(
    "GetModelMetadata",
    lambda service, request, call: get_model_metadata(service.registry, request, call),
)
_STATUS = _Rpc(
    "GetModelStatus",
    lambda service, request, _: get_model_status(service.registry, request),
)
_RELOAD = _Rpc(
    "HandleReloadConfigRequest",
    lambda service, request, call: handle_reload_config(service.manager, request, call=call),
    spec=lambda _: ModelSpec(),  # it concerns no single model
)


def _version(response: Any, requested: ModelSpec) -> int | None:
    spec = getattr(response, "model_spec", requested)
    return spec.version.value if spec.HasField("version") else None


def _log_record(record: RequestRecord) -> None:
    """Log a request on one line; its names are quoted, since they come from clients."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    fields = {
        "method": record.method,
        "protocol": record.protocol,
        "model": shorten(record.model),
        "version": record.version,
        "signature": shorten(record.signature),
        "code": record.code.name,
        "milliseconds": round(record.seconds * 1000, 1),
        "request_id": record.request_id,
        "rows": record.rows,
    }
    _log.debug(
        "method=%(method)s model=%(model)r signature=%(signature)r code=%(code)s "
        "milliseconds=%(milliseconds).1f request_id=%(request_id)s protocol=%(protocol)s "
        "version=%(version)s rows=%(rows)s",
        fields,
    )
