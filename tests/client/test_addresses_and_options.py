"""Addresses and options are checked before anything is sent."""

import inspect
import subprocess
import sys
from typing import Any

import pytest

from tfclf import AsyncClient, Client
from tfclf.client import Tls
from tfclf.client.address import Address
from tfclf.client.options import check_timeout
from tfclf.errors import InputError, MissingExtraError


@pytest.mark.parametrize(
    ("given", "protocol", "target", "secure"),
    [
        ("localhost:8500", "grpc", "localhost:8500", None),
        ("localhost", "grpc", "localhost:8500", None),
        ("[::1]:9000", "grpc", "[::1]:9000", None),
        ("grpc://host:1", "grpc", "host:1", False),
        ("grpcs://host:1", "grpc", "host:1", True),
        ("unix:/run/models.sock", "grpc", "unix:/run/models.sock", None),
        ("http://host:8501", "rest", "http://host:8501", False),
        ("https://host/models/", "rest", "https://host/models", True),
    ],
)
def test_the_address_tells_the_protocol(
    given: str, protocol: str, target: str, secure: bool | None
) -> None:
    address = Address.parse(given)
    assert (address.protocol, address.target, address.secure) == (protocol, target, secure)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "the address is ''"),
        (None, "the address is None"),
        (8500, "the address is 8500"),
        ("ftp://host", "Expected 'localhost:8500'"),
        ("host:port", "Expected 'localhost:8500'"),
        ("host:99999", "Expected 'localhost:8500'"),
        ("host:0", "no server has port 0"),
        ("http://", "Expected 'localhost:8500'"),
        ("http://me:secret@host", "Expected 'localhost:8500'"),
        ("grpc://host:1/demo", "gRPC takes host:port alone"),
        ("http://host:8501/v1/models/demo", "expected it to end before /v1/models"),
    ],
)
def test_what_is_no_address_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Address.parse(given)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": ""}, "model is ''"),
        ({"model": 7}, "model is 7"),
        ({"version": ""}, "version is ''; expected a number, a label"),
        ({"version": True}, "version is True"),
        ({"version": 1.5}, "version is 1.5"),
        ({"version": 1 << 63}, "version is 9223372036854775808"),
        ({"version": "\ud800"}, r"version is '\\ud800'"),
        ({"model": "\ud800"}, r"model is '\\ud800'"),
        ({"timeout": 0}, "timeout is 0; expected seconds, above 0, or None"),
        ({"timeout": "1"}, "timeout is '1'"),
        ({"retries": 5}, "retries is 5; expected a whole number from 0 to 4"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_bytes": -1}, "batch_bytes is -1"),
        ({"in_flight": 0}, "in_flight is 0"),
        ({"tls": "ca.pem"}, r"expected tfclf.client.Tls\(ca=...\)"),
    ],
)
def test_options_are_checked_at_once(kind: type, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        kind("localhost:1", **options)


@pytest.mark.parametrize("timeout", [1e300, 10**400])
def test_a_timeout_longer_than_any_clock_is_a_long_one(timeout: float) -> None:
    assert check_timeout(timeout) == 1e9


def test_tls_and_an_address_without_it_contradict_each_other() -> None:
    with pytest.raises(InputError, match="Write grpcs:// there"):
        Client("grpc://localhost:1", tls=Tls())
    with pytest.raises(InputError, match="Write https:// there"):
        Client("http://localhost:1", tls=True)
    with pytest.raises(InputError, match="tls is False"):
        Client("https://localhost:1", tls=False)


@pytest.mark.parametrize(
    ("address", "module", "package"),
    [
        ("localhost:1", "grpc", "grpcio"),
        ("localhost:1", "tensorflow_serving", "tensorflow-serving-api"),
        ("http://localhost:1", "httpx", "httpx"),
        ("http://localhost:1", "tenacity", "tenacity"),
    ],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, address: str, module: str, package: str
) -> None:
    monkeypatch.setattr(
        "tfclf.client.connect.find_spec", lambda name: None if name == module else object()
    )
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed.*tfclf\[client\]"):
        Client(address)


def test_a_client_over_rest_needs_neither_tensorflow_nor_grpc() -> None:
    script = """
import sys, tfclf
with tfclf.Client("http://127.0.0.1:1", retries=0) as client:
    try:
        client.predict(["a"])
    except tfclf.TfclfError:
        print(*{name.split(".")[0] for name in sys.modules} & {"tensorflow", "grpc", "numpy"})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_help_shows_the_default_timeout_in_words(client: Any) -> None:
    shown = str(inspect.signature(client.status))
    assert "<the client's timeout>" in shown
    assert "nan" not in shown
