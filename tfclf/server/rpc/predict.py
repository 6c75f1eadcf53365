"""Predict: named tensors in, named tensors out, for gRPC and REST alike.

Source of the checks, their order and their wording: TF Serving, predict_util.cc; TensorFlow,
cc/saved_model/util.cc.
"""

from collections.abc import Iterable
from typing import Any

from grpc import StatusCode
from numpy.typing import NDArray
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from tfclf.saved_model.model_list import FACTS
from tfclf.saved_model.signature_names import SERVING_DEFAULT
from tfclf.server.context import RequestContext
from tfclf.server.rpc import tensors
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError, invalid_argument

_METHOD_NAMES = tuple(f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))


def predict(
    servable: Servable, request: PredictRequest, *, call: RequestContext | None = None
) -> PredictResponse:
    """Answer a PredictRequest; beside it, the facts that an export's answers are read with.

    Raises: RequestError.
    """
    name = request.model_spec.signature_name or SERVING_DEFAULT
    signature = servable.signatures.get(name)
    if signature is None:
        raise RequestError(
            StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        )
    if servable.check_method_names:
        _check_method_name(signature)
    _check_number_of_inputs(signature, request)
    feeds = _read_feeds(signature, request)
    aliases = _choose_outputs(signature, request)
    outputs = servable.run(feeds, [signature.outputs[alias].name for alias in aliases], call=call)

    if call is not None and servable.facts:
        call.beside[FACTS] = servable.facts
    response = PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = name
    for alias, (array, dtype) in zip(aliases, outputs, strict=True):
        response.outputs[alias].CopyFrom(_to_proto(alias, array, dtype, servable.tensor_content))
    return response


def _check_method_name(signature: SignatureDef) -> None:
    if signature.method_name not in _METHOD_NAMES:
        raise RequestError(
            StatusCode.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(_METHOD_NAMES)}}}. Was: {signature.method_name}",
        )


def _check_number_of_inputs(signature: SignatureDef, request: PredictRequest) -> None:
    sent, expected = set(request.inputs), set(signature.inputs)
    if len(sent) == len(expected) or (len(sent) < len(expected) and signature.defaults):
        return
    raise invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(expected)} "
        f"len({_join_in_braces(sent)}) != len({_join_in_braces(expected)}). "
        f"Sent extra: {_join_in_braces(sent - expected)}. "
        f"Missing but required: {_join_in_braces(expected - sent)}."
    )


def _read_feeds(signature: SignatureDef, request: PredictRequest) -> dict[str, NDArray[Any]]:
    """Return arrays by tensor name, from the request or else from the signature's defaults."""
    feeds: dict[str, NDArray[Any]] = {}
    used: set[str] = set()
    for alias in sorted(signature.inputs):
        feed = signature.inputs[alias].name
        if alias in request.inputs:
            proto = request.inputs[alias]
            used.add(alias)
        elif alias in signature.defaults:
            proto = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed}) not found in request and no "
                "default value provided. Inputs expected to be in the request "
                f"{_join_in_braces(request.inputs)}, or default input alias set: "
                f"{_join_sorted(signature.defaults)}"
            )
        feeds[feed] = _from_proto(alias, proto)
    if len(used) != len(request.inputs):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_join_sorted(used)}, "
            f"request input: {_join_sorted(request.inputs)}"
        )
    return feeds


def _from_proto(alias: str, proto: TensorProto) -> NDArray[Any]:
    try:
        return tensors.from_proto(proto)
    except tensors.TensorProtoError as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def _to_proto(alias: str, array: NDArray[Any], dtype: int, content: bool) -> TensorProto:
    try:
        return tensors.to_proto(array, dtype, content=content)
    except tensors.TensorProtoError as error:
        raise RequestError(StatusCode.UNIMPLEMENTED, f"output tensor {alias}: {error}") from error


def _choose_outputs(signature: SignatureDef, request: PredictRequest) -> list[str]:
    """Return the aliases of the requested outputs; an empty filter means all."""
    chosen: list[str] = []
    for alias in request.output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_join_in_braces(signature.outputs)}."
            )
        if alias in chosen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return chosen or sorted(signature.outputs)


def _join_sorted(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _join_in_braces(names: Iterable[str]) -> str:
    """List names as TF Serving does in messages.

    >>> _join_in_braces(["scores", "labels"])
    '{labels,scores}'
    """
    return f"{{{_join_sorted(names)}}}"
