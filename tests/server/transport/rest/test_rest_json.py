"""JSON <-> messages by TF Serving's rules (json_tensor.cc), without a server or a model."""

import base64
import contextlib
import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResult
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from tests.server.models import JSON_DTYPES
from tfclf.server.rpc import tensors
from tfclf.server.status import RequestError
from tfclf.server.transport.rest.examples import read_examples
from tfclf.server.transport.rest.json_text import format_decimals
from tfclf.server.transport.rest.read import read_predict
from tfclf.server.transport.rest.write import (
    write_classifications,
    write_predict,
    write_regressions,
)


def read(body: Any, **dtypes: str) -> tuple[PredictRequest, bool]:
    infos: Mapping[str, TensorInfo] = {
        name: TensorInfo(dtype=tf.as_dtype(dtype).as_datatype_enum)
        for name, dtype in dtypes.items()
    }
    if not isinstance(body, str | bytes):
        body = json.dumps(body)
    raw = body.encode() if isinstance(body, str) else body
    return read_predict(raw, ModelSpec(name="m"), lambda _spec: infos)


def tensor(body: Any, dtype: str) -> np.ndarray[Any, Any]:
    request, _ = read(body, x=dtype)
    return tensors.from_proto(request.inputs["x"])


def refusal(body: Any, **dtypes: str) -> str:
    with pytest.raises(RequestError) as raised:
        read(body, **dtypes)
    assert raised.value.code.name in {"INVALID_ARGUMENT", "UNIMPLEMENTED"}
    return raised.value.message


def parse_error(body: Any) -> str:
    return refusal(body, x="int32").removeprefix("JSON Parse error: ")


# Reading predict


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1, 2], "int32"),
        ([[1, 2], [3, 4]], "int64"),
        ([1, 2.5, -0.0], "float32"),
        ([1, 1e300], "float64"),
        ([True, False], "bool"),
        ([[["a"], ["b"]]], "string"),
        ([[], []], "float32"),
        ([2**32 - 1], "uint32"),
        ([2**64 - 1], "uint64"),
    ],
)
def test_rows_become_a_tensor(value: Any, dtype: str) -> None:
    found = tensor({"instances": value}, dtype)
    expected = tf.constant(value, dtype).numpy()
    assert found.tolist() == expected.tolist()
    assert found.shape == expected.shape


def test_columns_may_be_a_scalar() -> None:
    assert tensor({"inputs": 7}, "int32").shape == ()


def test_columns_may_be_empty() -> None:
    assert tensor({"inputs": []}, "float32").shape == (0,)


def test_a_single_input_may_be_named_in_columns() -> None:
    assert tensor({"inputs": {"x": [1]}}, "int32").tolist() == [1]


def test_named_inputs_need_not_share_a_batch_in_columns() -> None:
    request, row = read({"inputs": {"a": [[1, 2]], "b": "text"}}, a="int32", b="string")
    assert not row
    assert [dim.size for dim in request.inputs["a"].tensor_shape.dim] == [1, 2]
    assert request.inputs["b"].string_val == [b"text"]


def test_named_rows_are_stacked() -> None:
    request, row = read(
        {"instances": [{"a": [1, 2], "b": "p"}, {"a": [3, 4], "b": "q"}]}, a="int32", b="string"
    )
    assert row
    assert tensors.from_proto(request.inputs["a"]).tolist() == [[1, 2], [3, 4]]
    assert tensors.from_proto(request.inputs["b"]).tolist() == [b"p", b"q"]


def test_columns_beside_the_inputs_are_ignored() -> None:
    assert list(read({"inputs": {"x": [1], "y": [2]}}, x="int32")[0].inputs) == ["x"]


def test_keys_beside_the_known_are_ignored() -> None:
    assert tensor({"instances": [1], "parameters": {}}, "int32").tolist() == [1]


def test_signature_name_is_read() -> None:
    assert (
        read({"signature_name": "s", "instances": [1]}, x="int32")[0].model_spec.signature_name
        == "s"
    )


@pytest.mark.parametrize("text", ["/w==", "/w", "/w..", " /w = =\n"])
def test_base64_is_bytes_with_padding_or_without(text: str) -> None:
    assert tensor({"instances": [{"b64": text}]}, "string").tolist() == [b"\xff"]


