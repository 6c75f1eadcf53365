"""Service over gRPC, on tensorflow-serving-api's stubs."""

from collections.abc import Callable
from typing import Any

from grpc import ServicerContext
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

from tfclf.server.context import RequestContext
from tfclf.server.service import Service
from tfclf.server.status import RequestError, truncate


class PredictionService(PredictionServiceServicer):
    """All five RPCs."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def Predict(self, request: PredictRequest, context: ServicerContext) -> PredictResponse:  # noqa: N802
        """Named tensors in, named tensors out."""
        return _answer(self._service.predict, request, context)

    def Classify(  # noqa: N802
        self, request: ClassificationRequest, context: ServicerContext
    ) -> ClassificationResponse:
        """tf.Examples in, classes out."""
        return _answer(self._service.classify, request, context)

    def Regress(self, request: RegressionRequest, context: ServicerContext) -> RegressionResponse:  # noqa: N802
        """tf.Examples in, values out."""
        return _answer(self._service.regress, request, context)

    def MultiInference(  # noqa: N802
        self, request: MultiInferenceRequest, context: ServicerContext
    ) -> MultiInferenceResponse:
        """tf.Examples in, classes and values of several signatures out."""
        return _answer(self._service.multi_inference, request, context)

    def GetModelMetadata(  # noqa: N802
        self, request: GetModelMetadataRequest, context: ServicerContext
    ) -> GetModelMetadataResponse:
        """The signatures of a model."""
        return _answer(self._service.get_model_metadata, request, context)


class ModelService(ModelServiceServicer):
    """What the models are and what they are to be."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def GetModelStatus(  # noqa: N802
        self, request: GetModelStatusRequest, context: ServicerContext
    ) -> GetModelStatusResponse:
        """What has become of the versions of a model."""
        return _answer(self._service.get_model_status, request, context)

    def HandleReloadConfigRequest(  # noqa: N802
        self, request: ReloadConfigRequest, context: ServicerContext
    ) -> ReloadConfigResponse:
        """Another configuration; the error, if there is one, is the RPC's status and stands in the body too."""
        response = ReloadConfigResponse()
        try:
            return self._service.handle_reload_config(request, _call(context))
        except RequestError as error:
            message = truncate(error.message)
            context.set_code(error.code)
            context.set_details(message)
            response.status.error_code = error.code.value[0]
            response.status.error_message = message
        return response


def _call(context: ServicerContext) -> RequestContext:
    call = RequestContext(timeout=context.time_remaining())
    if not context.add_callback(call.cancel):  # when the client hangs up, and harmlessly at the end
        call.cancel()
    return call


def _answer(
    method: Callable[[Any, RequestContext], Any], request: Any, context: ServicerContext
) -> Any:
    """What the method gives, or the RPC's end with a status."""
    try:
        return method(request, _call(context))
    except RequestError as error:
        context.abort(error.code, truncate(error.message))
        raise AssertionError("abort raises") from error
