"""Classify, Regress and MultiInference: tf.Examples in, classes or values out.

Source of the checks, their order and their wording: TF Serving, classifier.cc, regressor.cc and
multi_inference.cc.
"""

from grpc import StatusCode
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from tfclf.saved_model.signature_names import SERVING_DEFAULT
from tfclf.server.context import RequestContext
from tfclf.server.rpc import classification, regression
from tfclf.server.rpc.examples import run_examples
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError, invalid_argument


def classify(
    servable: Servable, request: ClassificationRequest, *, call: RequestContext | None = None
) -> ClassificationResponse:
    """Answer a ClassificationRequest with a list of classes for each tf.Example.

    Raises: RequestError.
    """
    signature = _find_signature(servable, request.model_spec)
    feed, fetches = classification.select_tensors(
        signature, check_method_name=servable.check_method_names
    )
    outputs = run_examples(servable, request.input, [feed], fetches, call=call)
    return ClassificationResponse(
        model_spec=_echo_spec(servable, request.model_spec),
        result=classification.to_result(signature, outputs),
    )


def regress(
    servable: Servable, request: RegressionRequest, *, call: RequestContext | None = None
) -> RegressionResponse:
    """Answer a RegressionRequest with a value for each tf.Example.

    Raises: RequestError.
    """
    signature = _find_signature(servable, request.model_spec)
    feed, fetches = regression.select_tensors(
        signature, check_method_name=servable.check_method_names
    )
    outputs = run_examples(servable, request.input, [feed], fetches, call=call)
    return RegressionResponse(
        model_spec=_echo_spec(servable, request.model_spec),
        result=regression.to_result(signature, outputs),
    )


def multi_inference(
    servable: Servable, request: MultiInferenceRequest, *, call: RequestContext | None = None
) -> MultiInferenceResponse:
    """Answer a MultiInferenceRequest: several signatures on the same tf.Examples, in one run.

    The signatures may share an input tensor, as in TF1-style models, or each have one of its own,
    as `tf.saved_model.save` writes them.

    Args:
      servable: the Servable for `first_spec`; versions named by other tasks are ignored.
    Raises: RequestError.
    """
    feeds, fetches = _select_tensors_of_all(servable, request)
    outputs = run_examples(servable, request.input, feeds, fetches, call=call)
    response = MultiInferenceResponse()
    for task in request.tasks:
        signature = servable.signatures[_signature_name(task.model_spec)]
        result = response.results.add(model_spec=_echo_spec(servable, task.model_spec))
        if task.method_name == classification.METHOD_NAME:
            result.classification_result.CopyFrom(classification.to_result(signature, outputs))
        else:
            result.regression_result.CopyFrom(regression.to_result(signature, outputs))
    return response


def first_spec(request: MultiInferenceRequest) -> ModelSpec:
    """Return the first task's ModelSpec, which chooses the model."""
    return request.tasks[0].model_spec if request.tasks else ModelSpec()


def _select_tensors_of_all(
    servable: Servable, request: MultiInferenceRequest
) -> tuple[list[str], list[str]]:
    """Return the names of the tensors to feed and to fetch, each once."""
    model = ""
    names: set[str] = set()
    feeds: set[str] = set()
    fetches: set[str] = set()
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        model = model or task.model_spec.name
        if task.model_spec.name != model:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = _signature_name(task.model_spec)
        if name in names:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        names.add(name)
        if name not in servable.signatures:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        task_feed, task_fetches = _select_tensors(
            servable.signatures[name], task.method_name, servable
        )
        feeds.add(task_feed)
        fetches.update(task_fetches)
    return sorted(feeds), sorted(fetches)


def _select_tensors(
    signature: SignatureDef, method_name: str, servable: Servable
) -> tuple[str, list[str]]:
    if method_name == classification.METHOD_NAME:
        return classification.select_tensors(
            signature, check_method_name=servable.check_method_names
        )
    if method_name == regression.METHOD_NAME:
        return regression.select_tensors(signature, check_method_name=servable.check_method_names)
    raise RequestError(
        StatusCode.UNIMPLEMENTED, f"Unsupported signature method_name: {method_name}"
    )


def _signature_name(spec: ModelSpec) -> str:
    return spec.signature_name or SERVING_DEFAULT


def _find_signature(servable: Servable, spec: ModelSpec) -> SignatureDef:
    signature = servable.signatures.get(_signature_name(spec))
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {_signature_name(spec)}")
    return signature


def _echo_spec(servable: Servable, spec: ModelSpec) -> ModelSpec:
    """Return a response's ModelSpec: the requested name, and the version and signature used."""
    echo = ModelSpec(name=spec.name, signature_name=_signature_name(spec))
    echo.version.value = servable.version
    return echo