def test_base64_may_stand_beside_text() -> None:
    assert tensor({"instances": [[{"b64": "AA=="}, "a"]]}, "string").tolist() == [[b"\0", b"a"]]


def test_a_string_may_hold_a_nul() -> None:
    assert tensor({"instances": ["a\0b\0"]}, "string").tolist() == [b"a\0b\0"]


def test_bytes_that_are_not_utf8_reach_the_model_as_they_are() -> None:
    assert tensor(b'{"instances": ["a\xff\xc3"]}', "string").tolist() == [b"a\xff\xc3"]


def test_surrogate_pairs_are_one_character() -> None:
    assert tensor('{"instances": ["\\ud83d\\ude00"]}', "string").tolist() == ["\U0001f600".encode()]


def test_a_byte_order_mark_is_skipped() -> None:
    assert tensor(b'\xef\xbb\xbf{"instances": [1]}', "int32").tolist() == [1]


def test_of_a_name_that_comes_twice_the_first_is_taken() -> None:
    assert tensor('{"instances": [1], "instances": [2]}', "int32").tolist() == [1]


def test_nan_and_infinity_are_read() -> None:
    found = tensor('{"instances": [NaN, Infinity, -Infinity]}', "float32").tolist()
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf]


def test_integers_beyond_64_bits_are_decimals() -> None:
    assert tensor('{"instances": [100000000000000000000]}', "float64").tolist() == [1e20]


def test_narrow_integers_wrap_as_tensorproto_does() -> None:
    assert tensor({"instances": [300, -1]}, "uint8").tolist() == [44, 255]


# Refusals, letter for letter

