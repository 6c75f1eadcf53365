"""JSON bodies of classify and regress -> tf.Examples (tensorflow/serving, util/json_tensor.cc)."""

from typing import Any

from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tfclf.server.status import invalid_argument
from tfclf.server.transport.rest.json_text import (
    encode,
    make_readable,
    parse,
    read_signature_name,
    show_value,
)
from tfclf.server.transport.rest.values import (
    INT64,
    UINT64,
    convert_element,
    decode_base64,
    is_base64,
    json_type,
)


def read_examples(body: bytes, request: ClassificationRequest | RegressionRequest) -> None:
    """Read a classify or regress body into a request whose ModelSpec comes from the path.

    Raises: RequestError.
    """
    document = parse(body)
    read_signature_name(document, request.model_spec)
    examples = request.input.example_list.examples
    if "context" in document:
        listed = request.input.example_list_with_context
        _read_example(document["context"], listed.context)
        listed.context.SetInParent()
        examples = listed.examples
    if "examples" not in document:
        raise invalid_argument(
            f"JSON Value: {show_value(document)} When method is classify, key 'examples' is "
            "expected and was not found"
        )
    values = document["examples"]
    if not isinstance(values, list):
        raise invalid_argument(
            f"JSON Value: {show_value(document)} Expecting 'examples' value to be an list/array"
        )
    if not values:
        raise invalid_argument(
            f"JSON Value: {show_value(document)} 'examples' value is an empty array"
        )
    for value in values:
        _read_example(value, examples.add())


def _read_example(value: Any, example: Example) -> None:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {json_type(value)}")
    example.features.SetInParent()
    for name, content in getattr(value, "pairs", value.items()):
        feature = Feature()
        for part in content if isinstance(content, list) else [content]:
            _add_to_feature(part, make_readable(name), feature)
        example.features.feature[make_readable(name)].CopyFrom(feature)


_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def _add_to_feature(value: Any, name: str, feature: Feature) -> None:
    if (
        value is None
        or isinstance(value, list)
        or (isinstance(value, dict) and not is_base64(value))
    ):
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: {json_type(value)}"
        )
    if isinstance(value, str | dict):
        field = "bytes_list"
    elif isinstance(value, float) or not INT64[0] <= value <= UINT64[1]:
        field = "float_list"
    else:
        field = "int64_list"
    kind = feature.WhichOneof("kind")
    if kind not in (None, field):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: {_KINDS[kind]}"
        )
    if isinstance(value, dict):
        value = decode_base64(value)
    elif isinstance(value, str):
        value = encode(value)
    elif field == "float_list":
        value = convert_element(value, types_pb2.DT_FLOAT)
    elif value > INT64[1]:
        raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
    getattr(feature, field).value.append(int(value) if field == "int64_list" else value)
