"""Messages -> JSON answers, byte for byte as TF Serving lays them out (tensorflow/serving, util/json_tensor.cc).

The one freedom: outputs come in the order of their names, where TF Serving has that of a hash map.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataResponse, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusResponse
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from tfclf.server.status import invalid_argument
from tfclf.server.transport.rest.json_text import array, decimals, encoded, quoted

_BYTES_SUFFIX = "_bytes"
_INDENT = "    "


def write_predict(outputs: Mapping[str, TensorProto], *, row: bool) -> bytes:
    """The body that answers a Predict request: "predictions" of rows, or "outputs" of columns.

    Raises: RequestError for outputs that JSON cannot carry, or that are no batch of rows.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    return encoded(_rows(outputs) if row else _columns(outputs))


def _rows(outputs: Mapping[str, TensorProto]) -> str:
    names = sorted(outputs)
    batch = -1
    for name in names:
        sizes = _sizes(outputs[name])
        if not sizes:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if batch >= 0 and sizes[0] != batch:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {sizes[0]} expecting: {batch}"
            )
        batch = sizes[0]
    named = len(names) > 1
    depth = 3 if named else 2
    columns = [_row_texts(name, outputs[name], batch, depth) for name in names]
    if not named:
        rows = ", ".join(columns[0])
    else:
        keys = [f"\n{_INDENT * 3}{quoted(name)}: " for name in names]
        rows = ",".join(
            f"\n{_INDENT * 2}{{"
            + ",".join(key + text for key, text in zip(keys, row, strict=True))
            + f"\n{_INDENT * 2}}}"
            for row in zip(*columns, strict=True)
        )
    closing = f"\n{_INDENT}]" if batch else "]"
    return f'{{\n{_INDENT}"predictions": [{rows}{closing}\n}}'


def _row_texts(name: str, tensor: TensorProto, batch: int, depth: int) -> list[str]:
    """Each row of a tensor as JSON on one line."""
    sizes = _sizes(tensor)[1:]
    # An object in the list stands one level deeper for each dimension.
    texts = _texts(name, tensor, depth + len(sizes))
    if not sizes:
        return texts
    each = len(texts) // batch if batch else 0
    return [array(texts[row * each : (row + 1) * each], sizes, None) for row in range(batch)]


def _columns(outputs: Mapping[str, TensorProto]) -> str:
    named = len(outputs) > 1
    depth = 2 if named else 1
    texts = {}
    for name in sorted(outputs):
        sizes = _sizes(outputs[name])
        texts[name] = array(_texts(name, outputs[name], depth + len(sizes)), sizes, depth)
    if not named:
        return f'{{\n{_INDENT}"outputs": {next(iter(texts.values()))}\n}}'
    members = ",\n".join(f"{_INDENT * 2}{quoted(name)}: {text}" for name, text in texts.items())
    return f'{{\n{_INDENT}"outputs": {{\n{members}\n{_INDENT}}}\n}}'


def _sizes(tensor: TensorProto) -> list[int]:
    return [dim.size for dim in tensor.tensor_shape.dim]


def _integers(values: Sequence[int]) -> list[str]:
    return list(map(str, values))


_WRITERS: dict[int, tuple[str, Callable[[Any], list[str]]]] = {
    types_pb2.DT_FLOAT: ("float_val", lambda values: decimals(values, single=True)),
    types_pb2.DT_DOUBLE: ("double_val", lambda values: decimals(values, single=False)),
    types_pb2.DT_BOOL: (
        "bool_val",
        lambda values: ["true" if value else "false" for value in values],
    ),
    types_pb2.DT_INT64: ("int64_val", _integers),
    types_pb2.DT_UINT32: ("uint32_val", _integers),
    types_pb2.DT_UINT64: ("uint64_val", _integers),
    **dict.fromkeys(
        (types_pb2.DT_INT32, types_pb2.DT_INT16, types_pb2.DT_INT8, types_pb2.DT_UINT8),
        ("int_val", _integers),
    ),
}


def _texts(name: str, tensor: TensorProto, depth: int) -> list[str]:
    """Every value of a tensor as JSON, row by row."""
    if tensor.dtype == types_pb2.DT_STRING:
        if name.endswith(_BYTES_SUFFIX):
            line = "\n" + _INDENT * depth
            return [
                f'{{{line}{_INDENT}"b64": "{base64.b64encode(value).decode()}"{line}}}'
                for value in tensor.string_val
            ]
        # TF Serving writes the bytes as they are, UTF-8 or not.
        return [quoted(value.decode("utf-8", "surrogateescape")) for value in tensor.string_val]
    if tensor.dtype not in _WRITERS:
        if 0 in _sizes(tensor):
            return []
        dtype: str = types_pb2.DataType.Name(tensor.dtype)
        raise invalid_argument(
            f"Failed to write JSON value for tensor type: {dtype.removeprefix('DT_').lower()}"
        )
    field, write = _WRITERS[tensor.dtype]
    return write(getattr(tensor, field))


def write_classifications(result: ClassificationResult) -> bytes:
    """The body that answers a Classify request: for each example its [label, score] pairs. Raises: RequestError."""
    if not result.classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classifications in result.classifications:
        scores = decimals([entry.score for entry in classifications.classes], single=True)
        pairs = zip(classifications.classes, scores, strict=True)
        rows.append(f"[{', '.join(f'[{quoted(entry.label)}, {score}]' for entry, score in pairs)}]")
    return encoded(f'{{\n{_INDENT}"results": [{", ".join(rows)}\n{_INDENT}]\n}}')


def write_regressions(result: RegressionResult) -> bytes:
    """The body that answers a Regress request: for each example its value. Raises: RequestError."""
    if not result.regressions:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    values = decimals([regression.value for regression in result.regressions], single=True)
    return encoded(f'{{\n{_INDENT}"results": [{", ".join(values)}]\n}}')


def write_status(response: GetModelStatusResponse) -> bytes:
    """The body that answers a status request."""
    return encoded(_message(response, proto_names=False) + "\n")


def write_metadata(response: GetModelMetadataResponse) -> bytes:
    """The body that answers a metadata request; the Any within is unpacked."""
    signatures = SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return encoded(
        f'{{\n"model_spec":{_message(response.model_spec)}\n,\n'
        f'"metadata": {{"signature_def": {_message(signatures)}\n}}\n}}\n'
    )


def _message(message: Message, *, proto_names: bool = True) -> str:
    text: str = MessageToJson(
        message,
        preserving_proto_field_name=proto_names,
        always_print_fields_with_no_presence=True,
        indent=1,
        ensure_ascii=False,
    )
    return text


def write_error(message: str) -> bytes:
    """The body of an error."""
    return f'{{\n{_INDENT}"error": {quoted(message)}\n}}'.encode("utf-8", "replace")
