"""Service over gRPC, on the generated classes of tensorflow-serving-api."""

from collections.abc import Callable
from typing import Any

from grpc import ServicerContext, StatusCode
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
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceServicer
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from tfclf.saved_model.model_list import MODELS
from tfclf.server.context import RequestContext
from tfclf.server.request_id import HEADER, TRACEPARENT, choose_request_id
from tfclf.server.service import Service
from tfclf.server.status import RequestError, truncate


class _Servicer:
    def __init__(self, service: Service) -> None:
        self._service = service

    def _call(
        self, method: Callable[[Any, RequestContext], Any], request: Any, context: ServicerContext
    ) -> Any:
        """Return the method's response; abort the RPC with a status if it raises RequestError."""
        call = _follow(context)
        try:
            response = method(request, call)
        except RequestError as error:
            beside = {HEADER: call.request_id}
            if error.code is StatusCode.NOT_FOUND and (models := self._service.model_names):
                beside[MODELS] = models
            context.set_trailing_metadata(tuple(beside.items()))
            context.abort(error.code, truncate(error.message))
            raise AssertionError("abort raises") from error
        context.set_trailing_metadata(((HEADER, call.request_id), *call.beside.items()))
        return response


class PredictionService(_Servicer, PredictionServiceServicer):
    """TF Serving's PredictionService with its five RPCs."""

    def Predict(self, request: PredictRequest, context: ServicerContext) -> PredictResponse:  # noqa: N802
        """Answer named tensors with named tensors."""
        return self._call(self._service.predict, request, context)

    def Classify(  # noqa: N802
        self, request: ClassificationRequest, context: ServicerContext
    ) -> ClassificationResponse:
        """Answer tf.Examples with classes and scores."""
        return self._call(self._service.classify, request, context)

    def Regress(self, request: RegressionRequest, context: ServicerContext) -> RegressionResponse:  # noqa: N802
        """Answer tf.Examples with values."""
        return self._call(self._service.regress, request, context)

    def MultiInference(  # noqa: N802
        self, request: MultiInferenceRequest, context: ServicerContext
    ) -> MultiInferenceResponse:
        """Answer tf.Examples with the classes and values of several signatures."""
        return self._call(self._service.multi_inference, request, context)

    def GetModelMetadata(  # noqa: N802
        self, request: GetModelMetadataRequest, context: ServicerContext
    ) -> GetModelMetadataResponse:
        """Return the signatures of a model."""
        return self._call(self._service.get_model_metadata, request, context)


class ModelService(_Servicer, ModelServiceServicer):
    """TF Serving's ModelService: the state of the models, and their configuration."""

    def GetModelStatus(  # noqa: N802
        self, request: GetModelStatusRequest, context: ServicerContext
    ) -> GetModelStatusResponse:
        """Return the state of each version of a model."""
        return self._call(self._service.get_model_status, request, context)

    def HandleReloadConfigRequest(  # noqa: N802
        self, request: ReloadConfigRequest, context: ServicerContext
    ) -> ReloadConfigResponse:
        """Change the configuration; an error becomes the RPC's status and is in the body too."""
        response = ReloadConfigResponse()
        call = _follow(context)
        context.set_trailing_metadata(((HEADER, call.request_id),))
        try:
            return self._service.handle_reload_config(request, call)
        except RequestError as error:
            message = truncate(error.message)
            context.set_code(error.code)
            context.set_details(message)
            response.status.error_code = error.code.value[0]
            response.status.error_message = message
        return response


def _follow(context: ServicerContext) -> RequestContext:
    """Return the deadline, the cancellation and the id of a gRPC call."""
    sent = dict(context.invocation_metadata())
    call = RequestContext(
        timeout=context.time_remaining(),
        request_id=choose_request_id(sent.get(HEADER)),
        traceparent=sent.get(TRACEPARENT, ""),
    )
    if not context.add_callback(call.cancel):  # when the client hangs up, and harmlessly at the end
        call.cancel()
    return call
