"""Messages -> JSON bodies with TF Serving's layout, byte for byte.

One difference: outputs are sorted by name; TF Serving writes them in the order of a hash map.

Source: tensorflow/serving, util/json_tensor.cc.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from tfclf.server.transport.rest.json_text import encode, format_array, format_decimals, quote

_BYTES_SUFFIX = "_bytes"
_INDENT = "    "


def write_predict(outputs: Mapping[str, TensorProto], *, row: bool) -> bytes:
    """Return the body for a Predict request: "predictions" in rows, or "outputs" in columns.

    >>> scores = TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[0.25, 0.75])
    >>> scores.tensor_shape.dim.add(size=2).size
    2
    >>> print(write_predict({"score": scores}, row=True).decode())
    {
        "predictions": [0.25, 0.75
        ]
    }

    Raises: RequestError if JSON cannot carry an output, or the outputs are not a batch of rows.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    return encode(_format_rows(outputs) if row else _format_columns(outputs))


def _format_rows(outputs: Mapping[str, TensorProto]) -> str:
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
    columns = [_format_column(name, outputs[name], batch, depth) for name in names]
    if not named:
        rows = ", ".join(columns[0])
    else:
        keys = [f"\n{_INDENT * 3}{quote(name)}: " for name in names]
        rows = ",".join(
            f"\n{_INDENT * 2}{{"
            + ",".join(key + text for key, text in zip(keys, row, strict=True))
            + f"\n{_INDENT * 2}}}"
            for row in zip(*columns, strict=True)
        )
    closing = f"\n{_INDENT}]" if batch else "]"
    return f'{{\n{_INDENT}"predictions": [{rows}{closing}\n}}'


def _format_column(name: str, tensor: TensorProto, batch: int, depth: int) -> list[str]:
    """Write each row of a tensor as JSON on one line."""
    sizes = _sizes(tensor)[1:]
    # Each dimension puts an object in the list one level deeper.
    texts = _format_values(name, tensor, depth + len(sizes))
    if not sizes:
        return texts
    each = len(texts) // batch if batch else 0
    return [format_array(texts[row * each : (row + 1) * each], sizes, None) for row in range(batch)]


def _format_columns(outputs: Mapping[str, TensorProto]) -> str:
    named = len(outputs) > 1
    depth = 2 if named else 1
    texts = {}
    for name in sorted(outputs):
        sizes = _sizes(outputs[name])
        values = _format_values(name, outputs[name], depth + len(sizes))
        texts[name] = format_array(values, sizes, depth)
    if not named:
        return f'{{\n{_INDENT}"outputs": {next(iter(texts.values()))}\n}}'
    members = ",\n".join(f"{_INDENT * 2}{quote(name)}: {text}" for name, text in texts.items())
    return f'{{\n{_INDENT}"outputs": {{\n{members}\n{_INDENT}}}\n}}'


def _sizes(tensor: TensorProto) -> list[int]:
    return [dim.size for dim in tensor.tensor_shape.dim]


def _format_integers(values: Sequence[int]) -> list[str]:
    return list(map(str, values))


def _format_booleans(values: Sequence[bool]) -> list[str]:
    return ["true" if value else "false" for value in values]


_WRITERS: dict[int, tuple[str, Callable[[Any], list[str]]]] = {
    types_pb2.DT_FLOAT: ("float_val", partial(format_decimals, single=True)),
    types_pb2.DT_DOUBLE: ("double_val", partial(format_decimals, single=False)),
    types_pb2.DT_BOOL: ("bool_val", _format_booleans),
    types_pb2.DT_INT64: ("int64_val", _format_integers),
    types_pb2.DT_UINT32: ("uint32_val", _format_integers),
    types_pb2.DT_UINT64: ("uint64_val", _format_integers),
    **dict.fromkeys(
        (types_pb2.DT_INT32, types_pb2.DT_INT16, types_pb2.DT_INT8, types_pb2.DT_UINT8),
        ("int_val", _format_integers),
    ),
}


def _format_values(name: str, tensor: TensorProto, depth: int) -> list[str]:
    """Write every value of a tensor as JSON, row by row."""
    if tensor.dtype == types_pb2.DT_STRING:
        if name.endswith(_BYTES_SUFFIX):
            line = "\n" + _INDENT * depth
            return [
                f'{{{line}{_INDENT}"b64": "{base64.b64encode(value).decode()}"{line}}}'
                for value in tensor.string_val
            ]
        # TF Serving writes the bytes unchanged, UTF-8 or not.
        return [quote(value.decode("utf-8", "surrogateescape")) for value in tensor.string_val]
    if tensor.dtype not in _WRITERS:
        if 0 in _sizes(tensor):
            return []
        dtype: str = types_pb2.DataType.Name(tensor.dtype)
        raise invalid_argument(
            f"Failed to write JSON value for tensor type: {dtype.removeprefix('DT_').lower()}"
        )
    field, format_field = _WRITERS[tensor.dtype]
    return format_field(getattr(tensor, field))


def write_classifications(result: ClassificationResult) -> bytes:
    """Return the body for a Classify request: [label, score] pairs per example.

    Raises: RequestError.
    """
    if not result.classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classifications in result.classifications:
        scores = format_decimals([entry.score for entry in classifications.classes], single=True)
        pairs = [
            f"[{quote(entry.label)}, {score}]"
            for entry, score in zip(classifications.classes, scores, strict=True)
        ]
        rows.append(f"[{', '.join(pairs)}]")
    return encode(f'{{\n{_INDENT}"results": [{", ".join(rows)}\n{_INDENT}]\n}}')


def write_regressions(result: RegressionResult) -> bytes:
    """Return the body for a Regress request: a value per example. Raises: RequestError."""
    if not result.regressions:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    values = format_decimals([regression.value for regression in result.regressions], single=True)
    return encode(f'{{\n{_INDENT}"results": [{", ".join(values)}]\n}}')


def write_status(response: GetModelStatusResponse) -> bytes:
    """Return the body for a status request."""
    return encode(_format_message(response, proto_names=False) + "\n")


def write_metadata(response: GetModelMetadataResponse) -> bytes:
    """Return the body for a metadata request, with the Any in it unpacked."""
    signatures = SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return encode(
        f'{{\n"model_spec":{_format_message(response.model_spec)}\n,\n'
        f'"metadata": {{"signature_def": {_format_message(signatures)}\n}}\n}}\n'
    )


def _format_message(message: Message, *, proto_names: bool = True) -> str:
    text: str = MessageToJson(
        message,
        preserving_proto_field_name=proto_names,
        always_print_fields_with_no_presence=True,
        indent=1,
        ensure_ascii=False,
    )
    return text


def write_error(message: str) -> bytes:
    """Return the body of an error."""
    return f'{{\n{_INDENT}"error": {quote(message)}\n}}'.encode("utf-8", "replace")
