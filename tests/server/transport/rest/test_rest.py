"""REST answers like TF Serving: paths, codes, forms, the same numbers as gRPC."""

import asyncio
import base64
import contextlib
import gzip
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.json_format import ParseDict
from grpc import StatusCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.server.fakes import wait_until
from tests.server.models import JSON_DTYPES
from tests.server.scorers import save_scorer
from tfclf.server.context import RequestContext
from tfclf.server.request_record import RequestRecord
from tfclf.server.rpc import tensors
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.service import Service
from tfclf.server.status import RequestError
from tfclf.server.transport.http import HttpServer
from tfclf.server.transport.rest.app import rest_app
from tfclf.server.transport.rest.handler import RestHandler

Fetch = Callable[..., httpx.Response]


class Numbers(tf.Module):
    """A model that returns a tensor of every dtype that JSON carries."""

    @tf.function(input_signature=[tf.TensorSpec(None, dtype, name=dtype) for dtype in JSON_DTYPES])
    def same(self, *values: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            f"{dtype}_bytes": tf.identity(value)
            for dtype, value in zip(JSON_DTYPES, values, strict=True)
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def half(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": tf.cast(x, tf.float16)}


class StandIn(Service):
    """A service that can hold one request, and has a bug for another."""

    def __init__(self, registry: Registry, **options: Any) -> None:
        super().__init__(registry, **options)
        self.hold: threading.Event | None = None
        self.call: RequestContext | None = None

    def was_cancelled(self) -> bool:
        """Return whether the client of the held request has hung up."""
        return self.call is not None and self.call.cancelled

    def predict(
        self, request: PredictRequest, call: RequestContext, *, protocol: str = "grpc"
    ) -> PredictResponse:
        texts = list(request.inputs["text"].string_val) if "text" in request.inputs else []
        if self.hold is not None and texts == [b"hold"]:
            self.call = call
            self.hold.wait(60)
        if texts == [b"bug, secret"]:
            raise KeyError(texts)
        return super().predict(request, call, protocol=protocol)


@pytest.fixture(scope="module")
def registry(
    echo_base: Path, half_plus_two_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    numbers = tmp_path_factory.mktemp("numbers") / "1"
    module = Numbers()
    tf.saved_model.save(
        module, str(numbers), signatures={"serving_default": module.same, "half": module.half}
    )
    scorer = tmp_path_factory.mktemp("scorer") / "1"
    save_scorer(scorer)
    servables = [
        Servable.load("echo", 1, echo_base / "1"),
        Servable.load("echo", 2, echo_base / "2"),
        Servable.load("half_plus_two", 123, half_plus_two_base / "123"),
        Servable.load("a.b/c:d é", 1, echo_base / "1"),
        Servable.load("numbers", 1, numbers),
        Servable.load("scorer", 1, scorer),
    ]
    yield Registry(servables, labels={"echo": {"stable": 1}})
    for servable in servables:
        servable.close()


@pytest.fixture(scope="module")
def ended() -> list[RequestRecord]:
    return []


@pytest.fixture(scope="module")
def service(registry: Registry, ended: list[RequestRecord]) -> StandIn:
    return StandIn(registry, observers=[ended.append])


def _metrics(request: Request) -> PlainTextResponse:
    return PlainTextResponse("metrics")


@pytest.fixture(scope="module")
def server(service: StandIn) -> Iterator[HttpServer]:
    with ThreadPoolExecutor(4) as threads:
        app = rest_app(
            service,
            threads,
            max_body_bytes=20_000_000,
            extra=[Route("/monitoring/prometheus/metrics", _metrics)],
        )
        with HttpServer(app, port=0) as running:
            yield running


@pytest.fixture(scope="module")
def fetch(server: HttpServer) -> Iterator[Fetch]:
    """A client: fetch("GET", "/v1/models/echo") sends the path unchanged."""
    with httpx.Client(timeout=60, trust_env=False) as client:

        def call(method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
            url = httpx.URL(
                scheme="http", host="127.0.0.1", port=server.port, raw_path=path.encode()
            )
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            return client.request(method, url, content=content, **options)

        yield call


def predict_over_rest(fetch: Fetch, body: Any, path: str = "/v1/models/echo:predict") -> Any:
    response = fetch("POST", path, body)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return json.loads(response.content)


def fetch_error(
    fetch: Fetch, method: str, path: str, body: Any = None, **options: Any
) -> tuple[int, str]:
    response = fetch(method, path, body, **options)
    assert response.headers["content-type"] == "application/json"
    document = json.loads(response.content)
    assert list(document) == ["error"]
    return response.status_code, document["error"]


# Paths


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v1/models/echo:predict", 2),
        ("/v1/models/echo/versions/1:predict", 1),
        ("/v1/models/echo/labels/stable:predict", 1),
        ("/V1/Models/echo/Versions/1:predict", 1),
        ("/v1/models/a.b%2Fc%3Ad%20%C3%A9:predict", 1),
        ("/v1/models/%65cho:predict", 2),
    ],
)
def test_a_path_names_model_and_version(fetch: Fetch, path: str, version: int) -> None:
    assert (
        predict_over_rest(fetch, {"instances": ["a"]}, path)["predictions"][0]["version"] == version
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/models/echo"),
        ("POST", "/v1/models/echo:PREDICT"),
        ("POST", "/v1/models/echo:explain"),
        ("POST", "/v1/models/echo:predict?a=b"),
        ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models/echo/versions/x:predict"),
        ("GET", "/v1/models/echo:predict"),
        ("GET", "/v1/models/echo/versions/1/labels/stable"),
        ("PUT", "/v1/models/echo:predict"),
        ("DELETE", "/v1/models/echo"),
        ("GET", "/v1/"),
        ("GET", "/v1/models/a%0Ab/x"),
    ],
)
def test_a_malformed_request_is_named(fetch: Fetch, method: str, path: str) -> None:
    assert fetch_error(fetch, method, path) == (400, f"Malformed request: {method} {path}")


@pytest.mark.parametrize(
    "path", ["/v1/../../../etc/passwd", "/v1/models/../../etc/passwd", "/v1/models//etc/passwd"]
)
def test_dots_in_a_path_are_nothing_but_characters(server: HttpServer, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)  # httpx would resolve them
    connection.request("GET", path)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]) == (
        400,
        f"Malformed request: GET {path}",
    )
    connection.close()


