"""The REST API, by plain httpx."""

import base64
import gzip
import json
from typing import Any

import pytest
import tensorflow as tf

from tests.server.conformance.conftest import REST_TIMEOUT
from tests.server.conformance.engines import Served
from tests.server.messages import predict_request, strings
from tests.server.tf1_models import FAULTS

ECHO = "/v1/models/echo:predict"
EXAMPLES = [{"x": 0.5, "name": "a"}, {"x": 3.0, "name": "b"}]
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "NOT_FOUND": 404,
    "UNIMPLEMENTED": 501,
    "DATA_LOSS": 500,
}


def request_json(served: Served, path: str, body: Any = None) -> Any:
    response = served.rest.get(path) if body is None else served.rest.post(path, json=body)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json"), (
        response.text
    )
    return response.json()


def refusal(served: Served, path: str, body: Any = None) -> tuple[int, str]:
    response = served.rest.get(path) if body is None else served.rest.post(path, json=body)
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert list(document) == ["error"]
    return response.status_code, document["error"]


# Predict: forms


def test_rows_of_one_input_are_answered_by_rows_of_objects(served: Served) -> None:
    first, second = request_json(served, ECHO, {"instances": ["good", "unknown"]})["predictions"]
    assert (first["text"], first["id"], first["length"], first["half"]) == (
        "good",
        0,
        4,
        [2.0, 3.0],
    )
    assert (second["text"], second["id"]) == ("unknown", -1)


def test_rows_may_name_their_input(served: Served) -> None:
    named = request_json(served, ECHO, {"instances": [{"text": "good"}]})
    assert named == request_json(served, ECHO, {"instances": ["good"]})


def test_rows_of_several_inputs_are_objects(served: Served) -> None:
    body = {
        "signature_name": "pairs",
        "instances": [{"text": "a", "text_pair": "b"}, {"text": "c", "text_pair": "d"}],
    }
    assert request_json(served, ECHO, body) == {"predictions": ["a+b", "c+d"]}


def test_rows_of_one_output_are_bare_values(served: Served) -> None:
    body = {"instances": [{"examples": {"b64": ""}}], "signature_name": "predict"}
    assert request_json(served, "/v1/models/columns:predict", body) == {"predictions": [[0.0]]}


def test_columns_are_answered_by_columns(served: Served) -> None:
    outputs = request_json(served, ECHO, {"inputs": ["good", "unknown"]})["outputs"]
    assert (outputs["text"], outputs["id"]) == (["good", "unknown"], [0, -1])


def test_columns_of_several_inputs_are_named(served: Served) -> None:
    body = {"signature_name": "pairs", "inputs": {"text": ["a", "c"], "text_pair": ["b", "d"]}}
    assert request_json(served, ECHO, body) == {"outputs": ["a+b", "c+d"]}


def test_columns_may_be_a_scalar(served: Served) -> None:
    assert request_json(served, ECHO, {"signature_name": "scalar", "inputs": "a"}) == {
        "outputs": "a"
    }


def test_bytes_are_sent_as_base64_objects(served: Served) -> None:
    encoded = base64.b64encode(b"a\0b").decode()
    assert request_json(served, ECHO, {"inputs": [{"b64": encoded}]})["outputs"]["length"] == [3]


def test_outputs_whose_names_end_with_bytes_come_as_base64_objects(served: Served) -> None:
    path = "/v1/models/graphs:predict"
    encoded = {"b64": base64.b64encode(b"serve").decode()}
    assert request_json(served, path, {"inputs": [1.0]})["outputs"] == {
        "y": [3.0],
        "graph_bytes": [encoded],
    }
    assert request_json(served, path, {"instances": [1.0]})["predictions"] == [
        {"y": 3.0, "graph_bytes": encoded}
    ]


