"""TensorProto <-> numpy, by the rules of TensorFlow's `Tensor::FromProto` and `AsProtoField`.

`tf.make_ndarray` cannot replace it: it allocates whatever a shape claims, and fails in a dozen ways
on protos that TensorFlow refuses in one. `tf.make_tensor_proto` writes tensor_content, while TF
Serving fills `*_val`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import DTypeLike, NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

# A shape may claim any number of elements and give one value, but a few bytes of request must not
# become gigabytes of memory. The message limit bounds the values that a request contains; this
# limit bounds those that repetition adds.
MOST_REPEATED_BYTES = 1 << 26
_STRING_BYTES = 24  # sizeof(tstring), before the characters
_MOST_ELEMENTS = (1 << 31) - 1  # one byte each already fills the largest message


class TensorProtoError(ValueError):
    """A TensorProto that does not describe a tensor."""


@dataclass(frozen=True)
class _Numeric:
    """The encoding of one numeric dtype in a TensorProto.

    Attributes:
      field: the field of TensorProto that holds its values.
      read: the numpy dtype of that field's numbers.
      bits: the numpy dtype that a number is cast to before its bits are viewed as `array`.
      array: the numpy dtype of the tensor.
    """

    field: str
    read: DTypeLike
    bits: DTypeLike
    array: np.dtype[Any]


def _make_numerics() -> dict[int, _Numeric]:
    # (dtype, field, read, bits). A half travels as its bits in an int32, a complex number as two
    # floats, a float8 as one byte of a bytes field.
    rows: Iterable[tuple[str, str, DTypeLike, DTypeLike]] = (
        ("FLOAT", "float_val", np.float32, np.float32),
        ("DOUBLE", "double_val", np.float64, np.float64),
        ("HALF", "half_val", np.int32, np.uint16),
        ("BFLOAT16", "half_val", np.int32, np.uint16),
        ("COMPLEX64", "scomplex_val", np.float32, np.float32),
        ("COMPLEX128", "dcomplex_val", np.float64, np.float64),
        ("BOOL", "bool_val", np.bool_, np.bool_),
        ("INT8", "int_val", np.int32, np.int8),
        ("INT16", "int_val", np.int32, np.int16),
        ("INT32", "int_val", np.int32, np.int32),
        ("INT64", "int64_val", np.int64, np.int64),
        ("UINT8", "int_val", np.int32, np.uint8),
        ("UINT16", "int_val", np.int32, np.uint16),
        ("UINT32", "uint32_val", np.uint32, np.uint32),
        ("UINT64", "uint64_val", np.uint64, np.uint64),
        ("QINT8", "int_val", np.int32, np.int8),
        ("QINT16", "int_val", np.int32, np.int16),
        ("QINT32", "int_val", np.int32, np.int32),
        ("QUINT8", "int_val", np.int32, np.uint8),
        ("QUINT16", "int_val", np.int32, np.uint16),
        ("FLOAT8_E5M2", "float8_val", np.uint8, np.uint8),
        ("FLOAT8_E4M3FN", "float8_val", np.uint8, np.uint8),
        ("FLOAT8_E4M3FNUZ", "float8_val", np.uint8, np.uint8),
        ("FLOAT8_E4M3B11FNUZ", "float8_val", np.uint8, np.uint8),
        ("FLOAT8_E5M2FNUZ", "float8_val", np.uint8, np.uint8),
        ("FLOAT4_E2M1FN", "float8_val", np.uint8, np.uint8),
        ("INT2", "int_val", np.int32, np.int8),
        ("INT4", "int_val", np.int32, np.int8),
        ("UINT2", "int_val", np.int32, np.uint8),
        ("UINT4", "int_val", np.int32, np.uint8),
    )
    numerics = {}
    for name, field, read, bits in rows:
        number = types_pb2.DataType.Value(f"DT_{name}")
        numerics[number] = _Numeric(
            field, read, bits, np.dtype(tf.dtypes.as_dtype(number).as_numpy_dtype)
        )
    return numerics


_NUMERICS = _make_numerics()


def from_proto(proto: tensor_pb2.TensorProto) -> NDArray[Any]:
    """Return a TensorProto's array; strings become bytes in an object array.

    >>> proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[0.5, 0.25])
    >>> proto.tensor_shape.dim.add(size=3).size
    3
    >>> from_proto(proto).tolist()  # the last value repeats
    [0.5, 0.25, 0.25]

    If there are fewer values than elements, the last one repeats; without any, elements are zeros
    or empty strings. Values beyond the last element are ignored. tensor_content must have the exact
    length.

    Unlike `FromProto`, refuse unknown_rank (it reads the dimensions all the same), repetition that
    fills more than 64 MiB, and more dimensions than numpy has.

    Raises: TensorProtoError.
    """
    sizes = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in sizes):
        raise TensorProtoError(f"the shape is not fully known: {sizes}")
    # Check an empty tensor too: beside its 0 it may name absurd sizes, which kernels then multiply.
    if math.prod(size for size in sizes if size) > _MOST_ELEMENTS:
        raise TensorProtoError(f"the shape has more elements than a message can hold: {sizes}")
    flat = _read_flat(proto, math.prod(sizes))
    try:
        return flat.reshape(sizes)
    except ValueError as error:  # more dimensions than numpy has: 64, where TensorFlow has 254
        raise TensorProtoError(str(error)) from error


def _read_flat(proto: tensor_pb2.TensorProto, count: int) -> NDArray[Any]:
    if proto.dtype == types_pb2.DT_STRING:
        return _read_strings(proto, count)
    numeric = _NUMERICS.get(proto.dtype)
    if numeric is None:
        raise TensorProtoError(f"dtype {proto.dtype} cannot be sent")
    if count and proto.tensor_content:
        return _read_content(proto.tensor_content, numeric, count)
    return _read_values(proto, numeric, count)


def _check_repetition(elements: int, given: int, element_bytes: int) -> None:
    if given < elements and elements * element_bytes > MOST_REPEATED_BYTES:
        raise TensorProtoError(
            f"{given} values for {elements} elements; repetition may fill "
            f"{MOST_REPEATED_BYTES:,} bytes at most"
        )


def _read_strings(proto: tensor_pb2.TensorProto, count: int) -> NDArray[np.object_]:
    if count and proto.tensor_content:
        values = _split_strings(proto.tensor_content, count)
    else:
        values = list(proto.string_val[:count])
    last = values[-1] if values else b""
    _check_repetition(count, len(values), _STRING_BYTES + len(last))
    # np.full and broadcast assignment go through numpy's own bytes type, which drops trailing NULs.
    array = np.empty(count, dtype=object)
    array[:] = values + [last] * (count - len(values))
    return array


def _split_strings(content: bytes, count: int) -> list[bytes]:
    r"""Split the tensor_content of strings: every length as a varint, then all characters.

    >>> _split_strings(b"\x02\x00\x01" + b"no" + b"!", 3)
    [b'no', b'', b'!']
    """
    if count > len(content):
        raise TensorProtoError(f"{len(content)} bytes of tensor_content for {count} strings")
    lengths, position = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if position >= len(content) or shift > 28:
                raise TensorProtoError("tensor_content ends, or overflows, within a length")
            byte = content[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise TensorProtoError("tensor_content is not as long as its strings")
    values = []
    for length in lengths:
        values.append(content[position : position + length])
        position += length
    return values


def _read_content(content: bytes, numeric: _Numeric, count: int) -> NDArray[Any]:
    if len(content) != count * numeric.array.itemsize:
        raise TensorProtoError(f"{len(content)} bytes of tensor_content for {count} elements")
    if numeric.array == np.bool_ and content.translate(None, b"\x00\x01"):
        raise TensorProtoError("tensor_content of booleans holds bytes other than 0 and 1")
    return np.frombuffer(content, numeric.array)


def _read_values(proto: tensor_pb2.TensorProto, numeric: _Numeric, count: int) -> NDArray[Any]:
    numbers_each = numeric.array.itemsize // np.dtype(numeric.bits).itemsize
    # bytes of a float8_val iterate as numbers, just as a repeated field does
    numbers = getattr(proto, numeric.field)[: count * numbers_each]
    given = len(numbers) // numbers_each
    _check_repetition(count, given, numeric.array.itemsize)
    values = (
        np.fromiter(numbers, numeric.read, given * numbers_each)
        .astype(numeric.bits)
        .view(numeric.array)
    )
    if given == count:
        return values
    array = np.zeros(count, numeric.array)
    if given:
        array[:given] = values
        array[given:] = values[-1]
    return array


def to_proto(array: NDArray[Any], dtype: int, *, content: bool = False) -> tensor_pb2.TensorProto:
    """Return an array's TensorProto, with every element in the `*_val` field of its dtype.

    >>> to_proto(np.array([1.5, 2.0], np.float16), types_pb2.DT_HALF).half_val
    [15872, 16384]

    Args:
      array: numbers, or bytes in an object array.
      dtype: the tensor's DataType; the array alone does not tell quantized numbers from plain ones.
      content: writes all elements as bytes in tensor_content instead.
    Raises: TensorProtoError for a dtype without values, such as a resource.
    """
    proto = tensor_pb2.TensorProto(dtype=dtype)
    proto.tensor_shape.SetInParent()  # a scalar's shape is present, and empty
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = np.ascontiguousarray(array).reshape(-1)
    if dtype == types_pb2.DT_STRING:
        if content:
            proto.tensor_content = b"".join(
                [*(_encode_varint(len(value)) for value in flat), *flat]
            )
        else:
            proto.string_val.extend(flat.tolist())
        return proto
    numeric = _NUMERICS.get(dtype)
    if numeric is None:
        raise TensorProtoError(f"a tensor of dtype {dtype} has no values that could be sent")
    numbers = flat.view(numeric.bits)
    if content:
        proto.tensor_content = numbers.tobytes()
    elif numeric.field == "float8_val":
        proto.float8_val = numbers.tobytes()
    else:
        getattr(proto, numeric.field).extend(numbers.tolist())
    return proto


def _encode_varint(number: int) -> bytes:
    r"""Encode a number in groups of seven bits, the lowest first; the last one has no high bit.

    >>> _encode_varint(5), _encode_varint(300)
    (b'\x05', b'\xac\x02')
    """
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
