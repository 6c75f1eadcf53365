"""TensorProtos, malformed ones included, are read as TensorFlow does in tf.io.parse_tensor."""

import math
import random
import tracemalloc
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DataType
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server.conftest import predict_request
from tfclf.server.rpc import tensors

FLOAT, STRING = tf.float32.as_datatype_enum, tf.string.as_datatype_enum
SENDABLE = [
    number
    for name, number in DataType.items()
    if 0 < number < 100 and name not in ("DT_RESOURCE", "DT_VARIANT")
]
VALUES: dict[str, list[Any]] = {
    "half_val": [0, 1, 15360, 70000, -1],
    "float_val": [0.0, 0.5, float("inf")],
    "double_val": [0.0, 0.1],
    "int_val": [0, 1, -1, 300, -200, 70000, 2**31 - 1],
    "string_val": [b"", b"a\0", b"\xff", b"long enough to leave the inline buffer"],
    "scomplex_val": [0.0, 0.5],
    "dcomplex_val": [0.0, 0.1],
    "int64_val": [0, -1, 2**62],
    "bool_val": [True, False],
    "uint32_val": [0, 2**32 - 1],
    "uint64_val": [0, 2**64 - 1],
}


def random_proto(chance: random.Random) -> TensorProto:
    """Make a TensorProto of a few dozen elements at most; more often than not it is malformed."""
    proto = TensorProto(
        dtype=chance.choice([*SENDABLE, *[STRING] * 6, 0, 20, 21, 34, 55, 101, 107, 999])
    )
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        proto.tensor_shape.dim.add(size=chance.choice([0, 1, 1, 2, 3, 4, 5, -1]))
    for field, values in VALUES.items():
        getattr(proto, field).extend(chance.choices(values, k=chance.choice([0, 0, 1, 2, 3, 8])))
    proto.float8_val = chance.randbytes(chance.choice([0, 1, 3, 8]))
    if chance.random() < 0.3:
        size = math.prod(dim.size for dim in proto.tensor_shape.dim)
        size *= (
            1 if proto.dtype == STRING or proto.dtype not in SENDABLE else _item_size(proto.dtype)
        )
        content = chance.choices(
            [0, 1, 1, 0, 2, 200] if chance.random() < 0.1 else [0, 1], k=max(0, size)
        )
        proto.tensor_content = bytes(content[: len(content) + chance.choice([0, 0, 0, -1])])
    return proto


def _item_size(dtype: int) -> int:
    return int(np.dtype(tf.dtypes.as_dtype(dtype).as_numpy_dtype).itemsize)


def read_by_tensorflow(proto: TensorProto) -> NDArray[Any] | None:
    """Return TensorFlow's own array; None if it refuses."""
    try:
        value = tf.io.parse_tensor(
            proto.SerializeToString(), tf.dtypes.as_dtype(proto.dtype)
        ).numpy()
    except (tf.errors.OpError, TypeError):
        return None
    if isinstance(value, bytes):
        scalar = np.empty((), dtype=object)
        scalar[()] = value
        return scalar
    return np.asarray(value)


def read(proto: TensorProto) -> NDArray[Any] | None:
    try:
        return tensors.from_proto(proto)
    except tensors.TensorProtoError:
        return None