@pytest.mark.parametrize("path", ["/", "/v2/models/echo", "/models/echo", "/favicon.ico", "/v1"])
def test_what_is_no_api_is_not_found(fetch: Fetch, path: str) -> None:
    assert fetch_error(fetch, "GET", path) == (404, "Not Found")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models/other:predict", 404, "Servable not found for request: Latest(other)"),
        (
            "/v1/models/..%2F..%2Fetc:predict",
            404,
            "Servable not found for request: Latest(../../etc)",
        ),
        ("/v1/models/a%FF%zz:predict", 404, "Servable not found for request: Latest(a\ufffd%zz)"),
        (
            "/v1/models/echo/versions/9:predict",
            404,
            "Servable not found for request: Specific(echo, 9)",
        ),
        ("/v1/models/echo/labels/no:predict", 400, "Unrecognized servable version label: no"),
        (
            "/v1/models/echo/versions/9223372036854775808:predict",
            400,
            "Failed to convert version: 9223372036854775808 to numeric.",
        ),
    ],
)
def test_what_is_not_served_is_named(fetch: Fetch, path: str, status: int, message: str) -> None:
    assert fetch_error(fetch, "POST", path, {"instances": ["a"]}) == (status, message)


def test_a_version_of_any_length_is_refused(fetch: Fetch) -> None:
    assert (
        fetch_error(
            fetch, "POST", f"/v1/models/echo/versions/{'9' * 5_000}:predict", {"instances": [1]}
        )[0]
        == 400
    )


def test_the_extra_routes_come_first(fetch: Fetch) -> None:
    assert fetch("GET", "/monitoring/prometheus/metrics").text == "metrics"


# Predict


def test_rows_in_rows_out(fetch: Fetch) -> None:
    actual = predict_over_rest(fetch, {"instances": ["good", "caf\u00e9"]})["predictions"]
    assert actual[0] == {
        "text": "good",
        "folded": "good",
        "length": 4,
        "half": [2.0, 3.0],
        "id": 0,
        "version": 2,
    }
    assert actual[1]["text"] == "caf\u00e9"


def test_columns_in_columns_out(fetch: Fetch) -> None:
    actual = predict_over_rest(fetch, {"inputs": ["good", "bad"]})["outputs"]
    assert actual["length"] == [4, 3]
    assert actual["half"] == [[2.0, 3.0], [1.5, 2.5]]


