"""TLS and mutual TLS on both ports, from an SSL file, with certificates made by the tests."""

import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

import tfclf
from samples.checkpoints import DEMO, ROOT
from tfclf import Client
from tfclf.client import Tls as ClientTls
from tfclf.errors import ClientError, ServerError
from tfclf.server import command_line, flags
from tfclf.server.config_files import Tls, read_tls
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.process import Server, ServerOptions
from tfclf.server.start import find_models, start
from tfclf.server.transport.tls import grpc_credentials, ssl_context

TEXT = ["Stocks rally as oil prices fall"]
NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


class Papers:
    """PEM files: an authority, a server certificate, and client certificates of two authorities."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.stranger = trustme.CA(), trustme.CA()
        self.server = self.authority.issue_cert("127.0.0.1", "localhost")
        self.ca = self._write("ca.pem", self.authority.cert_pem)
        self.own = self._pair("own", self.authority.issue_cert("client@models.example"))
        self.strange = self._pair("strange", self.stranger.issue_cert("client@models.example"))

    def ssl_config(self, *, mutual: bool) -> Path:
        """Make the file like a user does, from PEM files."""
        certificate, key = self._pair("server", self.server)
        options = ["--client-ca", str(self.ca)] if mutual else []
        command = [
            sys.executable,
            str(ROOT / "serving" / "make_ssl_config.py"),
            str(key),
            str(certificate),
            *options,
        ]
        path = self.folder / f"ssl-{mutual}.config"
        path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        return path

    def _pair(self, name: str, certificate: trustme.LeafCert) -> tuple[Path, Path]:
        return (
            self._write(f"{name}.crt", certificate.cert_chain_pems[0]),
            self._write(f"{name}.key", certificate.private_key_pem),
        )

    def _write(self, name: str, pem: trustme.Blob) -> Path:
        pem.write_to_path(self.folder / name)
        return self.folder / name


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


def start_with_tls(config: Path, base: Path) -> Server:
    return start(
        find_models(base, "short"),
        loader=Loader(warm_up_runs=0),
        options=ServerOptions(port=0, rest_port=0, tls=read_tls(config), drain_seconds=1),
        watching=Watching(poll_seconds=0),
    )


@pytest.fixture(scope="module")
def server(papers: Papers, short_export: Path) -> Iterator[Server]:
    """A server with TLS."""
    with start_with_tls(papers.ssl_config(mutual=False), short_export.parent) as server:
        yield server


@pytest.fixture(scope="module")
def mutual(papers: Papers, short_export: Path) -> Iterator[Server]:
    """A server with mutual TLS."""
    with start_with_tls(papers.ssl_config(mutual=True), short_export.parent) as server:
        yield server


@pytest.fixture(scope="module")
def label(short_export: Path) -> str:
    """The label that the export predicts in process."""
    return tfclf.load(short_export).predict(TEXT)[0].label


@pytest.fixture(params=["grpc", "rest"])
def address_of(request: pytest.FixtureRequest) -> Callable[[Server], str]:
    """A function from a server to the address of one of its ports, for `Client`."""

    def address(server: Server) -> str:
        return f"grpcs://{server.address}" if request.param == "grpc" else str(server.rest_url)

    return address


def test_the_command_line_takes_the_file(papers: Papers) -> None:
    path = papers.ssl_config(mutual=True)
    options = command_line._server_options(
        flags.parse(["--model_base_path=x", f"--ssl_config_file={path}"])
    )
    assert options.tls == read_tls(path)
    assert options.tls is not None
    assert options.tls.verify_clients


def test_rest_has_tls_too(server: Server) -> None:
    assert str(server.rest_url).startswith("https://127.0.0.1:")


def test_a_client_that_trusts_the_authority_is_answered(
    server: Server, papers: Papers, address_of: Callable[[Server], str], label: str
) -> None:
    with Client(address_of(server), model="short", tls=ClientTls(ca=papers.ca)) as client:
        assert client.predict(TEXT)[0].label == label


def test_a_client_with_a_certificate_is_answered_where_one_is_asked_for(
    mutual: Server, papers: Papers, address_of: Callable[[Server], str], label: str
) -> None:
    certificate, key = papers.own
    tls = ClientTls(ca=papers.ca, certificate=certificate, key=key)
    with Client(address_of(mutual), model="short", tls=tls) as client:
        assert client.predict(TEXT)[0].label == label


@pytest.mark.parametrize("of", [None, "strange"], ids=["none", "of another authority"])
def test_a_client_without_a_certificate_of_the_authority_is_refused(
    mutual: Server, papers: Papers, address_of: Callable[[Server], str], of: str | None
) -> None:
    certificate, key = (None, None) if of is None else papers.strange
    tls = ClientTls(ca=papers.ca, certificate=certificate, key=key)
    with (
        Client(address_of(mutual), model="short", tls=tls, timeout=5, retries=0) as client,
        pytest.raises(ClientError),
    ):
        client.predict(TEXT)


def test_a_client_that_trusts_another_authority_refuses(
    server: Server, papers: Papers, address_of: Callable[[Server], str]
) -> None:
    ca = papers.folder / "stranger.pem"
    papers.stranger.cert_pem.write_to_path(ca)
    with (
        Client(
            address_of(server), model="short", tls=ClientTls(ca=ca), timeout=5, retries=0
        ) as client,
        pytest.raises(ClientError),
    ):
        client.predict(TEXT)


def test_plain_grpc_is_refused(server: Server) -> None:
    with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError) as raised:
        ModelServiceStub(channel).GetModelStatus(
            GetModelStatusRequest(model_spec={"name": "short"}), timeout=10
        )
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE


def test_plain_http_is_refused(server: Server) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{server.rest_port}/v1/models/short", timeout=10)


def handshake(port: int, papers: Papers, version: ssl.TLSVersion) -> str | None:
    """Shake hands; return the TLS version."""
    context = ssl.create_default_context(cafile=str(papers.ca))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # TLS 1.1 is deprecated, which is the point
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL's own level forbids it
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        return wrapped.version()


@pytest.mark.parametrize("port", ["port", "rest_port"])
@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"]
)
def test_tls_1_2_and_1_3_are_spoken(
    server: Server, papers: Papers, port: str, version: ssl.TLSVersion
) -> None:
    assert handshake(getattr(server, port), papers, version) == version.name.replace("_", ".")


@pytest.mark.parametrize("port", ["port", "rest_port"])
def test_tls_1_1_is_refused(server: Server, papers: Papers, port: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError), match=r"(?i)version|reset|eof"):
        handshake(getattr(server, port), papers, ssl.TLSVersion.TLSv1_1)


def test_a_socket_beside_a_port_with_tls_is_plain(
    papers: Papers, short_export: Path, tmp_path: Path
) -> None:
    options = ServerOptions(
        port=0,
        socket_path=str(tmp_path / "s"),
        tls=read_tls(papers.ssl_config(mutual=False)),
        drain_seconds=1,
    )
    models = find_models(short_export.parent, "short")
    with (
        start(
            models,
            loader=Loader(warm_up_runs=0),
            options=options,
            watching=Watching(poll_seconds=0),
        ) as server,
        grpc.insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        assert str(server).endswith(f" and unix:{tmp_path}/s (gRPC)")
        request = GetModelStatusRequest(model_spec={"name": "short"})
        assert (
            ModelServiceStub(channel)
            .GetModelStatus(request, timeout=10)
            .model_version_status[0]
            .state
            == 30
        )


def tls_of(certificate: trustme.LeafCert, **changes: Any) -> Tls:
    return replace(
        Tls(
            key=certificate.private_key_pem.bytes(),
            certificate=certificate.cert_chain_pems[0].bytes(),
        ),
        **changes,
    )


@pytest.fixture(
    params=[
        "over",
        "not begun",
        "another key",
        "locked key",
        "no certificate",
        "cut key",
        "no authority",
        "old CA",
    ]
)
def bad(
    request: pytest.FixtureRequest, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> tuple[Tls, str]:
    """Unusable PEM texts, and a pattern of the error."""
    issue, good = papers.authority.issue_cert, tls_of(papers.server)
    if request.param == "over":
        return tls_of(
            issue("localhost", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
        ), "certificate has expired"
    if request.param == "not begun":
        return tls_of(
            issue("localhost", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
        ), "is not yet valid"
    if request.param == "another key":
        return replace(
            good, key=issue("localhost").private_key_pem.bytes()
        ), "(?i)key.values.mismatch"
    if request.param == "locked key":
        key = serialization.load_pem_private_key(good.key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        return replace(good, key=key), "the key has a password"
    if request.param == "no certificate":
        return replace(good, certificate=good.key), "cannot be used: "
    if request.param == "cut key":
        return replace(good, key=good.key[:100]), "cannot be used: "
    if request.param == "no authority":
        pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        return replace(good, ca=pem, verify_clients=True), "cannot be used: "
    # trustme's certificates are valid until the year 3000.
    monkeypatch.setattr("tfclf.server.transport.tls.time.time", lambda: 40e9)
    return replace(
        good, ca=papers.authority.cert_pem.bytes(), verify_clients=True
    ), "in custom_ca has expired"


@pytest.mark.parametrize("take", [ssl_context, grpc_credentials])
def test_what_cannot_be_used_says_why(bad: tuple[Tls, str], take: Callable[[Tls], Any]) -> None:
    tls, reason = bad
    with pytest.raises(ServerError, match=reason):
        take(tls)


def test_it_is_said_before_a_model_is_loaded(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = papers.authority.issue_cert("localhost", not_before=NOW - 2 * DAY, not_after=NOW - DAY)

    def loaded(*_: Any) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.setattr("tfclf.server.lifecycle.loading.Loader.__call__", loaded)
    with pytest.raises(ServerError, match="certificate has expired"):
        start(find_models(DEMO), options=ServerOptions(port=0, tls=tls_of(over)))


def test_no_key_is_left_on_disk(
    papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ssl_context(tls_of(papers.server))
    assert not list(tmp_path.iterdir())


def test_a_certificate_s_time_is_all_that_is_judged_of_it(papers: Papers) -> None:
    """Clients decide about trust; some may accept, for example, a certificate for clients only."""
    assert ssl_context(tls_of(papers.stranger.issue_cert("client@models.example")))
