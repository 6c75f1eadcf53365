"""Predict: named tensors in, named tensors out. Knows nothing of gRPC's transport, so that REST can share it.

Checks, their order and their words: TF Serving, predict_util.cc; TensorFlow, cc/saved_model/util.cc.
"""

from collections.abc import Iterable
from typing import Any

from grpc import StatusCode
from numpy.typing import NDArray
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from tfclf.server.context import RequestContext
from tfclf.server.rpc import tensors
from tfclf.server.runtime.servable import Servable
from tfclf.server.status import RequestError, invalid_argument

DEFAULT_SIGNATURE = "serving_default"
_METHOD_NAMES = tuple(f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))


def predict(
    servable: Servable, request: PredictRequest, *, call: RequestContext | None = None
) -> PredictResponse:
    """Answers a PredictRequest.

    Raises: RequestError.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise RequestError(
            StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
        )
    if servable.check_method_names:
        _check_method_name(signature)
    _check_number_of_inputs(signature, request)
    feeds = _feeds(signature, request)
    aliases = _aliases(signature, request)
    fetched = servable.run(feeds, [signature.outputs[alias].name for alias in aliases], call=call)

    response = PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = name
    for alias, (array, dtype) in zip(aliases, fetched, strict=True):
        response.outputs[alias].CopyFrom(_to_proto(alias, array, dtype, servable.tensor_content))
    return response


def _check_method_name(signature: SignatureDef) -> None:
    if signature.method_name not in _METHOD_NAMES:
        raise RequestError(
            StatusCode.INTERNAL,
            f"Expected prediction signature method_name to be one of {{{', '.join(_METHOD_NAMES)}}}. "
            f"Was: {signature.method_name}",
        )


def _check_number_of_inputs(signature: SignatureDef, request: PredictRequest) -> None:
    sent, expected = set(request.inputs), set(signature.inputs)
    if len(sent) == len(expected) or (len(sent) < len(expected) and signature.defaults):
        return
    raise invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(expected)} "
        f"len({_braced(sent)}) != len({_braced(expected)}). "
        f"Sent extra: {_braced(sent - expected)}. Missing but required: {_braced(expected - sent)}."
    )


def _feeds(signature: SignatureDef, request: PredictRequest) -> dict[str, NDArray[Any]]:
    """Arrays by tensor name, from the request and, for what it leaves out, from the signature's defaults."""
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
                f"Signature input alias: {alias}(feed name: {feed}) not found in request and no default "
                f"value provided. Inputs expected to be in the request {_braced(request.inputs)}, or default "
                f"input alias set: {_joined(signature.defaults)}"
            )
        feeds[feed] = _from_proto(alias, proto)
    if len(used) != len(request.inputs):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_joined(used)}, "
            f"request input: {_joined(request.inputs)}"
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


def _aliases(signature: SignatureDef, request: PredictRequest) -> list[str]:
    """The outputs that the response will hold; an empty filter means all."""
    chosen: list[str] = []
    for alias in request.output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in chosen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        chosen.append(alias)
    return chosen or sorted(signature.outputs)


def _joined(names: Iterable[str]) -> str:
    return ",".join(sorted(names))


def _braced(names: Iterable[str]) -> str:
    return f"{{{_joined(names)}}}"
