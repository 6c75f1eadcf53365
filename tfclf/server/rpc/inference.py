"""Classify, Regress and MultiInference: tf.Examples in, classes or values out. Without transport, as Predict is.

Checks, their order and their words: TF Serving, classifier.cc, regressor.cc and multi_inference.cc.
"""

from grpc import StatusCode
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from tfclf.server.context import RequestContext
from tfclf.server.rpc import classification, regression
from tfclf.server.rpc.examples import compute
from tfclf.server.rpc.predict import DEFAULT_SIGNATURE
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError, invalid_argument


def classify(
    servable: Servable, request: ClassificationRequest, *, call: RequestContext | None = None
) -> ClassificationResponse:
    """Answers a ClassificationRequest: a class list for each tf.Example.

    Raises: RequestError.
    """
    signature = _signature(servable, request.model_spec)
    feed, fetches = classification.tensors_of(
        signature, check_method_name=servable.check_method_names
    )
    computed = compute(servable, request.input, feed, fetches, call=call)
    return ClassificationResponse(
        model_spec=_echo(servable, request.model_spec),
        result=classification.to_result(signature, computed),
    )


def regress(
    servable: Servable, request: RegressionRequest, *, call: RequestContext | None = None
) -> RegressionResponse:
    """Answers a RegressionRequest: a value for each tf.Example.

    Raises: RequestError.
    """
    signature = _signature(servable, request.model_spec)
    feed, fetches = regression.tensors_of(signature, check_method_name=servable.check_method_names)
    computed = compute(servable, request.input, feed, fetches, call=call)
    return RegressionResponse(
        model_spec=_echo(servable, request.model_spec),
        result=regression.to_result(signature, computed),
    )


def multi_inference(
    servable: Servable, request: MultiInferenceRequest, *, call: RequestContext | None = None
) -> MultiInferenceResponse:
    """Answers a MultiInferenceRequest: several signatures on one list of tf.Examples, in one run of the graph.

    The signatures must read the same tensor, as those of a TF1-style model may; `tf.saved_model.save` gives each
    of its signatures an input of its own.

    Args:
      servable: what `first_spec` asks for; the versions that the other tasks name are passed over.
    Raises: RequestError.
    """
    feed, fetches = _tensors_of_all(servable, request)
    computed = compute(servable, request.input, feed, fetches, call=call)
    response = MultiInferenceResponse()
    for task in request.tasks:
        signature = servable.signatures[_name(task.model_spec)]
        result = response.results.add(model_spec=_echo(servable, task.model_spec))
        if task.method_name == classification.METHOD_NAME:
            result.classification_result.CopyFrom(classification.to_result(signature, computed))
        else:
            result.regression_result.CopyFrom(regression.to_result(signature, computed))
    return response


def first_spec(request: MultiInferenceRequest) -> ModelSpec:
    """Which model is to answer: the first task's."""
    return request.tasks[0].model_spec if request.tasks else ModelSpec()


def _tensors_of_all(servable: Servable, request: MultiInferenceRequest) -> tuple[str, list[str]]:
    """The name of the tensor to feed, and of all those to fetch, each once."""
    model = feed = ""
    names: set[str] = set()
    fetches: set[str] = set()
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        model = model or task.model_spec.name
        if task.model_spec.name != model:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = _name(task.model_spec)
        if name in names:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        names.add(name)
        if name not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        task_feed, task_fetches = _tensors_of(servable.signatures[name], task.method_name, servable)
        feed = feed or task_feed
        if task_feed != feed:
            raise invalid_argument("Input tensor must be the same for all Signatures.")
        fetches.update(task_fetches)
    return feed, sorted(fetches)


def _tensors_of(
    signature: SignatureDef, method_name: str, servable: Servable
) -> tuple[str, list[str]]:
    if method_name == classification.METHOD_NAME:
        return classification.tensors_of(signature, check_method_name=servable.check_method_names)
    if method_name == regression.METHOD_NAME:
        return regression.tensors_of(signature, check_method_name=servable.check_method_names)
    raise RequestError(
        StatusCode.UNIMPLEMENTED, f"Unsupported signature method_name: {method_name}"
    )


def _name(spec: ModelSpec) -> str:
    return spec.signature_name or DEFAULT_SIGNATURE


def _signature(servable: Servable, spec: ModelSpec) -> SignatureDef:
    signature = servable.signatures.get(_name(spec))
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {_name(spec)}")
    return signature


def _echo(servable: Servable, spec: ModelSpec) -> ModelSpec:
    """The ModelSpec of an answer: the name as it was asked for, the version and the signature that answered."""
    echo = ModelSpec(name=spec.name, signature_name=_name(spec))
    echo.version.value = servable.version
    return echo
