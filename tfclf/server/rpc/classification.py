"""A signature's tensors <-> ClassificationResult.

Source of the checks, their order and their wording: TF Serving, servables/tensorflow/classifier.cc.
"""

from itertools import zip_longest
from typing import Any

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult

from tfclf.server.rpc.examples import ExampleOutputs, debug_string, shape_string
from tfclf.server.runtime.session import Output
from tfclf.server.status import invalid_argument

METHOD_NAME = "tensorflow/serving/classify"
_INPUTS, _CLASSES, _SCORES = "inputs", "classes", "scores"


def select_tensors(signature: SignatureDef, *, check_method_name: bool) -> tuple[str, list[str]]:
    """Return the name of the tensor to feed, and the names of those to fetch.

    Raises: RequestError.
    """
    if check_method_name and signature.method_name != METHOD_NAME:
        raise invalid_argument(
            f"Expected classification signature method_name to be {METHOD_NAME}. "
            f"Was: {signature.method_name}"
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
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {debug_string(signature)}'
        )
    return signature.inputs[_INPUTS].name, fetches


def to_result(signature: SignatureDef, outputs: ExampleOutputs) -> ClassificationResult:
    """Return the classes and scores of each row.

    Invalid UTF-8 in a label becomes U+FFFD: no client could read it otherwise.

    Raises: RequestError.
    """
    classes = _find_output(signature, outputs, _CLASSES)
    scores = _find_output(signature, outputs, _SCORES)
    if classes and scores and signature.outputs[_CLASSES].name == signature.outputs[_SCORES].name:
        scores = None  # one tensor under both names counts as classes
    if classes:
        _check(classes, _CLASSES, types_pb2.DT_STRING, outputs.batch)
    if scores:
        _check(scores, _SCORES, types_pb2.DT_FLOAT, outputs.batch)
    if classes and scores and classes.array.shape != scores.array.shape:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.array.shape[1]} vs. {scores.array.shape[1]}"
        )
    no_rows: list[list[Any]] = [[]] * outputs.batch
    labels = classes.array.tolist() if classes else no_rows
    values = scores.array.tolist() if scores else no_rows
    result = ClassificationResult()
    for row_labels, row_values in zip(labels, values, strict=True):
        add = result.classifications.add().classes.add  # twice as fast as `extend`
        # A missing label or score is None: it stays at proto3's default, which is not sent.
        for label, value in zip_longest(row_labels, row_values):
            add(label=None if label is None else label.decode("utf-8", "replace"), score=value)
    return result


def _find_output(signature: SignatureDef, outputs: ExampleOutputs, alias: str) -> Output | None:
    if alias not in signature.outputs:
        return None
    return outputs.tensors[signature.outputs[alias].name]


def _check(output: Output, alias: str, dtype: types_pb2.DataType.ValueType, batch: int) -> None:
    array = output.array
    if array.ndim != 2:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {shape_string(array)}",
        )
    if output.dtype != dtype:
        raise invalid_argument(
            f"Expected {alias} Tensor of {types_pb2.DataType.Name(dtype)}. "
            f"Got: {types_pb2.DataType.Name(output.dtype)}"
        )
    if len(array) != batch:
        raise invalid_argument(f"Expected {alias} output batch size of {batch}. Got: {len(array)}")
