"""Limits of a request, over both protocols."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server.conftest import predict_request, strings
from tests.server.fakes import wait_until
from tests.server.test_process import until
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.limits import Limits
from tfclf.server.process import Server, ServerOptions
from tfclf.server.start import find_models, start
from tfclf.server.status import RequestError

LIMITS = Limits(
    max_message_bytes=4_000, max_texts=3, max_text_bytes=1_000, max_concurrent_requests=2
)
Ask = Callable[..., tuple[Any, str]]


@pytest.fixture(scope="module")
def server(echo_base: Path) -> Iterator[Server]:
    options = ServerOptions(port=0, rest_port=0, limits=LIMITS, grpc_threads=2, drain_seconds=0)
    with start(
        find_models(echo_base), options=options, watching=Watching(poll_seconds=0)
    ) as server:
        yield server


def over_grpc(server: Server, *texts: str) -> tuple[Any, str]:
    with grpc.insecure_channel(server.address) as channel:
        try:
            PredictionServiceStub(channel).Predict(
                predict_request({"text": strings(*texts)}), timeout=60
            )
        except grpc.RpcError as error:
            return error.code().name, error.details()
    return "OK", ""


def over_rest(server: Server, *texts: str) -> tuple[Any, str]:
    answer = httpx.post(
        f"{server.rest_url}/v1/models/echo:predict", json={"inputs": {"text": texts}}, timeout=60
    )
    return answer.status_code, answer.json().get("error", "")


@pytest.mark.parametrize(("ask", "ok"), [(over_grpc, "OK"), (over_rest, 200)], ids=["gRPC", "REST"])
@pytest.mark.parametrize(
    "texts", [["a"] * 3, ["x" * 1_000], ["é" * 500]], ids=["texts", "bytes", "two-byte letters"]
)
def test_what_reaches_a_limit_is_answered(
    server: Server, ask: Ask, ok: Any, texts: list[str]
) -> None:
    assert ask(server, *texts) == (ok, "")


@pytest.mark.parametrize(
    ("ask", "code"), [(over_grpc, "INVALID_ARGUMENT"), (over_rest, 400)], ids=["gRPC", "REST"]
)
def test_one_text_more_is_refused(server: Server, ask: Ask, code: Any) -> None:
    assert ask(server, *"abcd") == (
        code,
        "text has 4 strings; this server takes 3 in a request (--max_texts). Send them in several "
        "requests.",
    )


@pytest.mark.parametrize(
    ("ask", "code"), [(over_grpc, "INVALID_ARGUMENT"), (over_rest, 400)], ids=["gRPC", "REST"]
)
def test_one_byte_more_is_refused_whatever_the_letters(server: Server, ask: Ask, code: Any) -> None:
    assert ask(server, "é" * 500, "a") == (
        code,
        "text has 1,001 bytes of strings; this server takes 1,000 in a request (--max_text_bytes). "
        "Send shorter texts, or fewer at once.",
    )


def test_a_message_too_big_for_grpc_is_refused(server: Server) -> None:
    code, said = over_grpc(server, "x" * 5_000)
    assert code == "RESOURCE_EXHAUSTED"
    assert "4000" in said


def test_a_body_too_big_for_rest_is_refused(server: Server) -> None:
    code, said = over_rest(server, "x" * 5_000)
    assert code == 413
    assert "4,000" in said


def test_of_three_requests_where_two_may_be_under_way_one_is_refused(
    server: Server, tmp_path: Path
) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = PredictionServiceStub(channel)
        asked = [stub.Predict.future(until(tmp_path / "done")) for _ in range(3)]
        wait_until(lambda: any(each.done() for each in asked))
        assert sum(each.done() for each in asked) == 1
        (tmp_path / "done").touch()
        codes = sorted(each.code().name for each in asked)
    assert codes == ["OK", "OK", "RESOURCE_EXHAUSTED"]


def test_the_server_answers_again_after_refusals(server: Server) -> None:
    wait_until(lambda: over_grpc(server, "a")[0] == "OK")


@given(st.lists(st.binary(max_size=400), max_size=6))
def test_limits_count_texts_and_their_bytes(texts: list[bytes]) -> None:
    array = np.array([*texts, None], dtype=object)[:-1]  # None keeps numpy from converting them
    allowed = len(texts) <= LIMITS.max_texts and sum(map(len, texts)) <= LIMITS.max_text_bytes
    if allowed:
        LIMITS.check({"text": array})
    else:
        with pytest.raises(
            RequestError, match=r"text has [0-9,]+ (bytes of )?strings; this server takes"
        ):
            LIMITS.check({"text": array})


def test_numbers_are_no_texts() -> None:
    LIMITS.check({"x": np.zeros([100, 100], dtype=np.float32)})


def test_each_tensor_has_limits_of_its_own() -> None:
    texts = np.array([b"a", b"b", b"c"], dtype=object)
    LIMITS.check({"text": texts, "text_pair": texts})
