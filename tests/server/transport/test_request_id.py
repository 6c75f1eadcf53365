"""A request's id: the client's or a new one, in the log and beside every response."""

import logging
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server.messages import predict_request, strings
from tfclf.server import serve
from tfclf.server.process import Server
from tfclf.server.request_id import choose_request_id

PREDICT = "/v1/models/echo:predict"
BODY = {"inputs": ["good"]}


@pytest.fixture(scope="module")
def server(echo_base: Path) -> Iterator[Server]:
    with serve(echo_base, port=0, rest_port=0) as server:
        yield server


@pytest.fixture(scope="module")
def rest(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.rest_url or "", timeout=60) as client:
        yield client


@pytest.fixture
def stub(server: Server) -> Iterator[PredictionServiceStub]:
    with grpc.insecure_channel(server.address) as channel:
        yield PredictionServiceStub(channel)


@given(st.text() | st.binary())
def test_an_id_is_printable_and_short_whatever_is_given(text: str | bytes) -> None:
    chosen = choose_request_id(text)
    assert chosen.isascii()
    assert chosen.isprintable()
    assert 1 <= len(chosen) <= 128
    assert not set(chosen) & set(" \"'")


def test_rest_returns_the_id_of_the_client(rest: httpx.Client) -> None:
    answer = rest.post(PREDICT, json=BODY, headers={"X-Request-Id": "order-17"})
    assert answer.headers["x-request-id"] == "order-17"


def test_rest_makes_another_id_for_each_request(rest: httpx.Client) -> None:
    ids = {rest.post(PREDICT, json=BODY).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize("path", ["/v1/models/none:predict", "/nowhere"])
def test_an_error_over_rest_has_the_id_too(rest: httpx.Client, path: str) -> None:
    answer = rest.post(path, json=BODY, headers={"X-Request-Id": "order-17"})
    assert answer.status_code == 404
    assert answer.headers["x-request-id"] == "order-17"


@pytest.mark.parametrize("bad", ["two words", "a" * 129, "a;\x7f", '"'])
def test_a_bad_id_is_replaced(rest: httpx.Client, bad: str) -> None:
    answer = rest.get("/v1/models/echo", headers={"X-Request-Id": bad})
    assert len(answer.headers["x-request-id"]) == 32


def test_grpc_returns_the_id_of_the_client(stub: PredictionServiceStub) -> None:
    _, call = stub.Predict.with_call(
        predict_request({"text": strings("good")}), metadata=[("x-request-id", "order-17")]
    )
    assert ("x-request-id", "order-17") in [tuple(each) for each in call.trailing_metadata()]


def test_an_error_over_grpc_has_the_id_too(stub: PredictionServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(
            predict_request({"text": strings("good")}, model="none"),
            metadata=[("x-request-id", "order-17")],
        )
    assert dict(raised.value.trailing_metadata())["x-request-id"] == "order-17"


@pytest.mark.parametrize("body", [BODY, {"inputs": 1}])
def test_the_log_has_the_id(
    rest: httpx.Client, caplog: pytest.LogCaptureFixture, body: object
) -> None:
    caplog.set_level(logging.DEBUG, logger="tfclf")
    rest.post(PREDICT, json=body, headers={"X-Request-Id": "order-17"})
    assert "request_id=order-17 " in caplog.text
