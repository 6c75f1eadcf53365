"""One JSON value -> one element of a tensor: what each dtype accepts, and how others are refused.

Source: tensorflow/serving, util/json_tensor.cc.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from grpc import StatusCode
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfclf.server.status import RequestError, invalid_argument
from tfclf.server.transport.rest.json_text import DuplicateNames, encode, show_value

INT64, UINT64 = (-(1 << 63), (1 << 63) - 1), (0, (1 << 64) - 1)
_TYPES = {
    type(None): "Null",
    dict: "Object",
    DuplicateNames: "Object",
    list: "Array",
    str: "String",
}


@dataclass(frozen=True)
class _Integer:
    """An integer dtype: its field of TensorProto, and the range that RapidJSON accepts.

    RapidJSON has no type narrower than int32, so narrow dtypes take any int32.
    """

    field: str
    low: int
    high: int


@dataclass(frozen=True)
class _Decimal:
    """A floating-point dtype: its field and name, and the largest integer and number it accepts."""

    field: str
    name: str
    most_integer: int
    most: float


_INTEGERS = {
    **dict.fromkeys(
        (types_pb2.DT_INT32, types_pb2.DT_INT16, types_pb2.DT_INT8, types_pb2.DT_UINT8),
        _Integer("int_val", -(1 << 31), (1 << 31) - 1),
    ),
    types_pb2.DT_INT64: _Integer("int64_val", *INT64),
    types_pb2.DT_UINT32: _Integer("uint32_val", 0, (1 << 32) - 1),
    types_pb2.DT_UINT64: _Integer("uint64_val", *UINT64),
}
_DECIMALS = {
    types_pb2.DT_FLOAT: _Decimal(
        "float_val", "float", (1 << 24) - 1, float(np.finfo(np.float32).max)
    ),
    types_pb2.DT_DOUBLE: _Decimal(
        "double_val", "double", (1 << 53) - 1, float(np.finfo(np.float64).max)
    ),
}


def is_base64(value: dict[str, Any]) -> bool:
    """Return whether an object stands for bytes.

    >>> is_base64({"b64": "Ym9u"}), is_base64({"b64": "Ym9u", "text": "bon"})
    (True, False)
    """
    if isinstance(value, DuplicateNames):
        return False
    return len(value) == 1 and isinstance(value.get("b64"), str)


def fill(tensor: TensorProto, flat: list[Any]) -> None:
    """Put values into the field of the tensor's dtype, without a look at each if all are plain."""
    if not flat:
        return
    kinds = set(map(type, flat))
    values = flat
    if integer := _INTEGERS.get(tensor.dtype):
        field = integer.field
        plain = kinds == {int} and integer.low <= min(flat) and max(flat) <= integer.high
    elif decimal := _DECIMALS.get(tensor.dtype):
        field = decimal.field
        plain = kinds == {float} and bool(np.all(~(np.abs(flat) > decimal.most) | np.isinf(flat)))
    elif tensor.dtype == types_pb2.DT_BOOL:
        field, plain = "bool_val", kinds == {bool}
    else:
        field, plain = "string_val", False
    if not plain:
        values = [convert_element(value, tensor.dtype) for value in flat]
    getattr(tensor, field).extend(values)


def convert_element(value: Any, dtype: int) -> Any:
    """Return a value as a dtype's field of TensorProto takes it. Raises: RequestError.

    >>> convert_element("bon", types_pb2.DT_STRING), convert_element(2, types_pb2.DT_FLOAT)
    (b'bon', 2.0)
    >>> convert_element((1 << 24) + 1, types_pb2.DT_FLOAT)
    Traceback (most recent call last):
    tfclf.server.status.RequestError: Cannot convert JSON value: 16777217 to float without loss of
    precision.
    """
    if isinstance(value, dict):
        if dtype != types_pb2.DT_STRING:
            raise _type_error(value, dtype)
        return decode_base64(value)
    if integer := _INTEGERS.get(dtype):
        if type(value) is not int or not integer.low <= value <= integer.high:
            raise _type_error(value, dtype)
        return value
    if decimal := _DECIMALS.get(dtype):
        return _convert_decimal(value, dtype, decimal)
    if dtype == types_pb2.DT_STRING:
        if not isinstance(value, str):
            raise _type_error(value, dtype)
        return encode(value)
    if dtype == types_pb2.DT_BOOL:
        if not isinstance(value, bool):
            raise _type_error(value, dtype)
        return value
    raise RequestError(
        StatusCode.UNIMPLEMENTED,
        f"Conversion of JSON Value: {show_value(value)} to type: {_dtype_name(dtype)}",
    )


def _convert_decimal(value: Any, dtype: int, decimal: _Decimal) -> float:
    if type(value) is int and INT64[0] <= value <= UINT64[1]:
        if abs(value) <= decimal.most_integer:
            return float(value)
    elif type(value) in (int, float):
        number = _to_double(value)
        if not np.isfinite(number) or abs(number) <= decimal.most:
            return number
    else:
        raise _type_error(value, dtype)
    raise _precision_error(value, decimal.name)


def _to_double(value: float) -> float:
    """Convert a number; RapidJSON reads an integer beyond 64 bits as a double."""
    try:
        return float(value)
    except OverflowError:
        raise invalid_argument("JSON Parse error: Number too big to be stored in double.") from None


def decode_base64(value: dict[str, Any]) -> bytes:
    """Return the bytes of a base64 object. Raises: RequestError.

    >>> decode_base64({"b64": "Ym9u IQ"})
    b'bon!'
    """
    if not is_base64(value):
        raise invalid_argument(
            f"JSON Value: {show_value(value)} not formatted correctly for base64 data"
        )
    # Like absl::Base64Unescape: skips white space; padding is optional and may consist of dots.
    text = re.sub(r"[ \t\n\v\f\r]", "", value["b64"])
    bare = text.rstrip("=.")
    try:
        if len(text) != len(bare) and len(text) % 4:
            raise ValueError("wrong padding")
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def _type_error(value: Any, dtype: int) -> RequestError:
    return invalid_argument(
        f"JSON Value: {show_value(value)} Type: {json_type(value)} is not of expected type: "
        f"{_dtype_name(dtype)}"
    )


def _precision_error(value: Any, name: str) -> RequestError:
    return invalid_argument(
        f"Cannot convert JSON value: {show_value(value)} to {name} without loss of precision."
    )


def _dtype_name(dtype: int) -> str:
    name: str = types_pb2.DataType.Name(dtype)
    return name.removeprefix("DT_").lower()


def json_type(value: Any) -> str:
    """Return RapidJSON's name for the type of a value.

    >>> [json_type(value) for value in (None, True, 1.5, "bon", [], {})]
    ['Null', 'True', 'Number', 'String', 'Array', 'Object']
    """
    return str(value) if isinstance(value, bool) else _TYPES.get(type(value), "Number")