REFUSALS = [
    ({}, "Missing 'inputs' or 'instances' key"),
    ([], "JSON Value: [] Is not object"),
    ({"instances": []}, "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
    (
        {"instances": 1},
        "JSON Value: {\n    \"instances\": 1\n} Excepting 'instances' to be an list/array",
    ),
    (
        {"instances": [1], "inputs": [1]},
        'JSON Value: {\n    "instances": [\n        1\n    ],\n    "inputs": [\n        1\n    '
        "]\n} "
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    (
        {"signature_name": 5},
        'JSON Value: {\n    "signature_name": 5\n} not formatted correctly. '
        "'signature_name' key must be a string value.",
    ),
    (
        {"instances": [[1, 2], [3, 4], [5, 6, 7]]},
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: "
        "Expecting tensor size: 2 but got: 3",
    ),
    (
        {"instances": [[1, 2], [3, 4], [[5, 6]]]},
        "Failed to process element: 2 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "shape [2] but got: [1,2]",
    ),
    (
        {"instances": [1, [1]]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting "
        "shape [] but got: [1]",
    ),
    (
        {"instances": [[1, 2], ["a", "b"]]},
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "a" Type: String is not of expected type: int32',
    ),
    (
        {"instances": [1, {"x": 1}]},
        "Expecting value/list but got object at item 1 of input list",
    ),
    ({"instances": [{"x": 1}, 1]}, "Expecting object but got list at item 1 of input list"),
    (
        {"instances": [{"y": 1}]},
        "Failed to process element: 0 key: y of 'instances' list. Error: INVALID_ARGUMENT: "
        "JSON object: does not have named input: y",
    ),
    (
        {"instances": [{}]},
        "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal to: "
        "x",
    ),
    (
        {"inputs": [[1, 2], [3]]},
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    ({"inputs": [1, [2]]}, "Encountered list at unexpected level: 1 expected < 1"),
    (
        {"inputs": [[1], 2]},
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    ({"inputs": {"y": 1}}, "Missing named input: x in 'inputs' object."),
    ({"inputs": 1.5}, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
    ({"inputs": 2**31}, "JSON Value: 2147483648 Type: Number is not of expected type: int32"),
    ({"inputs": True}, "JSON Value: true Type: True is not of expected type: int32"),
    ({"inputs": None}, "JSON Value: null Type: Null is not of expected type: int32"),
    (
        {"inputs": {"b64": "AA=="}},
        'JSON Value: {\n    "b64": "AA=="\n} Type: Object is not of expected type: int32',
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSALS)
def test_a_fault_is_named_as_tf_serving_names_it(body: Any, message: str) -> None:
    assert refusal(body, x="int32") == message


def test_rows_of_several_inputs_must_be_objects() -> None:
    assert refusal({"instances": [1]}, x="int32", y="int32") == (
        "instances is a plain list, but expecting list of objects as multiple input tensors "
        "required as per "
        "tensorinfo_map"
    )


def test_columns_of_several_inputs_must_be_an_object() -> None:
    assert refusal({"inputs": [1]}, x="int32", y="int32") == (
        "inputs is a plain value/list, but expecting an object as multiple input tensors required "
        "as per tensorinfo_map"
    )


def test_a_signature_without_inputs_is_refused() -> None:
    assert (
        refusal({"signature_name": "s", "inputs": [1]})
        == "Failed to get input map for signature: s"
    )


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (
            2**24,
            "float32",
            "Cannot convert JSON value: 16777216 to float without loss of precision.",
        ),
        (1e39, "float32", "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        (
            3.40282347e38,
            "float32",
            "Cannot convert JSON value: 3.4028234699999998e+38 to float without loss of precision.",
        ),
        (
            -(2**53),
            "float64",
            "Cannot convert JSON value: -9007199254740992 to double without loss of precision.",
        ),
        ("1", "float32", 'JSON Value: "1" Type: String is not of expected type: float'),
        (1, "bool", "JSON Value: 1 Type: Number is not of expected type: bool"),
        (1, "string", "JSON Value: 1 Type: Number is not of expected type: string"),
        (1, "float16", "Conversion of JSON Value: 1 to type: half"),
        ({"b64": "A"}, "string", "Unable to base64 decode"),
        ({"b64": "AA="}, "string", "Unable to base64 decode"),
        ({"b64": "\u00e9\u00e9"}, "string", "Unable to base64 decode"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: Any, dtype: str, message: str) -> None:
    assert refusal({"inputs": value}, x=dtype) == message


def test_an_object_that_is_no_base64_is_refused() -> None:
    message = refusal({"inputs": [{"b64": 1}]}, x="string")
    assert message == 'JSON Value: {\n    "b64": 1\n} not formatted correctly for base64 data'


def test_a_long_value_is_cut_in_a_message() -> None:
    assert len(refusal({"inputs": "a" * 10_000_000}, x="int32")) < 700


def test_a_deep_value_is_cut_in_a_message_in_no_time() -> None:
    assert (
        len(
            refusal(
                '{"signature_name": ' + "[" * 400 + "1," * 100_000 + "1" + "]" * 400 + "}",
                x="int32",
            )
        )
        < 700
    )


# Parsing


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "The document is empty"),
        ("  ", "The document is empty. at offset: 2"),
        ("{", "Missing a name for object member. at offset: 1"),
        ('{"a"}', "Missing a colon after a name of object member. at offset: 4"),
        ('{"a": 1 "b"}', "Missing a comma or } after an object member. at offset: 8"),
        ('{"a": [1 2]}', "Missing a comma or ] after an array element. at offset: 9"),
        ('{"\u00e9": [1 2]}', "Missing a comma or ] after an array element. at offset: 10"),
        ('{"a": ]}', "Invalid value. at offset: 6"),
        ('{"a": "b', "Missing a closing quotation mark in string. at offset: 8"),
        ('{"a": "\\x"}', "Invalid escape character in string. at offset: 7"),
        ('{"a": "\\ud800"}', "The surrogate pair in string is invalid. at offset: 7"),
        (
            '{"a": "\\\\ud800 \\ud83d\\ude00 \\udc80"}',
            "The surrogate pair in string is invalid. at offset: 28",
        ),
        ('{"a": 1, "a": "\\ud800"}', "The surrogate pair in string is invalid. at offset: 15"),
        ('{"a": 1} 2', "The document root must not be followed by other values. at offset: 9"),
        ('{"a": 1.}', "Miss fraction part in number. at offset: 8"),
        ('{"a": 1e}', "Miss exponent in number. at offset: 8"),
        ('{"a": 1e999}', "Number too big to be stored in double. at offset: 6"),
        ('{"a": ' + "9" * 5_000 + "}", "Number too big to be stored in double. at offset: 6"),
    ],
)
def test_a_parse_error_has_rapidjsons_words(body: str, message: str) -> None:
    assert parse_error(body) == message


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"instances":['])
@pytest.mark.parametrize("closed", [False, True])
def test_deep_nesting_is_refused(opening: str, closed: bool) -> None:
    closing = {"[": "]", '{"a":': "}", '{"instances":[': "]}"}[opening]
    body = opening * 100_000 + ("1" + closing * 100_000 if closed else "")
    assert parse_error(body) == "Lists or objects are nested too deeply"


def test_more_dimensions_than_a_tensor_has_are_refused() -> None:
    assert (
        refusal({"inputs": json.loads("[" * 300 + "1" + "]" * 300)}, x="int32")
        == "tensor parsing error: x"
    )


# Writing predict


def proto(value: Any, dtype: str) -> TensorProto:
    array = np.array(
        value, dtype=object if dtype == "string" else tf.as_dtype(dtype).as_numpy_dtype
    )
    return tensors.to_proto(array, tf.as_dtype(dtype).as_datatype_enum)


def test_rows_are_laid_out_as_tf_serving_lays_them_out() -> None:
    outputs = {"y": proto([[0.5, 2], [1 / 3, 9e6]], "float32")}
    assert write_predict(outputs, row=True).decode() == (
        '{\n    "predictions": [[0.5, 2.0], [0.333333343, 9e+06]\n    ]\n}'
    )


def test_named_rows_are_laid_out_as_tf_serving_lays_them_out() -> None:
    outputs = {"a": proto([1, 2], "int32"), "b_bytes": proto([b"x", b"y"], "string")}
    b64 = '{{\n                "b64": "{}"\n            }}'
    row = '        {{\n            "a": {},\n            "b_bytes": {}\n        }}'
    rows = ",\n".join([row.format(1, b64.format("eA==")), row.format(2, b64.format("eQ=="))])
    assert (
        write_predict(outputs, row=True).decode() == f'{{\n    "predictions": [\n{rows}\n    ]\n}}'
    )


def test_columns_are_laid_out_as_tf_serving_lays_them_out() -> None:
    assert write_predict({"y": proto([[1], [2]], "int64")}, row=False).decode() == (
        '{\n    "outputs": [\n        [\n            1\n        ],\n        [\n            2\n     '
        "   ]\n    ]\n}"
    )


def test_a_scalar_column_is_bare() -> None:
    assert (
        write_predict({"y": proto(True, "bool")}, row=False).decode() == '{\n    "outputs": true\n}'
    )


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 0, 3)])
def test_empty_tensors_keep_their_shape_in_columns(shape: tuple[int, ...]) -> None:
    value = np.zeros(shape, np.float32)
    assert json.loads(write_predict({"y": tensors.to_proto(value, 1)}, row=False)) == {
        "outputs": value.tolist()
    }


def test_no_rows_are_an_empty_list() -> None:
    assert json.loads(write_predict({"y": proto([], "int32")}, row=True)) == {"predictions": []}


def test_strings_of_other_names_are_text() -> None:
    assert json.loads(
        write_predict({"y": proto(['a"\\\n\u20ac'.encode()], "string")}, row=True)
    ) == {"predictions": ['a"\\\n\u20ac']}


def test_bytes_that_are_not_utf8_are_written_as_they_are() -> None:
    assert b'["\xff"' in write_predict({"y": proto([b"\xff"], "string")}, row=True)


def written_refusal(*, row: bool, **outputs: TensorProto) -> str:
    with pytest.raises(RequestError) as raised:
        write_predict(outputs, row=row)
    assert raised.value.code.name == "INVALID_ARGUMENT"
    return raised.value.message


def test_rows_need_a_batch_dimension() -> None:
    assert (
        written_refusal(row=True, y=proto(1, "int32")) == "Tensor name: y has no shape information "
    )


def test_rows_need_one_batch_size() -> None:
    message = written_refusal(row=True, a=proto([1], "int32"), b=proto([1, 2], "int32"))
    assert message == "Tensor name: b has inconsistent batch size: 2 expecting: 1"


@pytest.mark.parametrize("row", [True, False])
@pytest.mark.parametrize(
    ("dtype", "name"), [("float16", "half"), ("uint16", "uint16"), ("complex64", "complex64")]
)
def test_dtypes_that_json_does_not_carry_are_named(row: bool, dtype: str, name: str) -> None:
    message = written_refusal(row=row, y=proto([1], dtype))
    assert message == f"Failed to write JSON value for tensor type: {name}"


def test_no_outputs_are_refused() -> None:
    assert written_refusal(row=True) == "Cannot convert empty tensor map to JSON"


@pytest.mark.parametrize(
    ("value", "text"),
    # The values of json_tensor_test.cc, and the ends of the ranges.
    [
        (9000000, "9e+06"),
        (999999, "999999.0"),
        (0.5, "0.5"),
        (0.0003, "0.0003"),
        (0.00003, "3e-05"),
        (555557.5, "555557.5"),
        (-0.0, "-0.0"),
        (16777215, "16777215.0"),
        (3.4028234663852886e38, "3.40282347e+38"),
        (1e-45, "1.4013e-45"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
    ],
)
def test_floats_have_as_few_digits_as_tf_serving_gives_them(value: float, text: str) -> None:
    assert format_decimals([float(np.float32(value))], single=True) == [text]


@given(st.lists(st.floats(width=32)))
def test_floats_are_read_back_as_they_were(values: list[float]) -> None:
    found = [float(text) for text in format_decimals(values, single=True)]
    assert (
        np.array(found, np.float32).tobytes() == np.array(values, np.float32).tobytes()
        or np.isnan(values).any()
    )
    np.testing.assert_array_equal(np.array(found, np.float32), np.array(values, np.float32))


@given(st.lists(st.floats()))
def test_doubles_are_read_back_as_they_were(values: list[float]) -> None:
    np.testing.assert_array_equal(
        [float(text) for text in format_decimals(values, single=False)], values
    )


# There and back

_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    # Nine digits of the largest float32 round up, so neither TF Serving nor this server reads them.
    "float32": st.floats(width=32).filter(lambda value: not 3.4028234e38 < abs(value) < math.inf),
    "float64": st.floats(),
    "bool": st.booleans(),
    "string": st.binary(max_size=5) | st.text(max_size=5).map(str.encode),
    **{
        dtype: st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
        for dtype in ("int8", "int16", "int32", "int64", "uint8", "uint32", "uint64")
    },
}


@st.composite
def _arrays(draw: st.DrawFn) -> tuple[str, np.ndarray[Any, Any]]:
    dtype = draw(st.sampled_from(JSON_DTYPES))
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    values = draw(st.lists(_SCALARS[dtype], min_size=math.prod(shape), max_size=math.prod(shape)))
    array = np.empty(len(values), object)
    array[:] = values
    return dtype, (array if dtype == "string" else array.astype(dtype)).reshape(shape)


@settings(deadline=None, max_examples=300)
@given(_arrays(), st.booleans())
def test_a_tensor_written_and_read_is_the_same(
    drawn: tuple[str, np.ndarray[Any, Any]], row: bool
) -> None:
    dtype, array = drawn
    sent = tensors.to_proto(array, tf.as_dtype(dtype).as_datatype_enum)
    body = write_predict({"x_bytes": sent}, row=row)
    body = body.replace(b'"predictions":', b'"instances":').replace(b'"outputs":', b'"inputs":')
    request, found_row = read(body, x_bytes=dtype)
    assert found_row == row
    if dtype in ("float32", "float64"):
        np.testing.assert_array_equal(tensors.from_proto(request.inputs["x_bytes"]), array)
    else:
        assert request.inputs["x_bytes"] == sent


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.builds(lambda value: {"b64": base64.b64encode(value).decode()}, st.binary(max_size=3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y", "b64"]) | st.text(max_size=2), inner)
    ),
    max_leaves=12,
)
_BODIES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("instances", "inputs", "signature_name", "examples", "context", "something else"), _JSON
    ),
)


