"""Service over gRPC, on tensorflow-serving-api's stubs."""

from collections.abc import Callable
from typing import Any

from grpc import ServicerContext
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceServicer
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from tfclf.server.call import Call
from tfclf.server.service import Service
from tfclf.server.status import RequestError, cut


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


def _answer(method: Callable[[Any, Call], Any], request: Any, context: ServicerContext) -> Any:
    """What the method gives, or the RPC's end with a status."""
    call = Call(timeout=context.time_remaining())
    if not context.add_callback(call.cancel):  # when the client hangs up, and harmlessly at the end
        call.cancel()
    try:
        return method(request, call)
    except RequestError as error:
        context.abort(error.code, cut(error.message))
        raise AssertionError("abort raises") from error
