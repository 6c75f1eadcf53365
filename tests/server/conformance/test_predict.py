"""Predict over gRPC."""

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tests.server.conformance.engines import Served
from tests.server.messages import predict_request, strings
from tests.server.models import DTYPES

HELLO = {"text": strings("hello")}
X = {"x": tf.make_tensor_proto([[1.0]])}


def test_every_output_comes_back_in_val_fields(served: Served) -> None:
    outputs = served.stub.Predict(predict_request(HELLO)).outputs
    assert set(outputs) == {"text", "folded", "length", "half", "id", "version"}
    assert not any(output.tensor_content for output in outputs.values())
    assert list(outputs["length"].int_val) == [5]
    assert list(outputs["half"].float_val) == [2.5, 3.5]
    assert list(outputs["text"].string_val) == [b"hello"]
    assert list(outputs["version"].int64_val) == [2]


def test_equal_values_are_each_spelled_out(served: Served) -> None:
    outputs = served.stub.Predict(predict_request({"text": strings(*["a"] * 9)})).outputs
    assert list(outputs["length"].int_val) == [1] * 9


def test_tensor_content_where_the_flag_asks_for_it(single: Served) -> None:
    request = predict_request({"x": tf.make_tensor_proto([1.0, 2.0])}, model="one")
    y = single.stub.Predict(request).outputs["y"]
    assert (list(y.float_val), y.tensor_content) == ([], np.array([3, 6], np.float32).tobytes())


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back(served: Served, dtype: str) -> None:
    output = served.stub.Predict(predict_request({}, signature="dtypes")).outputs[dtype]
    assert output.tensor_content == b""
    np.testing.assert_array_equal(tf.make_ndarray(output), tf.cast([[0, 1, 2]], dtype).numpy())


def test_a_request_may_use_val_fields(served: Served) -> None:
    proto = TensorProto(
        dtype=1, float_val=[1.0, 2.0], tensor_shape={"dim": [{"size": 2}, {"size": 1}]}
    )
    request = predict_request({"x": proto}, model="half_plus_two", output_filter=["y"])
    assert list(served.stub.Predict(request).outputs["y"].float_val) == [2.5, 3.0]


def test_a_request_may_use_tensor_content(served: Served) -> None:
    content = np.array([1, 2], np.float32).tobytes()
    proto = TensorProto(
        dtype=1, tensor_content=content, tensor_shape={"dim": [{"size": 2}, {"size": 1}]}
    )
    request = predict_request({"x": proto}, model="half_plus_two", output_filter=["y"])
    assert list(served.stub.Predict(request).outputs["y"].float_val) == [2.5, 3.0]


def test_strings_may_come_in_tensor_content(served: Served) -> None:
    proto = TensorProto(dtype=7, tensor_content=b"\x01\x02abc", tensor_shape={"dim": [{"size": 2}]})
    assert list(
        served.stub.Predict(predict_request({"text": proto})).outputs["text"].string_val
    ) == [b"a", b"bc"]


def test_the_last_value_of_a_tensor_repeats(served: Served) -> None:
    proto = TensorProto(dtype=7, string_val=[b"a", b"bc"], tensor_shape={"dim": [{"size": 4}]})
    assert list(
        served.stub.Predict(predict_request({"text": proto})).outputs["length"].int_val
    ) == [1, 2, 2, 2]


def test_a_tensor_without_values_is_zeros(served: Served) -> None:
    proto = TensorProto(dtype=1, tensor_shape={"dim": [{"size": 2}, {"size": 1}]})
    request = predict_request({"x": proto}, model="half_plus_two", output_filter=["y"])
    assert list(served.stub.Predict(request).outputs["y"].float_val) == [2.0, 2.0]


def test_a_default_stands_in_for_an_input(served: Served) -> None:
    response = served.stub.Predict(predict_request(HELLO, signature="with_default"))
    assert list(response.outputs["joined"].string_val) == [b"hello+!"]