@settings(deadline=None, max_examples=500)
@given(_BODIES | _JSON, st.sampled_from((*JSON_DTYPES, "float16")), st.booleans())
def test_any_json_is_read_or_refused(document: Any, dtype: str, two: bool) -> None:
    body = json.dumps(document).encode()
    try:
        request, _ = read(body, **({"x": dtype, "y": "string"} if two else {"x": dtype}))
    except RequestError:
        pass
    else:
        for sent in request.inputs.values():
            assert tensors.from_proto(sent).size >= 0
    with contextlib.suppress(RequestError):
        read_examples(body, ClassificationRequest())


@settings(deadline=None, max_examples=500)
@given(
    st.binary(max_size=40)
    | st.text('[]{}",:\\u0123eE.-NIafntlsd\u00e9\ud800 ', max_size=40).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for whole in (body, b'{"instances": [' + body + b"]}"):
        with contextlib.suppress(RequestError):
            read(whole, x="string")


# Classify and regress


def examples(body: Any) -> ClassificationRequest:
    request = ClassificationRequest()
    read_examples((body if isinstance(body, str) else json.dumps(body)).encode(), request)
    return request


def examples_refusal(body: Any) -> str:
    with pytest.raises(RequestError) as raised:
        examples(body)
    assert raised.value.code.name == "INVALID_ARGUMENT"
    return raised.value.message


def test_examples_are_read() -> None:
    body = {
        "examples": [
            {"i": 1, "f": [0.5, 2.5], "s": ["a", {"b64": "/w=="}], "b": [True, 3], "none": []}
        ]
    }
    example = examples(body).input.example_list.examples[0]
    expected = tf.train.Example(
        features=tf.train.Features(
            feature={
                "i": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
                "f": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, 2.5])),
                "s": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"a", b"\xff"])),
                "b": tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 3])),
                "none": tf.train.Feature(),
            }
        )
    )
    assert example == expected