def test_rest_gives_the_numbers_of_grpc(served: Served) -> None:
    texts = ["hello", "caf\u00e9", ""]
    outputs = served.stub.Predict(predict_request({"text": strings(*texts)})).outputs
    columns = request_json(served, ECHO, {"inputs": texts})["outputs"]
    assert columns["half"] == tf.make_ndarray(outputs["half"]).tolist()
    assert [folded.encode() for folded in columns["folded"]] == list(outputs["folded"].string_val)


def test_a_body_may_be_zipped(served: Served) -> None:
    body = gzip.compress(json.dumps({"inputs": ["a"]}).encode())
    response = served.rest.post(ECHO, content=body, headers={"Content-Encoding": "gzip"})
    assert response.json()["outputs"]["text"] == ["a"]


# Classify and regress


def test_classify_answers_under_results_with_pairs_of_label_and_score(served: Served) -> None:
    actual = request_json(served, "/v1/models/scorer:classify", {"examples": EXAMPLES})
    assert actual == {"results": [[["a", 0.5], ["not a", 0.25]], [["b", 3.0], ["not b", 1.5]]]}


def test_regress_answers_under_results_with_values(served: Served) -> None:
    body = {"signature_name": "regress", "examples": EXAMPLES}
    assert request_json(served, "/v1/models/scorer:regress", body) == {"results": [0.5, 3.0]}


def test_a_context_counts_for_every_example(served: Served) -> None:
    body = {
        "signature_name": "regress",
        "context": {"x": 7.5},
        "examples": [{"name": "a"}, {"x": 1.0}],
    }
    assert request_json(served, "/v1/models/scorer:regress", body) == {"results": [7.5, 1.0]}


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_an_unknown_signature_of_examples_is_refused(served: Served, verb: str) -> None:
    body = {"signature_name": "S", "examples": EXAMPLES}
    expected = (400, "No signature was found with the name: S")
    assert refusal(served, f"/v1/models/scorer:{verb}", body) == expected


# Paths


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v1/models/echo:predict", 2),
        ("/v1/models/echo/versions/1:predict", 1),
        ("/v1/models/echo/labels/stable:predict", 1),
        ("/v1/models/echo/labels/canary:predict", 2),
        ("/V1/Models/echo/Versions/1:predict", 1),
    ],
)
def test_a_path_names_model_and_version_or_label(served: Served, path: str, version: int) -> None:
    assert request_json(served, path, {"inputs": ["a"]})["outputs"]["version"] == [version]


def test_status_tells_versions_and_states(served: Served) -> None:
    actual = request_json(served, "/v1/models/echo")["model_version_status"]
    assert actual == [
        {
            "version": version,
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for version in ("2", "1")
    ]


def test_status_of_one_version_by_its_path(served: Served) -> None:
    actual = request_json(served, "/v1/models/echo/versions/1")["model_version_status"]
    assert [(each["version"], each["state"]) for each in actual] == [("1", "AVAILABLE")]


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v1/models/echo", "2"),
        ("/v1/models/echo/versions/1", "1"),
        ("/v1/models/echo/labels/stable", "1"),
    ],
)
def test_metadata_by_its_path(served: Served, path: str, version: str) -> None:
    document = request_json(served, f"{path}/metadata")
    assert document["model_spec"] == {"name": "echo", "signature_name": "", "version": version}
    signatures = document["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["inputs"]["text"] == {
        "name": "serving_default_text:0",
        "dtype": "DT_STRING",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
    }


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/v1/models/x", 404, "Could not find any versions of model x"),
        ("/v1/models/echo/versions/7", 404, "Could not find version 7 of model echo"),
        ("/v1/models/x/metadata", 404, "Servable not found for request: Latest(x)"),
        (
            "/v1/models/echo/versions/7/metadata",
            404,
            "Servable not found for request: Specific(echo, 7)",
        ),
        ("/v1/models", 400, "Missing model name in request."),
        ("/v1/models/echo:predict", 400, "Malformed request: GET /v1/models/echo:predict"),
        ("/v1/models/echo/nothing", 400, "Malformed request: GET /v1/models/echo/nothing"),
    ],
)
def test_a_bad_get_is_refused_in_these_words(
    served: Served, path: str, status: int, error: str
) -> None:
    assert refusal(served, path) == (status, error)