def is_same(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.dtype.itemsize == 1 and one.dtype.kind == "V" and not one.dtype.names:
        # Numbers of 2 or 4 bits sit in a byte whose other bits mean nothing.
        return np.array_equal(one.astype(float), other.astype(float), equal_nan=True)
    equal = (
        one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes()
    )
    return one.shape == other.shape and equal


def test_thousands_of_malformed_protos_are_read_as_tensorflow_reads_them() -> None:
    chance = random.Random(20)
    protos = [random_proto(chance) for _ in range(5_000)]
    assert [proto for proto in protos if not is_same(read(proto), read_by_tensorflow(proto))] == []


def test_thousands_of_tensors_survive_the_way_out_and_in() -> None:
    chance = random.Random(21)
    for _ in range(5_000):
        proto = random_proto(chance)
        array = read(proto)
        if array is not None:
            again = tensors.to_proto(array, proto.dtype)
            assert again.tensor_content == b""
            assert is_same(read(again), array)


def test_thousands_of_tensors_survive_the_way_out_as_content() -> None:
    chance = random.Random(24)
    for _ in range(5_000):
        proto = random_proto(chance)
        array = read(proto)
        if array is not None:
            again = tensors.to_proto(array, proto.dtype, content=True)
            assert is_same(read_by_tensorflow(again), read_by_tensorflow(proto))
            assert len(again.tensor_content) > 0 or array.size == 0


def test_random_bytes_are_tensors_or_refused() -> None:
    chance = random.Random(22)
    for _ in range(5_000):
        seed = random_proto(chance).SerializeToString()
        broken = bytearray(seed)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            proto = TensorProto.FromString(bytes(broken))
        except DecodeError:
            continue
        read(proto)


def test_a_thousand_malformed_requests_are_answered_or_refused(stub: PredictionServiceStub) -> None:
    chance = random.Random(23)
    requests = [predict_request({"text": random_proto(chance)}) for _ in range(1_000)]
    codes = {stub.Predict.future(request, timeout=60).code() for request in requests}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


@pytest.mark.parametrize(
    "shape",
    [[10**12], [2**62, 8], [0, 10**12], [2**62, 8, 0], [10**6, 10**6], [2**63 - 1] * 5, [2**28]],
    ids=str,
)
@pytest.mark.parametrize("dtype", [FLOAT, STRING])
def test_claimed_elements_take_no_memory(dtype: int, shape: list[int]) -> None:
    proto = TensorProto(dtype=dtype, float_val=[1.0], string_val=[b"a"])
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    tracemalloc.start()
    with pytest.raises(tensors.TensorProtoError):
        tensors.from_proto(proto)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All threads count, those of other tests' servers included; the claim is 256 times as large.
    assert peak < 1_000_000


def test_one_long_string_is_not_repeated_without_limit() -> None:
    proto = TensorProto(dtype=STRING, string_val=[b"x" * 1_000_000])
    proto.tensor_shape.dim.add(size=1_000)
    with pytest.raises(tensors.TensorProtoError):
        tensors.from_proto(proto)


def test_content_cannot_claim_strings_that_it_does_not_hold() -> None:
    proto = TensorProto(dtype=STRING, tensor_content=b"\x00" * 100)
    proto.tensor_shape.dim.add(size=10**9)
    with pytest.raises(tensors.TensorProtoError):
        tensors.from_proto(proto)


@pytest.mark.parametrize(
    "content", [b"\xff" * 10, b"\xff\xff\xff\xff\x0f", b"\x80", b"\x05a", b"\x01ab"]
)
def test_content_of_strings_with_broken_lengths_is_refused(content: bytes) -> None:
    with pytest.raises(tensors.TensorProtoError):
        tensors.from_proto(TensorProto(dtype=STRING, tensor_content=content))


def test_more_dimensions_than_numpy_has_are_refused() -> None:
    proto = TensorProto(dtype=FLOAT, float_val=[1.0])
    for _ in range(200):
        proto.tensor_shape.dim.add(size=1)
    with pytest.raises(tensors.TensorProtoError):
        tensors.from_proto(proto)


def test_a_trailing_nul_is_repeated_too() -> None:
    proto = TensorProto(dtype=STRING, string_val=[b"a\0"])
    proto.tensor_shape.dim.add(size=2)
    assert tensors.from_proto(proto).tolist() == [b"a\0", b"a\0"]


def test_a_resource_has_no_values_to_send() -> None:
    with pytest.raises(tensors.TensorProtoError):
        tensors.to_proto(np.zeros(1), tf.resource.as_datatype_enum)
