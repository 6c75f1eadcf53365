"""The service's log, and its answer to bugs of its own."""

import logging
import re
from typing import Any, NoReturn

import pytest
import tensorflow as tf

from tests.server.conftest import Predict, Refusal, strings
from tests.server.fakes import wait_until
from tfclf.server import service

SECRET = {"text": strings("a private text")}


def test_a_request_is_one_line_of_log(predict: Predict, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="tfclf.server"):
        predict(inputs=SECRET, version=2)
    (line,) = caplog.messages
    assert line.startswith("method=Predict model='echo' signature='' code=OK milliseconds=")


def test_a_refusal_is_one_line_of_log(refusal: Refusal, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="tfclf.server"):
        refusal(inputs=SECRET, model="no\nbody")
    (line,) = caplog.messages
    assert line.startswith(
        r"method=Predict model='no\nbody' signature='' code=NOT_FOUND milliseconds="
    )


def test_texts_are_not_logged_even_if_the_error_quotes_them(
    refusal: Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert "a private text" in refusal(inputs=SECRET, signature="parse")[1]
    assert "private" not in caplog.text


def test_a_bug_is_internal_and_tells_the_place_in_the_log_alone(
    refusal: Refusal, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(_: Any, request: Any, **__: Any) -> NoReturn:
        raise KeyError(request.inputs["text"].string_val[0])

    monkeypatch.setattr(service, "_PREDICT", service._servable_rpc("Predict", predict))
    assert refusal(inputs=SECRET) == (
        "INTERNAL",
        "Predict failed in the server; its log says where",
    )
    assert "KeyError" in caplog.text
    assert "test_service.py" in caplog.text
    assert "private" not in caplog.text


def test_too_little_memory_is_resource_exhausted(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(*_: Any, **__: Any) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(service, "_PREDICT", service._servable_rpc("Predict", predict))
    assert refusal(inputs=SECRET)[0] == "RESOURCE_EXHAUSTED"


def test_a_deadline_ends_the_computation_in_the_server(
    refusal: Refusal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="tfclf.server"):
        refusal(inputs={"steps": tf.make_tensor_proto(10**9)}, signature="slow", timeout=1)
        wait_until(lambda: caplog.messages)
    # Either the deadline reaches the request first, or the news that its client has gone.
    assert re.search("code=(DEADLINE_EXCEEDED|CANCELLED) ", caplog.messages[0])