def test_a_single_output_has_no_name(fetch: Fetch) -> None:
    body = {"signature_name": "pairs", "instances": [{"text": "a", "text_pair": "b"}]}
    assert predict_over_rest(fetch, body) == {"predictions": ["a+b"]}


def test_a_scalar_goes_in_columns(fetch: Fetch) -> None:
    assert predict_over_rest(fetch, {"signature_name": "scalar", "inputs": "a"}) == {"outputs": "a"}


def test_a_scalar_output_is_no_row(fetch: Fetch) -> None:
    body = {"signature_name": "slow", "instances": [1]}
    assert fetch_error(fetch, "POST", "/v1/models/echo:predict", body)[0] == 400


def test_a_tf1_model_fails_as_it_does_over_grpc(fetch: Fetch) -> None:
    status, message = fetch_error(
        fetch, "POST", "/v1/models/half_plus_two:predict", {"instances": [[1.0]]}
    )
    assert status == 400
    assert "never a number" in message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"signature_name": "no", "inputs": 1},
            'Serving signature name: "no" not found in signature def',
        ),
        ({"instances": [{"other": "a"}]}, "does not have named input: other"),
        ({"instances": [1]}, "JSON Value: 1 Type: Number is not of expected type: string"),
        (
            {"signature_name": "parse", "instances": ["x"]},
            "StringToNumberOp could not correctly convert string: x",
        ),
        (
            {"signature_name": "pairs", "inputs": {"text": ["a"]}},
            "Missing named input: text_pair in 'inputs' object.",
        ),
        (
            {"signature_name": "with_default", "inputs": {"text": ["a"]}},
            "Missing named input: text_pair",
        ),
        (b'{"instances": [{"\xff": 1}]}', "does not have named input: \ufffd"),
        (
            b'{"signature_name": "\xff", "instances": [1]}',
            'Serving signature name: "\ufffd" not found',
        ),
        (b"", "JSON Parse error: The document is empty"),
        (b"{", "JSON Parse error: Missing a name for object member. at offset: 1"),
        (b"[" * 100_000, "JSON Parse error: Lists or objects are nested too deeply"),
    ],
)
def test_a_bad_request_is_named(fetch: Fetch, body: Any, message: str) -> None:
    status, actual = fetch_error(fetch, "POST", "/v1/models/echo:predict", body)
    assert status == 400
    assert message in actual


def test_a_text_of_10_mb(fetch: Fetch) -> None:
    assert (
        predict_over_rest(fetch, {"instances": ["x" * 10_000_000]})["predictions"][0]["length"]
        == 10_000_000
    )


def test_a_bug_of_ours_tells_nothing(fetch: Fetch, caplog: pytest.LogCaptureFixture) -> None:
    status, message = fetch_error(
        fetch, "POST", "/v1/models/echo:predict", {"instances": ["bug, secret"]}
    )
    assert (status, message) == (500, "The request failed in the server; its log says where")
    assert "secret" not in caplog.text


def test_a_request_that_cannot_be_read_is_observed(
    fetch: Fetch, ended: list[RequestRecord]
) -> None:
    ended.clear()
    fetch("POST", "/v1/models/echo:predict", {"signature_name": "s", "instances": [1]})
    assert [
        (one.method, one.protocol, one.model, one.signature, one.code.name) for one in ended
    ] == [("Predict", "rest", "echo", "s", "INVALID_ARGUMENT")]


def test_an_answered_request_is_observed_once(fetch: Fetch, ended: list[RequestRecord]) -> None:
    ended.clear()
    fetch("POST", "/v1/models/echo:predict", {"instances": ["a"]})
    assert [(one.protocol, one.code.name) for one in ended] == [("rest", "OK")]


# The same as over gRPC

_VALUES: Mapping[str, list[Any]] = {
    "float32": [0.1, -3.4028234663852886e38, 1e-45, 16777216.5, float("nan"), float("inf")],
    "float64": [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, float("-inf"), -0.0],
    "int8": [-128, 127, 0, 1, 2, 3],
    "int16": [-(2**15), 2**15 - 1, 0, 1, 2, 3],
    "int32": [-(2**31), 2**31 - 1, 0, 1, 2, 3],
    "int64": [-(2**63), 2**63 - 1, 0, 1, 2, 3],
    "uint8": [0, 255, 1, 2, 3, 4],
    "uint32": [0, 2**32 - 1, 1, 2, 3, 4],
    "uint64": [0, 2**64 - 1, 1, 2, 3, 4],
    "bool": [True, False, True, False, True, True],
    "string": [b"a", b"\xff\0", "\u20ac".encode(), b"", b'"\\', b"\n"],
}


