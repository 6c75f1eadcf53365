"""Predict answers as TF Serving does: TF_SERVING.md, section 6."""

import itertools
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tfclf.server.runtime.session import Session

from .conftest import Predict, Refusal, strings
from .models import DTYPES

HELLO = {"text": strings("hello")}
STRING = tf.string.as_datatype_enum


def test_every_output_comes_back_when_none_is_chosen(predict: Predict) -> None:
    assert set(predict(inputs=HELLO).outputs) == {"text", "folded", "length", "half", "id", "version"}


def test_only_chosen_outputs_come_back(predict: Predict) -> None:
    assert set(predict(inputs=HELLO, output_filter=["length", "id"]).outputs) == {"length", "id"}


def test_assets_are_loaded(predict: Predict) -> None:
    response = predict(inputs={"text": strings("good", "bad", "new")})
    assert list(response.outputs["id"].int64_val) == [0, 1, -1]


def test_strings_come_in_string_val(predict: Predict) -> None:
    assert list(predict(inputs=HELLO).outputs["text"].string_val) == [b"hello"]


def test_floats_come_in_float_val_row_by_row(predict: Predict) -> None:
    output = predict(inputs={"text": strings("ab", "abcd")}).outputs["half"]
    assert [dim.size for dim in output.tensor_shape.dim] == [2, 2]
    assert list(output.float_val) == [1, 2, 2, 3]


def test_int32_comes_in_int_val(predict: Predict) -> None:
    assert list(predict(inputs=HELLO).outputs["length"].int_val) == [5]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_in_val_fields(predict: Predict, dtype: str) -> None:
    output = predict(inputs={}, signature="dtypes").outputs[dtype]
    assert output.tensor_content == b""
    np.testing.assert_array_equal(tf.make_ndarray(output), tf.cast([[0, 1, 2]], dtype).numpy())


def test_a_scalar_has_a_shape_without_dimensions(predict: Predict) -> None:
    output = predict(inputs={"text": tf.make_tensor_proto("a")}, signature="scalar").outputs["text"]
    assert output.HasField("tensor_shape")
    assert not output.tensor_shape.dim


def test_a_trailing_nul_of_a_scalar_stays(predict: Predict) -> None:
    response = predict(inputs={"text": tf.make_tensor_proto(b"a\0\0")}, signature="scalar")
    assert list(response.outputs["text"].string_val) == [b"a\0\0"]


def test_the_largest_version_answers(predict: Predict) -> None:
    response = predict(inputs=HELLO)
    assert response.model_spec.version.value == 2
    assert list(response.outputs["version"].int64_val) == [2]


def test_model_spec_is_echoed_with_the_effective_signature(predict: Predict) -> None:
    spec = predict(inputs=HELLO).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("echo", 2, "serving_default")


def test_missing_model_spec(refusal: Refusal) -> None:
    assert refusal(PredictRequest(inputs=HELLO)) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_empty_name(refusal: Refusal) -> None:
    assert refusal(inputs=HELLO, model="") == ("INVALID_ARGUMENT", "ModelSpec has no name specified.")


def test_unknown_model(refusal: Refusal) -> None:
    expected = ("NOT_FOUND", "Servable not found for request: Latest(nobody)")
    assert refusal(inputs=HELLO, model="nobody") == expected


@pytest.mark.parametrize("version", [7, 0, -1])
def test_unknown_version(refusal: Refusal, version: int) -> None:
    expected = ("NOT_FOUND", f"Servable not found for request: Specific(echo, {version})")
    assert refusal(inputs=HELLO, version=version) == expected


def test_unknown_label(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "Unrecognized servable version label: canary")
    assert refusal(inputs=HELLO, label="canary") == expected


def test_unknown_signature(refusal: Refusal) -> None:
    expected = ("FAILED_PRECONDITION", 'Serving signature key "nothing" not found.')
    assert refusal(inputs=HELLO, signature="nothing") == expected


def test_the_initialization_signature_is_found_and_has_nothing_to_fetch(refusal: Refusal) -> None:
    expected = ("OUT_OF_RANGE", "Node 'NoOp' (type: 'NoOp', num of outputs: 0) does not have output 0")
    assert refusal(inputs={}, signature="__saved_model_init_op") == expected


