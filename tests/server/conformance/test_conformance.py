"""What every engine answers, embedded or TF Serving proper: TF_SERVING.md, section 6, with plain stubs only."""

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.predict_pb2 import PredictRequest

import tfclf
from tests.checkpoints import DEMO
from tests.server.conftest import predict_request, strings
from tests.server.models import DTYPES
from tfclf.sample_texts import HEADLINES

from .conftest import Served

HELLO = {"text": strings("hello")}
HOSTILE: Mapping[str, str | bytes] = {
    "empty": "",
    "NUL": "a\0b",
    "only NULs": "\0\0",
    "invalid UTF-8": b"\xff\xfe caf\xc3",
    "lone surrogate bytes": b"\xed\xa0\x80",
    "combining marks": "\u0301\u0302\u0303",
    "marks out of order": "a\u0315\u0300\u05ae",
    "right to left": "\u202eabc\u202c \u05d0\u05d1",
    "emoji with joiners": "\U0001f469\u200d\U0001f469\u200d\U0001f466",
    "private use and unassigned": "\ue000\U000e0fff\u0378",
    "one long word": "a" * 5_000,
    "many words": "word " * 2_000,
    "special tokens": "[CLS] [SEP] [PAD] [MASK] [UNK]",
    "line ends": "a\r\nb\u2028c\x0b\x0c",
}


# Predict


def test_every_output_comes_back_in_val_fields(echo: Served) -> None:
    outputs = echo.stub.Predict(predict_request(HELLO)).outputs
    assert set(outputs) == {"text", "folded", "length", "half", "id", "version"}
    assert not any(output.tensor_content for output in outputs.values())
    assert list(outputs["length"].int_val) == [5]


def test_the_largest_version_answers_and_says_so(echo: Served) -> None:
    spec = echo.stub.Predict(predict_request(HELLO)).model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("echo", 2, "serving_default")


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_comes_back(echo: Served, dtype: str) -> None:
    output = echo.stub.Predict(predict_request({}, signature="dtypes")).outputs[dtype]
    np.testing.assert_array_equal(tf.make_ndarray(output), tf.cast([[0, 1, 2]], dtype).numpy())


def test_an_output_filter_picks(echo: Served) -> None:
    assert set(echo.stub.Predict(predict_request(HELLO, output_filter=["id"])).outputs) == {"id"}


def test_a_default_stands_in_for_an_input(echo: Served) -> None:
    response = echo.stub.Predict(predict_request(HELLO, signature="with_default"))
    assert list(response.outputs["joined"].string_val) == [b"hello+!"]


def test_the_last_value_of_a_tensor_repeats(echo: Served) -> None:
    proto = TensorProto(dtype=7, string_val=[b"a", b"bc"], tensor_shape={"dim": [{"size": 4}]})
    assert list(echo.stub.Predict(predict_request({"text": proto})).outputs["length"].int_val) == [1, 2, 2, 2]


def test_a_deadline_passes(echo: Served) -> None:
    request = predict_request({"steps": tf.make_tensor_proto(10**9)}, signature="slow")
    with pytest.raises(grpc.RpcError) as raised:
        echo.stub.Predict(request, timeout=0.3)
    assert raised.value.code().name == "DEADLINE_EXCEEDED"