def test_a_path_outside_the_api_is_404(served: Served) -> None:
    assert served.rest.get("/v2/models/echo").status_code == 404


# Refusals


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        (
            "/v1/models/x:predict",
            {"inputs": ["a"]},
            404,
            "Servable not found for request: Latest(x)",
        ),
        (
            "/v1/models/echo/versions/7:predict",
            {"inputs": ["a"]},
            404,
            "Servable not found for request: Specific(echo, 7)",
        ),
        (
            "/v1/models/echo/labels/L:predict",
            {"inputs": ["a"]},
            400,
            "Unrecognized servable version label: L",
        ),
        (
            ECHO,
            {"inputs": ["a"], "signature_name": "S"},
            400,
            'Serving signature name: "S" not found in signature def',
        ),
        (ECHO, {}, 400, "Missing 'inputs' or 'instances' key"),
        (
            ECHO,
            {"inputs": {"text": ["a"]}, "signature_name": "pairs"},
            400,
            "Missing named input: text_pair in 'inputs' object.",
        ),
        ("/v1/models/echo", {"inputs": ["a"]}, 400, "Malformed request: POST /v1/models/echo"),
        (
            "/v1/models/echo:explain",
            {"inputs": ["a"]},
            400,
            "Malformed request: POST /v1/models/echo:explain",
        ),
    ],
    ids=[
        "model",
        "version",
        "label",
        "signature",
        "no key",
        "missing column",
        "no verb",
        "unknown verb",
    ],
)
def test_a_bad_post_is_refused_in_these_words(
    served: Served, path: str, body: Any, status: int, error: str
) -> None:
    assert refusal(served, path, body) == (status, error)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": "a"}, "Excepting 'instances' to be an list/array"),
        (
            {"instances": ["a"], "inputs": ["a"]},
            "expecting only one of 'inputs' or 'instances' keys to exist",
        ),
        ({"instances": [1.5]}, "1.5"),
        ({"instances": [["a"], ["a", "b"]]}, ""),
        ({"instances": [{"words": "a"}]}, "words"),
        ({"instances": [{"text": "a"}], "signature_name": "with_default"}, "text_pair"),
    ],
    ids=[
        "empty",
        "no list",
        "both forms",
        "a number",
        "ragged",
        "wrong name",
        "a key that has a default",
    ],
)
def test_a_bad_body_is_400_and_says_why(served: Served, body: Any, part: str) -> None:
    status, error = refusal(served, ECHO, body)
    assert (status, part in error) == (400, True), error


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2", b"\xff\xfe"])
def test_a_body_that_is_no_json_is_400(served: Served, body: bytes) -> None:
    response = served.rest.post(ECHO, content=body)
    assert (response.status_code, list(response.json())) == (400, ["error"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_code_of_the_graph_becomes_its_http_status(served: Served, fault: str) -> None:
    inputs = {"x": tf.make_tensor_proto([1.0])}
    code, _ = served.refusal("Predict", predict_request(inputs, model="faults", signature=fault))
    status, error = refusal(
        served, "/v1/models/faults:predict", {"signature_name": fault, "inputs": [1.0]}
    )
    assert (code, status) == (FAULTS[fault], HTTP_STATUS[FAULTS[fault]])
    assert error


def test_a_request_beyond_the_time_limit_is_504(served: Served) -> None:
    status, error = refusal(served, ECHO, {"signature_name": "slow", "inputs": 10**9})
    assert (status, bool(error)) == (504, True)
    assert REST_TIMEOUT < 60


def test_a_rest_error_is_not_cut(served: Served) -> None:
    status, error = refusal(served, ECHO, {"signature_name": "parse", "inputs": ["x" * 5_000]})
    assert (status, "x" * 5_000 in error) == (400, True)


def test_pages_of_other_origins_may_call_where_the_flag_allows_it(single: Served) -> None:
    headers = single.rest.get("/v1/models/one").headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-methods"] == "POST, GET"