def test_a_signature_that_points_nowhere(refusal: Refusal) -> None:
    code, details = refusal(inputs={"text": strings("a"), "text_pair": strings("b")}, signature="dangling")
    assert code == "INVALID_ARGUMENT"
    assert details.startswith("Tensor nowhere:0, specified in either feed_devices or fetch_devices was not found")


def test_too_few_inputs(refusal: Refusal) -> None:
    assert refusal(inputs=HELLO, signature="pairs") == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({text}) != len({text,text_pair}). "
        "Sent extra: {}. Missing but required: {text_pair}.",
    )


def test_too_many_inputs(refusal: Refusal) -> None:
    assert refusal(inputs={"text": strings("a"), "x": strings("b"), "b": strings("c")}) == (
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=1 len({b,text,x}) != len({text}). "
        "Sent extra: {b,x}. Missing but required: {}.",
    )


def test_the_right_number_of_inputs_with_a_wrong_name(refusal: Refusal) -> None:
    assert refusal(inputs={"words": strings("a")}) == (
        "INVALID_ARGUMENT",
        "Signature input alias: text(feed name: serving_default_text:0) not found in request and no default "
        "value provided. Inputs expected to be in the request {words}, or default input alias set: ",
    )


def test_a_default_stands_in_for_an_input(predict: Predict) -> None:
    response = predict(inputs=HELLO, signature="with_default")
    assert list(response.outputs["joined"].string_val) == [b"hello+!"]


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
    ids=["empty", "dtype", "resource", "unknown rank", "unknown size", "short content", "10^12 elements"],
)
def test_an_unparsable_tensor(refusal: Refusal, proto: TensorProto) -> None:
    assert refusal(inputs={"text": proto}) == ("INVALID_ARGUMENT", "tensor parsing error: text")


def test_a_wrong_dtype(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "Expects arg[0] to be string but float is provided")
    assert refusal(inputs={"text": tf.make_tensor_proto([1.0])}) == expected


def test_an_unknown_output(refusal: Refusal) -> None:
    assert refusal(inputs=HELLO, output_filter=["length", "score"]) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: score "
        "Outputs expected to be in the set {folded,half,id,length,text,version}.",
    )


def test_an_output_chosen_twice(refusal: Refusal) -> None:
    expected = ("INVALID_ARGUMENT", "duplicate output tensor alias: length")
    assert refusal(inputs=HELLO, output_filter=["length", "length"]) == expected


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


def test_a_long_error_is_cut(refusal: Refusal) -> None:
    _, details = refusal(inputs={"text": strings("x" * 5000)}, signature="parse")
    assert details == f"StringToNumberOp could not correctly convert string: {'x' * 5000}"[:1024] + "...TRUNCATED"


def test_an_error_that_is_cut_within_a_character_can_be_read(refusal: Refusal) -> None:
    _, details = refusal(inputs={"text": strings("xé" * 2000)}, signature="parse")
    assert details.endswith(("xé...TRUNCATED", "x...TRUNCATED"))


def test_a_deadline_that_passes(refusal: Refusal) -> None:
    steps = {"steps": tf.make_tensor_proto(10**9)}
    assert refusal(inputs=steps, signature="slow", timeout=0.3)[0] == "DEADLINE_EXCEEDED"


def test_repeated_values_fill_a_tensor(predict: Predict) -> None:
    proto = TensorProto(dtype=STRING, string_val=[b"a", b"bc"])
    proto.tensor_shape.dim.add(size=4)
    assert list(predict(inputs={"text": proto}).outputs["length"].int_val) == [1, 2, 2, 2]


def test_tensor_content_is_read(predict: Predict) -> None:
    proto = TensorProto(dtype=STRING, tensor_content=b"\x01\x02abc")
    proto.tensor_shape.dim.add(size=2)
    assert list(predict(inputs={"text": proto}).outputs["text"].string_val) == [b"a", b"bc"]


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
        names = [outputs[alias].name for alias in ("text", "folded", "length", "half", "id", "version")]
        feeds = {session.signatures["serving_default"].inputs["text"].name: np.array([b"Ab"], object)}
        whole = dict(zip(names, session.run(feeds, names), strict=True))
        for size in range(1, 7):
            for chosen in itertools.permutations(names, size):
                fetched = session.run(feeds, chosen)
                assert [one.array.tolist() for one in fetched] == [whole[name].array.tolist() for name in chosen]
        assert len(session._choices) == 8