@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 1, 2)])
@pytest.mark.parametrize("row", [True, False])
def test_every_dtype_comes_back_as_over_grpc(
    fetch: Fetch, service: StandIn, row: bool, shape: tuple[int, ...]
) -> None:
    request = PredictRequest()
    request.model_spec.name = "numbers"
    for dtype, values in _VALUES.items():
        numpy_dtype = object if dtype == "string" else dtype
        array = np.fromiter(values, numpy_dtype, len(values)).reshape(shape)
        request.inputs[dtype].CopyFrom(tensors.to_proto(array, tf.as_dtype(dtype).as_datatype_enum))
    over_grpc = service.predict(request, RequestContext()).outputs

    def jsonable(dtype: str, proto: Any) -> Any:
        array = tensors.from_proto(proto)
        if dtype == "string":
            array = np.vectorize(
                lambda value: {"b64": base64.b64encode(value).decode()}, otypes=[object]
            )(array)
        return array.tolist()

    columns = {dtype: jsonable(dtype, request.inputs[dtype]) for dtype in JSON_DTYPES}
    rows = [{dtype: columns[dtype][number] for dtype in JSON_DTYPES} for number in range(shape[0])]
    body = {"instances": rows} if row else {"inputs": columns}
    actual = predict_over_rest(fetch, body, "/v1/models/numbers:predict")[
        "predictions" if row else "outputs"
    ]
    for dtype in JSON_DTYPES:
        name = f"{dtype}_bytes"
        values = [each[name] for each in actual] if row else actual[name]
        expected = jsonable(dtype, over_grpc[name])
        if dtype.startswith("float"):
            np.testing.assert_array_equal(np.array(values, dtype), np.array(expected, dtype))
        else:
            assert values == expected


def test_a_dtype_that_json_does_not_carry_is_refused(fetch: Fetch) -> None:
    body = {"signature_name": "half", "instances": [1]}
    assert fetch_error(fetch, "POST", "/v1/models/numbers:predict", body) == (
        400,
        "Failed to write JSON value for tensor type: half",
    )


_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
_ANY = st.recursive(
    _LEAF,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "x", "b64"]), inner)
    ),
    max_leaves=8,
)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("instances", "inputs", "examples", "context", "signature_name"), _ANY
        ),
    )
    | st.binary(max_size=20),
    verb=st.sampled_from(["predict", "classify", "regress"]),
    model=st.sampled_from(["echo", "numbers", "half_plus_two", "scorer"]),
)
def test_no_body_gives_500(fetch: Fetch, body: Any, verb: str, model: str) -> None:
    response = fetch("POST", f"/v1/models/{model}:{verb}", body)
    assert response.status_code in {200, 400, 404, 501}


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=30
    ),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH"]),
)
def test_no_path_gives_500(fetch: Fetch, path: str, method: str) -> None:
    assert fetch(method, "/v1/" + path).status_code in {200, 400, 404}


# The other routes


def _make_examples() -> Input:
    rows = Input()
    for x, name in ((0.5, b"a"), (3.0, b"\xff")):
        features = rows.example_list.examples.add().features.feature
        features["x"].float_list.value.append(x)
        features["name"].bytes_list.value.append(name)
    return rows


_EXAMPLES = [{"x": 0.5, "name": "a"}, {"x": [3.0], "name": [{"b64": "/w=="}]}]


def test_classify_gives_what_grpc_gives(fetch: Fetch, service: StandIn) -> None:
    request = ClassificationRequest(model_spec=ModelSpec(name="scorer"), input=_make_examples())
    over_grpc = service.classify(request, RequestContext()).result.classifications
    actual = predict_over_rest(fetch, {"examples": _EXAMPLES}, "/v1/models/scorer:classify")[
        "results"
    ]
    assert [[(label, np.float32(score)) for label, score in row] for row in actual] == [
        [(entry.label, np.float32(entry.score)) for entry in row.classes] for row in over_grpc
    ]


