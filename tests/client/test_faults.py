"""Servers that are busy, hang, go away, or never existed."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import NAME, connection, front
from tests.client.fronts import HANG, Behind, RestFront
from tests.server.models import save_half_plus_two
from tfclf import AsyncClient, Client
from tfclf.client.address import Address
from tfclf.client.proxies import find_proxy
from tfclf.errors import ClientError
from tfclf.server import serve

TEXT = ["Stocks rally as oil prices fall"]


def catch_error(ask: Callable[[], Any]) -> ClientError:
    with pytest.raises(ClientError) as raised:
        ask()
    return raised.value


def test_unavailable_twice_is_asked_again(client: Any, behind: Behind) -> None:
    expected = client.predict(TEXT)
    sent = len(behind.seen)
    behind.script = ["UNAVAILABLE", "UNAVAILABLE"]
    assert client.predict(TEXT) == expected
    assert len(behind.seen) == sent + 3


def test_attempts_are_spaced_further_and_further(client: Any, behind: Behind) -> None:
    client.predict(TEXT)
    behind.script = ["UNAVAILABLE"] * 3
    began = time.monotonic()
    client.predict(TEXT)
    assert time.monotonic() - began > 0.8 * (0.2 + 0.4 + 0.8)


def test_unavailable_for_good_is_an_error_after_all_attempts(
    form: str, address: str, behind: Behind
) -> None:
    with connection(form, address, retries=2) as client:
        client.predict(TEXT)
        sent = len(behind.seen)
        behind.script = ["UNAVAILABLE"] * 10
        error = catch_error(lambda: client.predict(TEXT))
    assert error.code == "UNAVAILABLE"
    assert "the script says UNAVAILABLE" in str(error)
    assert len(behind.seen) == sent + 3


def test_no_retries_means_one_attempt(form: str, address: str, behind: Behind) -> None:
    with connection(form, address, retries=0) as client:
        client.predict(TEXT)
        sent = len(behind.seen)
        behind.script = ["UNAVAILABLE"]
        assert catch_error(lambda: client.predict(TEXT)).code == "UNAVAILABLE"
    assert len(behind.seen) == sent + 1


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED"]
)
def test_what_would_only_fail_again_is_not_asked_again(
    client: Any, behind: Behind, code: str
) -> None:
    client.predict(TEXT)
    sent = len(behind.seen)
    behind.script = [code]
    assert catch_error(lambda: client.predict(TEXT)).code == code
    assert len(behind.seen) == sent + 1


def test_a_request_larger_than_grpcs_retry_buffer_is_asked_again_too(
    client: Any, behind: Behind
) -> None:
    texts = ["late goal " * 2000] * 32
    client.predict(TEXT)
    behind.script = ["UNAVAILABLE"]
    assert len(client.predict(texts)) == 32


def test_a_server_that_hangs_ends_with_the_timeout(client: Any, behind: Behind) -> None:
    client.predict(TEXT)
    behind.script = [HANG]
    began = time.monotonic()
    error = catch_error(lambda: client.predict(TEXT, timeout=0.5))
    assert error.code == "DEADLINE_EXCEEDED"
    assert "longer timeout=" in str(error)
    assert time.monotonic() - began > 0.4


def test_retries_end_with_the_timeout(client: Any, behind: Behind) -> None:
    client.predict(TEXT)
    sent = len(behind.seen)
    behind.script = ["UNAVAILABLE"] * 10
    assert catch_error(lambda: client.predict(TEXT, timeout=0.5)).code in (
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
    )
    assert (
        len(behind.seen) <= sent + 3
    )  # of five: the fourth would come 1.1 seconds after the first


def test_the_server_hears_of_the_deadline_over_grpc(form: str, behind: Behind) -> None:
    with front("grpc", behind) as server, connection(form, server.address) as client:
        client.predict(TEXT, timeout=300)
        client.predict(TEXT, timeout=None)
    left = [
        seen.seconds_left
        for seen in behind.seen
        if seen.request.model_spec.signature_name == "detail"
    ]
    assert left[0] is not None
    assert 200 < left[0] < 301
    assert left[1] is None or left[1] > 1e6


def test_a_server_that_goes_away_is_unavailable(form: str, protocol: str, behind: Behind) -> None:
    with front(protocol, behind) as server, connection(form, server.address, retries=1) as client:
        client.predict(TEXT)
        server.stop()
        assert catch_error(lambda: client.predict(TEXT)).code == "UNAVAILABLE"


def test_one_bad_batch_of_many_ends_the_call(client: Any, behind: Behind) -> None:
    client.predict(TEXT)
    behind.script = ["", "", "INTERNAL"]
    assert catch_error(lambda: client.predict(TEXT * 50, batch_size=1)).code == "INTERNAL"
    assert len(client.predict(TEXT * 3)) == 3


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_nobody_there(form: str, scheme: str) -> None:
    with connection(form, f"{scheme}127.0.0.1:1", retries=1) as client:
        error = catch_error(lambda: client.predict(TEXT))
    assert error.code == "UNAVAILABLE"
    assert "see whether it runs, whether host and port are right" in str(error)


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_name_that_does_not_exist(scheme: str) -> None:
    with Client(f"{scheme}nobody.invalid:8500", retries=0) as client:
        assert catch_error(lambda: client.predict(TEXT)).code == "UNAVAILABLE"


def test_the_rest_port_spoken_to_in_grpc(form: str, behind: Behind) -> None:
    with front("rest", behind) as server:
        address = server.address.removeprefix("http://").replace("127.0.0.1", "localhost")
        with connection(form, address, retries=0) as client:
            error = catch_error(lambda: client.predict(TEXT))
    assert "that is a REST port" in str(error)


def test_the_rest_port_is_named_to_grpc_also_when_the_timeout_ends_the_retries(
    form: str, behind: Behind
) -> None:
    with front("rest", behind) as server:
        address = server.address.removeprefix("http://")
        with connection(form, address) as client:
            error = catch_error(lambda: client.predict(TEXT, timeout=0.5))
    assert "that is a REST port" in str(error)


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_dead_port_refuses_connections_also_when_the_timeout_ends_the_retries(
    form: str, scheme: str
) -> None:
    with connection(form, f"{scheme}127.0.0.1:1") as client:
        error = catch_error(lambda: client.predict(TEXT, timeout=0.5))
    assert error.code == "UNAVAILABLE"
    assert "Connection refused" in str(error)


def test_a_unix_socket_that_is_not_there_is_said(form: str, tmp_path: Path) -> None:
    with connection(form, f"unix:{tmp_path}/socket") as client:
        error = catch_error(lambda: client.predict(TEXT, timeout=0.5))
    assert "No such file or directory" in str(error)


def test_the_only_model_of_our_server_needs_no_name(form: str, small: Path) -> None:
    with serve(small, model_name="news", port=0, rest_port=0) as server:
        for address in (server.address, str(server.rest_url)):
            with connection(form, address, model=None) as client:
                client.wait_until_ready()
                assert client.metadata().model == "news"
                assert client.predict(TEXT[0]).label
            with connection(form, address, model=None) as client:
                assert client.predict(TEXT[0]).label


def test_of_two_models_the_names_are_said(tmp_path: Path, form: str) -> None:
    models = "\n".join(
        f'config {{ name: "{name}" base_path: "{tmp_path / name}" model_platform: "tensorflow" }}'
        for name in ("news", "half, two")
    )
    for name in ("news", "half, two"):
        save_half_plus_two(tmp_path / name / "1")
    (tmp_path / "models.config").write_text(f"model_config_list {{ {models} }}")
    with serve(tmp_path / "models.config", port=0, rest_port=0) as server:
        for address in (server.address, str(server.rest_url)):
            with connection(form, address, model=None) as client:
                error = catch_error(lambda: client.predict(TEXT))
            assert "It has 'half, two', 'news'." in str(error)


def test_the_grpc_port_spoken_to_in_rest(form: str, behind: Behind) -> None:
    with front("grpc", behind) as server, connection(form, f"http://{server.address}") as client:
        error = catch_error(lambda: client.predict(TEXT))
    assert "most likely a gRPC port" in str(error)


def test_an_unknown_model_is_named_with_the_servers_words(form: str, address: str) -> None:
    with connection(form, address, model="nobody") as client:
        error = catch_error(lambda: client.predict(TEXT))
    assert error.code == "NOT_FOUND"
    assert "'nobody'" in str(error)
    assert "Servable not found for request: Latest(nobody)" in str(error)
    assert "model=" in str(error)


def test_without_a_name_the_default_is_said(address: str) -> None:
    with Client(address) as client:
        assert "Without model= the name is 'default'" in str(
            catch_error(lambda: client.predict(TEXT))
        )


def test_an_unknown_version(form: str, address: str) -> None:
    with connection(form, address, version=7) as client:
        error = catch_error(lambda: client.predict(TEXT))
    assert "Specific(served, 7)" in str(error)


def test_an_unknown_label(form: str, address: str) -> None:
    with connection(form, address, version="stable") as client:
        error = catch_error(lambda: client.predict(TEXT))
    assert "Unrecognized servable version label: stable" in str(error)
    assert "models.config" in str(error)


def test_a_number_picks_the_version(form: str, address: str) -> None:
    with connection(form, address, version=1) as client:
        assert len(client.predict(TEXT)) == 1


def test_a_closed_client_says_so(address: str) -> None:
    client = Client(address, model=NAME)
    client.predict(TEXT)
    client.close()
    assert catch_error(lambda: client.predict(TEXT)).code == "CANCELLED"


def test_a_closed_async_client_says_so(address: str) -> None:
    async def ask() -> None:
        client = AsyncClient(address, model=NAME)
        await client.predict(TEXT)
        await client.close()
        await client.predict(TEXT)

    assert catch_error(lambda: asyncio.run(ask())).code == "CANCELLED"


def test_an_async_client_that_was_never_used_is_closed_for_nothing() -> None:
    async def ask() -> None:
        async with AsyncClient("localhost:1"):
            pass

    asyncio.run(ask())


def test_a_server_that_is_no_tf_serving(form: str) -> None:
    class Page(RestFront):
        def _answer(self, ask: Any) -> Any:
            from starlette.responses import HTMLResponse

            return HTMLResponse("<html>It works!</html>")

    server = Page(Behind(""))
    try:
        with connection(form, server.address) as client:
            error = catch_error(lambda: client.predict(TEXT))
    finally:
        server.stop()
    assert "It works!" in str(error)


def test_a_model_that_is_none_of_ours(form: str, tmp_path: Any) -> None:
    save_half_plus_two(tmp_path / "half_plus_two" / "1")
    with (
        serve(tmp_path / "half_plus_two", model_name=NAME, port=0) as server,
        connection(form, server.address) as client,
    ):
        error = catch_error(lambda: client.predict(TEXT))
    assert (
        "no signature 'serving_default', from text to label and score; it has serving_default"
        in str(error)
    )
    assert "tfclf export" in str(error)


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_proxy_that_the_environment_sets_is_named_without_its_password(
    form: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with connection(form, f"{scheme}models.example:8500", retries=0) as client:
        words = str(catch_error(lambda: client.predict(TEXT)))
    assert "through a proxy (http_proxy=127.0.0.1:1)" in words
    assert "add models.example to no_proxy" in words
    assert "secret" not in words


@pytest.mark.parametrize("scheme", ["", "http://", "unix:"])
def test_a_host_in_no_proxy_has_no_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "other.example,models.example")
    assert find_proxy(Address.parse(f"{scheme}models.example")) is None


@pytest.mark.parametrize(
    ("address", "variable"),
    [
        ("models.example", "https_proxy"),
        ("http://models.example", "all_proxy"),
        ("https://models.example", "https_proxy"),
    ],
)
def test_a_proxy_is_the_one_for_the_scheme(
    address: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "proxy.example:3128")
    assert find_proxy(Address.parse(address)) == (
        f"{variable}=proxy.example:3128",
        "models.example",
    )