def test_a_context_is_read() -> None:
    found = examples({"signature_name": "s", "context": {"a": 1}, "examples": [{"b": 2}, {"b": 3}]})
    listed = found.input.example_list_with_context
    assert listed.context.features.feature["a"].int64_list.value == [1]
    assert [example.features.feature["b"].int64_list.value[0] for example in listed.examples] == [
        2,
        3,
    ]
    assert found.model_spec.signature_name == "s"


def test_of_a_feature_that_comes_twice_the_last_is_taken() -> None:
    example = examples('{"examples": [{"a": 1, "a": 2}]}').input.example_list.examples[0]
    assert example.features.feature["a"].int64_list.value == [2]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"examples": [{"a": [1, 2.5]}]},
            "Unexpected element type in feature: a expecting type: int64",
        ),
        (
            {"examples": [{"a": [2.5, 1]}]},
            "Unexpected element type in feature: a expecting type: float",
        ),
        (
            {"examples": [{"a": ["x", 1]}]},
            "Unexpected element type in feature: a expecting type: bytes",
        ),
        ({"examples": [{"a": None}]}, "Feature: a has element with unexpected JSON type: Null"),
        ({"examples": [{"a": [[1]]}]}, "Feature: a has element with unexpected JSON type: Array"),
        (
            {"examples": [{"a": {"c": 1}}]},
            "Feature: a has element with unexpected JSON type: Object",
        ),
        ({"examples": [{"a": 2**63}]}, "Feature: a has uint64 element. Only int64 is supported."),
        (
            {"examples": [{"a": 1e39}]},
            "Cannot convert JSON value: 1e+39 to float without loss of precision.",
        ),
        ({"examples": [{"a": {"b64": "!"}}]}, "Unable to base64 decode"),
        ({"examples": [1]}, "Example must be JSON object but got JSON Number"),
        ({"context": [], "examples": [{}]}, "Example must be JSON object but got JSON Array"),
        (
            {"examples": []},
            "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
        ),
        (
            {"examples": 1},
            "JSON Value: {\n    \"examples\": 1\n} Expecting 'examples' value to be an list/array",
        ),
        (
            {},
            "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
        ),
    ],
)
def test_examples_with_a_fault_are_refused_in_tf_servings_words(body: Any, message: str) -> None:
    assert examples_refusal(body) == message


def test_classifications_are_laid_out_as_tf_serving_lays_them_out() -> None:
    result = ClassificationResult()
    for label, score in (("good", 0.75), ("\u20ac", 1.0)):
        result.classifications.add().classes.add(label=label, score=score)
    assert write_classifications(result).decode() == (
        '{\n    "results": [[["good", 0.75]], [["\u20ac", 1.0]]\n    ]\n}'
    )


def test_regressions_are_laid_out_as_tf_serving_lays_them_out() -> None:
    result = RegressionResult()
    for value in (2.5, 3):
        result.regressions.add(value=value)
    assert write_regressions(result).decode() == '{\n    "results": [2.5, 3.0]\n}'


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_classifications, "Classification"), (write_regressions, "Regression")],
)
def test_empty_results_are_refused(write: Any, name: str) -> None:
    with pytest.raises(RequestError, match=f"Cannot convert empty {name}Results to JSON"):
        write(ClassificationResult() if name == "Classification" else RegressionResult())


def test_float32_is_what_struct_says() -> None:
    text = format_decimals([struct.unpack("f", struct.pack("f", 0.1))[0]], single=True)[0]
    assert text == "0.1"