def test_an_empty_batch_is_answered_with_an_empty_batch(served: Served) -> None:
    outputs = served.stub.Predict(predict_request({"text": strings()})).outputs
    assert {
        name: tf.make_ndarray(output).shape[0] for name, output in outputs.items()
    } == dict.fromkeys(outputs, 0)


# model_spec and output_filter


def test_without_a_version_the_largest_answers(served: Served) -> None:
    assert served.stub.Predict(predict_request(HELLO)).model_spec.version.value == 2


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_is_asked_for_answers(served: Served, version: int) -> None:
    response = served.stub.Predict(predict_request(HELLO, version=version))
    assert (response.model_spec.version.value, list(response.outputs["version"].int64_val)) == (
        version,
        [version],
    )


@pytest.mark.parametrize(("label", "version"), [("stable", 1), ("canary", 2)])
def test_a_label_stands_for_its_version_and_is_not_echoed(
    served: Served, label: str, version: int
) -> None:
    spec = served.stub.Predict(predict_request(HELLO, label=label)).model_spec
    assert (spec.version.value, spec.version_label, spec.WhichOneof("version_choice")) == (
        version,
        "",
        "version",
    )


@pytest.mark.parametrize(("asked", "effective"), [("", "serving_default"), ("dtypes", "dtypes")])
def test_the_effective_signature_is_echoed(served: Served, asked: str, effective: str) -> None:
    request = predict_request({} if asked else HELLO, signature=asked)
    spec = served.stub.Predict(request).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("echo", 2, effective)


def test_an_output_filter_picks(served: Served) -> None:
    assert set(served.stub.Predict(predict_request(HELLO, output_filter=["id"])).outputs) == {"id"}


def test_an_empty_output_filter_means_all(served: Served) -> None:
    assert len(served.stub.Predict(predict_request(HELLO, output_filter=[])).outputs) == 6


def test_an_output_that_is_not_chosen_is_not_computed(served: Served) -> None:
    served.stub.Predict(predict_request(X, model="half_plus_two", output_filter=["y"]))
    code, details = served.refusal("Predict", predict_request(X, model="half_plus_two"))
    assert code == "INVALID_ARGUMENT"
    assert "never a number" in details


# Refusals