def test_regress_gives_what_grpc_gives(fetch: Fetch, service: StandIn) -> None:
    spec = ModelSpec(name="scorer", signature_name="regress")
    over_grpc = service.regress(
        RegressionRequest(model_spec=spec, input=_make_examples()), RequestContext()
    ).result.regressions
    body = {"signature_name": "regress", "examples": _EXAMPLES}
    actual = predict_over_rest(fetch, body, "/v1/models/scorer/versions/1:regress")["results"]
    assert actual == [entry.value for entry in over_grpc]


def test_the_context_counts_for_every_example(fetch: Fetch) -> None:
    body = {
        "signature_name": "regress",
        "context": {"x": 7.5},
        "examples": [{"name": "a"}, {"name": "b"}],
    }
    assert predict_over_rest(fetch, body, "/v1/models/scorer:regress") == {"results": [7.5, 7.5]}


@pytest.mark.parametrize("verb", ["classify", "regress"])
def test_a_signature_that_is_not_there_is_named(fetch: Fetch, verb: str) -> None:
    body = {"signature_name": "no", "examples": _EXAMPLES}
    assert fetch_error(fetch, "POST", f"/v1/models/scorer:{verb}", body) == (
        400,
        "No signature was found with the name: no",
    )


def test_status(fetch: Fetch) -> None:
    response = fetch("GET", "/v1/models/echo/versions/2")
    assert response.status_code == 200
    assert json.loads(response.content) == {
        "model_version_status": [
            {
                "version": "2",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_status_of_every_version(fetch: Fetch) -> None:
    actual = json.loads(fetch("GET", "/v1/models/echo").content)["model_version_status"]
    assert {status["version"] for status in actual} == {"1", "2"}


def test_status_of_what_is_not_served(fetch: Fetch) -> None:
    assert fetch_error(fetch, "GET", "/v1/models/gone") == (
        404,
        "Could not find any versions of model gone",
    )


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/versions/1"])
def test_status_needs_a_model(fetch: Fetch, path: str) -> None:
    assert fetch_error(fetch, "GET", path) == (400, "Missing model name in request.")


def test_metadata_is_that_of_saved_model_pb(fetch: Fetch, registry: Registry) -> None:
    document = json.loads(fetch("GET", "/v1/models/echo/versions/1/metadata").content)
    assert document["model_spec"] == {"name": "echo", "version": "1", "signature_name": ""}
    actual = ParseDict(document["metadata"]["signature_def"], SignatureDefMap())
    servable = next(iter(registry))
    assert dict(actual.signature_def) == dict(servable.signatures)


def test_metadata_prints_defaults(fetch: Fetch) -> None:
    document = json.loads(fetch("GET", "/v1/models/half_plus_two/metadata").content)
    signature = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
        "unknown_rank": False,
    }


# Bodies


def test_a_zipped_body_is_unzipped(fetch: Fetch) -> None:
    body = gzip.compress(json.dumps({"instances": ["a"]}).encode())
    response = fetch("POST", "/v1/models/echo:predict", body, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b"{}" * 100, mtime=0)[:-9], gzip.compress(b"{}", mtime=0) + b"more"],
    ids=["no gzip", "cut", "more behind"],
)
def test_a_badly_zipped_body_is_refused(fetch: Fetch, body: bytes) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert fetch_error(fetch, "POST", "/v1/models/echo:predict", body, headers=headers)[0] == 400


def test_a_body_that_unzips_to_too_much_is_refused(fetch: Fetch) -> None:
    body = gzip.compress(b" " * 21_000_000)
    headers = {"Content-Encoding": "gzip"}
    assert fetch_error(fetch, "POST", "/v1/models/echo:predict", body, headers=headers)[0] == 413


def test_a_body_beyond_the_limit_is_refused(fetch: Fetch) -> None:
    status, message = fetch_error(fetch, "POST", "/v1/models/echo:predict", b" " * 20_000_001)
    assert status == 413
    assert "20,000,000" in message


def test_a_body_beyond_the_limit_in_chunks_is_refused(server: HttpServer) -> None:
    chunks = (b" " * 1_000_000 for _ in range(21))
    url = f"http://127.0.0.1:{server.port}/v1/models/echo:predict"
    with contextlib.suppress(
        httpx.WriteError, httpx.ReadError
    ):  # it may close while the client still writes
        assert httpx.post(url, content=chunks, timeout=60, trust_env=False).status_code == 413


# Time and presence


