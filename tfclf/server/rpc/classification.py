"""A signature's tensors <-> ClassificationResult.

Checks, their order and their words: TF Serving, servables/tensorflow/classifier.cc.
"""

from itertools import zip_longest

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult

from tfclf.server.rpc.examples import Computed, debug_string, shape_string
from tfclf.server.runtime.session import Fetched
from tfclf.server.status import invalid_argument

METHOD_NAME = "tensorflow/serving/classify"
_INPUTS, _CLASSES, _SCORES = "inputs", "classes", "scores"


def tensors_of(signature: SignatureDef, *, check_method_name: bool) -> tuple[str, list[str]]:
    """The name of the tensor to feed, and of those to fetch.

    Raises: RequestError.
    """
    if check_method_name and signature.method_name != METHOD_NAME:
        raise invalid_argument(
            f"Expected classification signature method_name to be {METHOD_NAME}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(
            f"Expected one or two output Tensors, found {len(signature.outputs)}"
        )
    if _INPUTS not in signature.inputs:
        raise invalid_argument(
            f"No classification inputs found in SignatureDef: {debug_string(signature)}"
        )
    fetches = [
        signature.outputs[alias].name for alias in (_CLASSES, _SCORES) if alias in signature.outputs
    ]
    if not fetches:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}". '
            f"Signature was: {debug_string(signature)}"
        )
    return signature.inputs[_INPUTS].name, fetches


def to_result(signature: SignatureDef, computed: Computed) -> ClassificationResult:
    """Classes and scores, row by row. A label that is no UTF-8, which no client could read, gets U+FFFD.

    Raises: RequestError.
    """
    classes, scores = (
        _fetched(signature, computed, _CLASSES),
        _fetched(signature, computed, _SCORES),
    )
    if classes and scores and signature.outputs[_CLASSES].name == signature.outputs[_SCORES].name:
        scores = None  # one tensor under both names is taken for classes
    if classes:
        _check(classes, _CLASSES, types_pb2.DT_STRING, computed.batch)
    if scores:
        _check(scores, _SCORES, types_pb2.DT_FLOAT, computed.batch)
    if classes and scores and classes.array.shape != scores.array.shape:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.array.shape[1]} vs. {scores.array.shape[1]}"
        )
    # What is not there stays at proto3's default, which is not sent.
    labels = (
        [[_text(label) for label in row] for row in classes.array.tolist()] if classes else None
    )
    values = scores.array.tolist() if scores else None
    result = ClassificationResult()
    for row in range(computed.batch):
        add = result.classifications.add().classes.add  # twice as fast as `extend`
        for label, value in zip_longest(
            labels[row] if labels else (), values[row] if values else ()
        ):
            add(label=label, score=value)
    return result


def _fetched(signature: SignatureDef, computed: Computed, alias: str) -> Fetched | None:
    return computed.tensors[signature.outputs[alias].name] if alias in signature.outputs else None


def _check(fetched: Fetched, alias: str, dtype: types_pb2.DataType.ValueType, batch: int) -> None:
    array = fetched.array
    if array.ndim != 2:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {shape_string(array)}",
        )
    if fetched.dtype != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {types_pb2.DataType.Name(dtype)}. "
            f"Got: {types_pb2.DataType.Name(fetched.dtype)}"
        )
    if len(array) != batch:
        raise invalid_argument(f"Expected {alias} output batch size of {batch}. Got: {len(array)}")


def _text(label: bytes) -> str:
    return label.decode("utf-8", "replace")