_PAIR = "len({text,text_pair})"
REFUSED: Mapping[str, tuple[Any, str, str]] = {
    "no model_spec": (PredictRequest(inputs=HELLO), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": (
        predict_request(HELLO, model=""),
        "INVALID_ARGUMENT",
        "ModelSpec has no name specified.",
    ),
    "unknown model": (
        predict_request(HELLO, model="x"),
        "NOT_FOUND",
        "Servable not found for request: Latest(x)",
    ),
    "unknown version": (
        predict_request(HELLO, version=7),
        "NOT_FOUND",
        "Servable not found for request: Specific(echo, 7)",
    ),
    "unknown label": (
        predict_request(HELLO, label="nobody"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: nobody",
    ),
    "unknown signature": (
        predict_request(HELLO, signature="S"),
        "FAILED_PRECONDITION",
        'Serving signature key "S" not found.',
    ),
    "no default signature": (
        predict_request(X, model="faults"),
        "FAILED_PRECONDITION",
        'Serving signature key "serving_default" not found.',
    ),
    "too few inputs": (
        predict_request(HELLO, signature="pairs"),
        "INVALID_ARGUMENT",
        f"input size does not match signature: 1!=2 len({{text}}) != {_PAIR}. "
        "Sent extra: {}. Missing but required: {text_pair}.",
    ),
    "too many inputs": (
        predict_request({**HELLO, "more": strings("a"), "most": strings("a")}, signature="pairs"),
        "INVALID_ARGUMENT",
        f"input size does not match signature: 3!=2 len({{more,most,text}}) != {_PAIR}. "
        "Sent extra: {more,most}. Missing but required: {text_pair}.",
    ),
    "no inputs": (
        predict_request({}),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({text}). "
        "Sent extra: {}. Missing but required: {text}.",
    ),
    "wrong name": (
        predict_request({"words": strings("a")}),
        "INVALID_ARGUMENT",
        "Signature input alias: text(feed name: serving_default_text:0) not found in request and "
        "no default "
        "value provided. Inputs expected to be in the request {words}, or default input alias set: "
        "",
    ),
    "unparsable tensor": (
        predict_request({"text": TensorProto()}),
        "INVALID_ARGUMENT",
        "tensor parsing error: text",
    ),
    "tensor_content of a wrong length": (
        predict_request(
            {
                "text": TensorProto(
                    dtype=1, tensor_content=b"abc", tensor_shape={"dim": [{"size": 1}]}
                )
            }
        ),
        "INVALID_ARGUMENT",
        "tensor parsing error: text",
    ),
    "unknown output": (
        predict_request(HELLO, output_filter=["score"]),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: score "
        "Outputs expected to be in the set {folded,half,id,length,text,version}.",
    ),
    "output chosen twice": (
        predict_request(HELLO, output_filter=["id", "id"]),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: id",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_predict_request_is_refused_in_these_words(served: Served, case: str) -> None:
    request, code, details = REFUSED[case]
    assert served.refusal("Predict", request) == (code, details)


def test_a_wrong_dtype_is_refused_and_named(served: Served) -> None:
    code, details = served.refusal(
        "Predict", predict_request({"text": tf.make_tensor_proto([1.0])})
    )
    assert code == "INVALID_ARGUMENT"
    assert "string" in details
    assert "float" in details


def test_an_error_of_the_graph_keeps_its_code(served: Served) -> None:
    request = predict_request({"text": strings("no number")}, signature="parse")
    code, details = served.refusal("Predict", request)
    assert code == "INVALID_ARGUMENT"
    assert "no number" in details


def test_a_long_error_is_cut_at_1024_characters(served: Served) -> None:
    _, details = served.refusal(
        "Predict", predict_request({"text": strings("x" * 5000)}, signature="parse")
    )
    assert details.endswith("...TRUNCATED")
    assert len(details) == 1024 + len("...TRUNCATED")


def test_a_deadline_passes(served: Served) -> None:
    request = predict_request({"steps": tf.make_tensor_proto(10**9)}, signature="slow")
    assert served.refusal("Predict", request, timeout=0.3)[0] == "DEADLINE_EXCEEDED"
    served.stub.Predict(predict_request(HELLO), timeout=60)


# Messages


def test_a_request_may_be_longer_than_grpc_s_own_limit(served: Served) -> None:
    length = 20 << 20  # gRPC's own is 4 MiB
    request = predict_request({"text": strings("a" * length)}, output_filter=["length"])
    assert list(served.stub.Predict(request).outputs["length"].int_val) == [length]


def test_a_client_by_default_takes_answers_up_to_4_mib(served: Served) -> None:
    def predict(length: int) -> Any:
        method = "/tensorflow.serving.PredictionService/Predict"
        serialize = PredictRequest.SerializeToString
        return plain.unary_unary(method, request_serializer=serialize)(
            predict_request({"text": strings("a" * length)}, output_filter=["text"]), timeout=60
        )

    with grpc.insecure_channel(served.address) as plain:
        assert len(predict((4 << 20) - 1000)) > (4 << 20) - 1000
        with pytest.raises(grpc.RpcError) as raised:
            predict(4 << 20)
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("method", ["PredictStreamed", "SessionRun"])
def test_there_are_no_other_methods(served: Served, method: str) -> None:
    call = served.channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=60)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_is_none_is_refused(served: Served) -> None:
    call = served.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\xff\xff\xff", timeout=60)
    assert raised.value.code() is grpc.StatusCode.INTERNAL