REFUSED: Mapping[str, tuple[Any, str, str]] = {
    "no model_spec": (PredictRequest(inputs=HELLO), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": (predict_request(HELLO, model=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": (predict_request(HELLO, model="x"), "NOT_FOUND", "Servable not found for request: Latest(x)"),
    "unknown version": (
        predict_request(HELLO, version=7),
        "NOT_FOUND",
        "Servable not found for request: Specific(echo, 7)",
    ),
    "unknown label": (
        predict_request(HELLO, label="canary"),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    ),
    "unknown signature": (
        predict_request(HELLO, signature="S"),
        "FAILED_PRECONDITION",
        'Serving signature key "S" not found.',
    ),
    "too few inputs": (
        predict_request(HELLO, signature="pairs"),
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({text}) != len({text,text_pair}). "
        "Sent extra: {}. Missing but required: {text_pair}.",
    ),
    "wrong name": (
        predict_request({"words": strings("a")}),
        "INVALID_ARGUMENT",
        "Signature input alias: text(feed name: serving_default_text:0) not found in request and no default "
        "value provided. Inputs expected to be in the request {words}, or default input alias set: ",
    ),
    "unparsable tensor": (predict_request({"text": TensorProto()}), "INVALID_ARGUMENT", "tensor parsing error: text"),
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
def test_a_bad_predict_request_is_refused_in_these_words(echo: Served, case: str) -> None:
    request, code, details = REFUSED[case]
    assert echo.refusal("Predict", request) == (code, details)


def test_a_wrong_dtype_is_refused_and_named(echo: Served) -> None:
    code, details = echo.refusal("Predict", predict_request({"text": tf.make_tensor_proto([1.0])}))
    assert code == "INVALID_ARGUMENT"
    assert "string" in details
    assert "float" in details


def test_a_long_error_is_cut(echo: Served) -> None:
    _, details = echo.refusal("Predict", predict_request({"text": strings("x" * 5000)}, signature="parse"))
    assert details.endswith("...TRUNCATED")
    assert len(details) == 1024 + len("...TRUNCATED")


# GetModelMetadata


def _metadata(model: str, *fields: str) -> GetModelMetadataRequest:
    request = GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = model
    return request


def test_metadata_holds_the_signatures_of_the_file(demo: Served) -> None:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    found = SignatureDefMap()
    response = demo.stub.GetModelMetadata(_metadata(demo.model, "signature_def"))
    assert response.metadata["signature_def"].Unpack(found)
    saved = SavedModel.FromString((DEMO / "1" / "saved_model.pb").read_bytes()).meta_graphs[0].signature_def
    assert {name: dict(signature.inputs) for name, signature in found.signature_def.items()} == {
        name: dict(signature.inputs) for name, signature in saved.items()
    }
    assert response.model_spec.signature_name == ""


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ((), "GetModelMetadataRequest must specify at least one metadata_field"),
        (("weights",), "Metadata field weights is not supported"),
    ],
)
def test_metadata_that_is_not_there_is_refused(demo: Served, fields: tuple[str, ...], details: str) -> None:
    assert demo.refusal("GetModelMetadata", _metadata(demo.model, *fields)) == ("INVALID_ARGUMENT", details)


# An export, against the same export in this process


@pytest.fixture(scope="module")
def in_process() -> tfclf.Classifier:
    return tfclf.load(DEMO)


def _same(demo: Served, in_process: tfclf.Classifier, texts: list[str | bytes]) -> None:
    outputs = demo.stub.Predict(predict_request({"text": strings(*texts)}, model=demo.model), timeout=60).outputs
    expected = in_process(tf.constant(texts, tf.string, [len(texts)]))
    assert [*outputs["label"].string_val] == expected["label"].numpy().tolist()
    np.testing.assert_allclose(tf.make_ndarray(outputs["logits"]), expected["logits"].numpy(), atol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 33, 200])
def test_a_batch_is_answered_as_in_process(demo: Served, in_process: tfclf.Classifier, rows: int) -> None:
    _same(demo, in_process, [HEADLINES[row % len(HEADLINES)] for row in range(rows)])


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_answered_as_in_process(demo: Served, in_process: tfclf.Classifier, kind: str) -> None:
    _same(demo, in_process, [HOSTILE[kind], HEADLINES[0]])


def test_many_clients_at_once_get_each_their_own_answer(demo: Served) -> None:
    texts = [*HEADLINES, *(f"{headline} again" for headline in HEADLINES)] * 4
    alone = {
        text: demo.stub.Predict(predict_request({"text": strings(text)}, model=demo.model))
        .outputs["label"]
        .string_val[0]
        for text in set(texts)
    }
    calls = [demo.stub.Predict.future(predict_request({"text": strings(text)}, model=demo.model)) for text in texts]
    assert [call.result(timeout=60).outputs["label"].string_val[0] for call in calls] == [alone[text] for text in texts]
