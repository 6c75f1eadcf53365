"""Metadata and status of served models, and waiting for a model."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.conftest import NAME, Model, front
from tests.client.fronts import Behind
from tfclf import Client
from tfclf.client import TensorInfo, VersionStatus
from tfclf.client.messages import Refused
from tfclf.client.served import _EMPTY_EXAMPLE
from tfclf.errors import ClientError, InputError


def test_the_example_of_no_text_is_what_tensorflow_writes() -> None:
    import tensorflow as tf

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b""]))
    example = tf.train.Example(features=tf.train.Features(feature={"text": feature}))
    assert example.SerializeToString() == _EMPTY_EXAMPLE


def test_metadata_has_the_signatures(client: Any) -> None:
    metadata = client.metadata()
    assert (metadata.model, metadata.version) == (NAME, 1)
    default = metadata.signatures["serving_default"]
    assert default.inputs == {"text": TensorInfo("string", (None,))}
    assert default.outputs["probabilities"] == TensorInfo("float32", (None, 4))
    assert default.method_name == "tensorflow/serving/predict"


def test_status_has_the_versions(client: Any, behind: Behind) -> None:
    behind.states = {1: "AVAILABLE", 2: "LOADING"}
    expected = (VersionStatus(1, "AVAILABLE", "OK", ""), VersionStatus(2, "LOADING", "OK", ""))
    assert client.status() == expected


def test_what_is_ready_is_not_waited_for(client: Any) -> None:
    client.wait_until_ready(60)
    assert len(client.predict(["a"])) == 1


def test_a_model_that_comes_later_is_waited_for(
    client: Any, behind: Behind, models: Callable[[str], Model]
) -> None:
    address, behind.address = behind.address, "127.0.0.1:1"
    began = time.monotonic()

    def start_server() -> None:
        behind.address = address

    timer = threading.Timer(1.0, start_server)
    timer.start()
    client.wait_until_ready(60)
    timer.join()
    assert time.monotonic() - began >= 1.0


def test_a_server_that_never_starts_is_waited_for_no_longer_than_asked(
    protocol: str, behind: Behind
) -> None:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    scheme = "" if protocol == "grpc" else "http://"
    with (
        Client(f"{scheme}127.0.0.1:{port}", model=NAME, retries=0) as client,
        pytest.raises(ClientError) as raised,
    ):
        client.wait_until_ready(0.6)
    assert raised.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    assert "asked again for 0.6 seconds" in str(raised.value)


def test_a_model_that_never_comes_ends_with_the_servers_words(
    protocol: str, behind: Behind
) -> None:
    with (
        front(protocol, behind) as server,
        Client(server.address, model="nobody") as client,
        pytest.raises(ClientError, match=r"Latest\(nobody\).*asked again for 3 seconds"),
    ):
        client.wait_until_ready(3)


def test_a_last_call_without_time_does_not_hide_the_servers_words(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [Refused("DEADLINE_EXCEEDED", "no time left"), Refused("NOT_FOUND", "no such model")]

    async def refuse(*_: object, **__: object) -> None:
        raise refusals.pop() if len(refusals) > 1 else refusals[0]

    monkeypatch.setattr("tfclf.client.conversation.describe", refuse)
    with pytest.raises(ClientError, match="no such model"):
        client.wait_until_ready(0.6)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), None])
def test_a_wait_needs_its_seconds(client: Any, timeout: Any) -> None:
    with pytest.raises(InputError, match="timeout is"):
        client.wait_until_ready(timeout)