def test_a_request_out_of_time_gives_504(service: StandIn) -> None:
    with (
        ThreadPoolExecutor(1) as threads,
        HttpServer(rest_app(service, threads, timeout=0.2), port=0) as running,
    ):
        body = {"signature_name": "slow", "inputs": 100_000_000}
        url = f"http://127.0.0.1:{running.port}/v1/models/echo:predict"
        response = httpx.post(url, json=body, timeout=60, trust_env=False)
    assert response.status_code == 504
    assert response.json()["error"] == "Timed out waiting for notification"


@pytest.mark.parametrize("timeout", [0, -1, None])
def test_a_time_limit_of_0_is_none_as_tf_serving_has_it(
    service: StandIn, timeout: float | None
) -> None:
    with (
        ThreadPoolExecutor(1) as threads,
        HttpServer(rest_app(service, threads, timeout=timeout), port=0) as running,
    ):
        url = f"http://127.0.0.1:{running.port}/v1/models/echo:predict"
        assert (
            httpx.post(url, json={"inputs": ["a"]}, timeout=60, trust_env=False).status_code == 200
        )


HTTP_STATUS = {
    StatusCode.CANCELLED: 499,
    StatusCode.UNKNOWN: 500,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.ABORTED: 409,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DATA_LOSS: 500,
    StatusCode.UNAUTHENTICATED: 401,
}


@pytest.mark.parametrize("code", [code for code in StatusCode if code is not StatusCode.OK])
def test_each_code_has_tf_serving_s_http_status(
    service: StandIn, monkeypatch: pytest.MonkeyPatch, code: StatusCode
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RequestError(code, "no")

    monkeypatch.setattr(service, "predict", refuse)
    status, body = RestHandler(service, max_body_bytes=1000).handle(
        "POST", "/v1/models/echo:predict", b'{"inputs": ["a"]}', b"", RequestContext()
    )
    assert (status, json.loads(body)) == (HTTP_STATUS[code], {"error": "no"})


def test_the_call_of_a_client_that_hangs_up_is_cancelled(
    server: HttpServer, service: StandIn
) -> None:
    service.hold, service.call = threading.Event(), None
    body = b'{"instances": ["hold"]}'
    head = (
        f"POST /v1/models/echo:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(head.encode() + body)
            wait_until(lambda: service.call is not None)
            assert not service.was_cancelled()
        wait_until(service.was_cancelled)
    finally:
        service.hold.set()
        service.hold = None


def test_a_body_that_does_not_arrive_gives_408(service: StandIn) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/models/echo:predict",
        "raw_path": b"/v1/models/echo:predict",
        "query_string": b"",
        "headers": [],
    }
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(rest_app(service, threads, body_timeout=0.1)(scope, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_pages_of_other_origins_may_call_where_allowed(service: StandIn) -> None:
    with (
        ThreadPoolExecutor(1) as threads,
        HttpServer(rest_app(service, threads, cors=True), port=0) as running,
    ):
        response = httpx.options(
            f"http://127.0.0.1:{running.port}/v1/models/echo:predict", timeout=60, trust_env=False
        )
    assert response.status_code == 200
    assert response.headers["access-control-allow-methods"] == "POST, GET"


def test_an_export_answers_as_over_grpc(exported: Path) -> None:
    texts = ["Stocks rally as oil prices fall", "", "caf\u00e9 \U0001f600 \0 \u0301", "a " * 1_000]
    servable = Servable.load("export", 1, exported)
    try:
        service = Service(Registry([servable]))
        request = PredictRequest()
        request.model_spec.name = "export"
        sent = np.empty(len(texts), object)
        sent[:] = [text.encode() for text in texts]
        request.inputs["text"].CopyFrom(tensors.to_proto(sent, tf.string.as_datatype_enum))
        over_grpc = {
            name: tensors.from_proto(proto).tolist()
            for name, proto in service.predict(request, RequestContext()).outputs.items()
        }
        status, body = RestHandler(service, max_body_bytes=1 << 20).handle(
            "POST",
            "/v1/models/export:predict",
            json.dumps({"instances": texts}).encode(),
            b"",
            RequestContext(),
        )
    finally:
        servable.close()
    assert status == 200
    rows = json.loads(body)["predictions"]
    for name, expected in over_grpc.items():
        actual = np.array([row[name] for row in rows])
        if actual.dtype.kind == "f":
            actual = actual.astype(np.float32)
        else:
            expected = np.array(expected).astype(str).tolist()
            actual = actual.astype(str)
        assert actual.tolist() == expected, name
