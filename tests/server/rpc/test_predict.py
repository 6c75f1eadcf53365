"""Predict answers like TF Serving: TF_SERVING.md, section 6."""

import itertools
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tests.server.conftest import Predict, Refusal, strings
from tfclf.server.runtime.session import Session

HELLO = {"text": strings("hello")}
STRING = tf.string.as_datatype_enum


def test_assets_are_loaded(predict: Predict) -> None:
    response = predict(inputs={"text": strings("good", "bad", "new")})
    assert list(response.outputs["id"].int64_val) == [0, 1, -1]


def test_floats_come_in_float_val_row_by_row(predict: Predict) -> None:
    output = predict(inputs={"text": strings("ab", "abcd")}).outputs["half"]
    assert [dim.size for dim in output.tensor_shape.dim] == [2, 2]
    assert list(output.float_val) == [1, 2, 2, 3]


def test_a_scalar_has_a_shape_without_dimensions(predict: Predict) -> None:
    output = predict(inputs={"text": tf.make_tensor_proto("a")}, signature="scalar").outputs["text"]
    assert output.HasField("tensor_shape")
    assert not output.tensor_shape.dim


def test_a_trailing_nul_of_a_scalar_stays(predict: Predict) -> None:
    response = predict(inputs={"text": tf.make_tensor_proto(b"a\0\0")}, signature="scalar")
    assert list(response.outputs["text"].string_val) == [b"a\0\0"]


@pytest.mark.parametrize("version", [7, 0, -1])
def test_unknown_version(refusal: Refusal, version: int) -> None:
    expected = ("NOT_FOUND", f"Servable not found for request: Specific(echo, {version})")
    assert refusal(inputs=HELLO, version=version) == expected


def test_the_initialization_signature_is_found_and_has_nothing_to_fetch(refusal: Refusal) -> None:
    expected = (
        "OUT_OF_RANGE",
        "Node 'NoOp' (type: 'NoOp', num of outputs: 0) does not have output 0",
    )
    assert refusal(inputs={}, signature="__saved_model_init_op") == expected


def test_a_signature_that_points_nowhere(refusal: Refusal) -> None:
    code, details = refusal(
        inputs={"text": strings("a"), "text_pair": strings("b")}, signature="dangling"
    )
    assert code == "INVALID_ARGUMENT"
    assert details.startswith(
        "Tensor nowhere:0, specified in either feed_devices or fetch_devices was not found"
    )


def test_too_many_inputs(refusal: Refusal) -> None:
    assert refusal(inputs={"text": strings("a"), "x": strings("b"), "b": strings("c")}) == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=1 len({b,text,x}) != len({text}). "
        "Sent extra: {b,x}. Missing but required: {}.",
    )


def test_an_input_stands_before_its_default(predict: Predict) -> None:
    response = predict(inputs={**HELLO, "text_pair": strings("you")}, signature="with_default")
    assert list(response.outputs["joined"].string_val) == [b"hello+you"]


def test_an_input_without_default_must_be_there(refusal: Refusal) -> None:
    code, details = refusal(inputs={"text_pair": strings("a")}, signature="with_default")
    assert code == "INVALID_ARGUMENT"
    assert details.endswith("in the request {text_pair}, or default input alias set: text_pair")


def test_a_wrong_name_beside_defaults(refusal: Refusal) -> None:
    assert refusal(inputs={**HELLO, "words": strings("a")}, signature="with_default") == (
        "INVALID_ARGUMENT",
        "Inputs contains invalid name. Used request inputs: text, request input: text,words",
    )


@pytest.mark.parametrize(
    "proto",
    [
        TensorProto(),
        TensorProto(dtype=999, string_val=[b"a"]),
        TensorProto(dtype=tf.resource.as_datatype_enum),
        TensorProto(dtype=STRING, tensor_shape={"unknown_rank": True}),
        TensorProto(dtype=STRING, tensor_shape={"dim": [{"size": -1}]}),
        TensorProto(dtype=tf.float32.as_datatype_enum, tensor_content=b"abc"),
        TensorProto(dtype=STRING, tensor_shape={"dim": [{"size": 10**12}]}, string_val=[b"a"]),
    ],
    ids=[
        "empty",
        "dtype",
        "resource",
        "unknown rank",
        "unknown size",
        "short content",
        "10^12 elements",
    ],
)
def test_an_unparsable_tensor(refusal: Refusal, proto: TensorProto) -> None:
    assert refusal(inputs={"text": proto}) == ("INVALID_ARGUMENT", "tensor parsing error: text")


def test_a_wrong_dtype(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "Expects arg[0] to be string but float is provided")
    assert refusal(inputs={"text": tf.make_tensor_proto([1.0])}) == expected


def test_an_error_of_the_graph_keeps_its_code_and_message(refusal: Refusal) -> None:
    code, details = refusal(inputs={"text": strings("seven")}, signature="parse")
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("StringToNumberOp could not correctly convert string: seven")


def test_an_error_of_the_graph_may_quote_what_is_no_utf_8(refusal: Refusal) -> None:
    code, details = refusal(inputs={"text": strings(b"a\xffb")}, signature="parse")
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("StringToNumberOp could not correctly convert string: a\ufffdb")


def test_an_error_of_the_graph_tells_no_path_of_the_server(refusal: Refusal) -> None:
    _, details = refusal(inputs={"text": strings("seven")}, signature="parse")
    assert "/tmp" not in details
    assert ".py" not in details


def test_an_error_that_is_cut_within_a_character_can_be_read(refusal: Refusal) -> None:
    _, details = refusal(inputs={"text": strings("xé" * 2000)}, signature="parse")
    assert details.endswith(("xé...TRUNCATED", "x...TRUNCATED"))


def test_an_empty_batch(predict: Predict) -> None:
    output = predict(inputs={"text": strings()}).outputs["half"]
    assert [dim.size for dim in output.tensor_shape.dim] == [0, 2]
    assert not output.float_val


def test_ten_megabytes_of_text(predict: Predict) -> None:
    text = "long " * 2_000_000
    assert list(predict(inputs={"text": strings(text)}).outputs["length"].int_val) == [len(text)]


def test_however_many_choices_of_outputs_are_asked_for_few_are_prepared(
    echo_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfclf.server.runtime.session._MOST_CHOICES", 8)
    with closing(Session(echo_base / "1")) as session:
        outputs = session.signatures["serving_default"].outputs
        names = [
            outputs[alias].name for alias in ("text", "folded", "length", "half", "id", "version")
        ]
        feeds = {
            session.signatures["serving_default"].inputs["text"].name: np.array([b"Ab"], object)
        }
        known = len(session._choices)
        by_name = dict(zip(names, session.run(feeds, names), strict=True))
        for size in range(1, 7):
            for chosen in itertools.permutations(names, size):
                chosen_outputs = session.run(feeds, chosen)
                assert [output.array.tolist() for output in chosen_outputs] == [
                    by_name[name].array.tolist() for name in chosen
                ]
        assert len(session._choices) == known + 8


def test_all_outputs_of_a_signature_can_be_had_whatever_was_asked_for_before(
    echo_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfclf.server.runtime.session._MOST_CHOICES", 0)
    with closing(Session(echo_base / "1")) as session:
        pairs = session.signatures["pairs"]
        feeds = {info.name: np.array([b"a"], object) for info in pairs.inputs.values()}
        (joined,) = session.run(feeds, [info.name for info in pairs.outputs.values()])
    assert joined.array.tolist() == [b"a+a"]
