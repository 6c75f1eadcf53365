"""TLS: servers a client trusts, its own certificate, and errors about bad files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.client.conftest import NAME, Model, connection
from tests.client.fronts import Behind, GrpcFront, RestFront, server_tls
from tfclf import Client
from tfclf.client import Tls
from tfclf.errors import ClientError, InputError

TEXT = ["Stocks rally as oil prices fall"]


class Papers:
    """Files: an authority; server certificates for models.example and 127.0.0.1; a client's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.server = self.authority.issue_cert("127.0.0.1")
        self.named = self.authority.issue_cert("models.example")
        own = self.authority.issue_cert("client@models.example")
        self.ca = folder / "ca.pem"
        self.certificate, self.key = folder / "own.pem", folder / "own.key"
        self.authority.cert_pem.write_to_path(self.ca)
        own.cert_chain_pems[0].write_to_path(self.certificate)
        own.private_key_pem.write_to_path(self.key)
        self.other_key = folder / "other.key"
        self.server.private_key_pem.write_to_path(self.other_key)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@contextmanager
def serve_tls(
    protocol: str, behind: Behind, papers: Papers, certificate: Any, *, mutual: bool
) -> Iterator[str]:
    credentials, options = server_tls(certificate, papers.authority if mutual else None)
    if protocol == "grpc":
        server: GrpcFront | RestFront = GrpcFront(behind, credentials)
    else:
        chain, key = papers.folder / "server.pem", papers.folder / "server.key"
        certificate.cert_chain_pems[0].write_to_path(chain)
        certificate.private_key_pem.write_to_path(key)
        files = {
            "ssl_certfile": chain,
            "ssl_keyfile": key,
            "ssl_ca_certs": papers.ca if mutual else None,
        }
        server = RestFront(behind, **files, **options)
    try:
        yield f"grpcs://{server.address}" if protocol == "grpc" else server.address
    finally:
        behind.close()
        server.stop()


def test_a_server_of_a_trusted_authority(
    form: str, protocol: str, behind: Behind, papers: Papers
) -> None:
    with (
        serve_tls(protocol, behind, papers, papers.server, mutual=False) as address,
        connection(form, address, tls=Tls(ca=papers.ca)) as client,
    ):
        assert len(client.predict(TEXT)) == 1


def test_a_server_of_an_unknown_authority_is_not_trusted(
    protocol: str, behind: Behind, papers: Papers
) -> None:
    with (
        serve_tls(protocol, behind, papers, papers.server, mutual=False) as address,
        Client(address, model=NAME, retries=0) as client,
        pytest.raises(ClientError, match="TLS failed") as raised,
    ):
        client.predict(TEXT)
    assert "tls=Tls(ca=...)" in str(raised.value)


def test_a_certificate_for_another_name_is_not_trusted(
    protocol: str, behind: Behind, papers: Papers
) -> None:
    with (
        serve_tls(protocol, behind, papers, papers.named, mutual=False) as address,
        Client(address, model=NAME, retries=0, tls=Tls(ca=papers.ca)) as client,
        pytest.raises(ClientError, match="server_name="),
    ):
        client.predict(TEXT)


def test_the_servers_name_may_be_given(
    form: str, protocol: str, behind: Behind, papers: Papers
) -> None:
    with (
        serve_tls(protocol, behind, papers, papers.named, mutual=False) as address,
        connection(form, address, tls=Tls(ca=papers.ca, server_name="models.example")) as client,
    ):
        assert len(client.predict(TEXT)) == 1


def test_mutual_tls(form: str, protocol: str, behind: Behind, papers: Papers) -> None:
    tls = Tls(ca=papers.ca, certificate=papers.certificate, key=papers.key)
    with (
        serve_tls(protocol, behind, papers, papers.server, mutual=True) as address,
        connection(form, address, tls=tls) as client,
    ):
        assert len(client.predict(TEXT)) == 1


def test_mutual_tls_without_a_certificate_is_refused(
    protocol: str, behind: Behind, papers: Papers
) -> None:
    with (
        serve_tls(protocol, behind, papers, papers.server, mutual=True) as address,
        Client(address, model=NAME, retries=0, tls=Tls(ca=papers.ca)) as client,
        pytest.raises(ClientError) as raised,
    ):
        client.predict(TEXT)
    assert raised.value.code == "UNAVAILABLE"


def test_tls_to_a_server_without_it(
    form: str, protocol: str, models: Callable[[str], Model], papers: Papers
) -> None:
    address = models("tiny").address
    scheme = "grpcs" if protocol == "grpc" else "https"
    with (
        connection(form, f"{scheme}://{address}", retries=0, tls=Tls(ca=papers.ca)) as client,
        pytest.raises(ClientError, match="the server speaks no TLS"),
    ):
        client.predict(TEXT)


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (
            lambda p: Tls(ca=p.folder / "none.pem"),
            r"tls.ca, .*none.pem, cannot be read: No such file",
        ),
        (lambda p: Tls(ca=p.folder), r"tls.ca, .* cannot be read: Is a directory"),
        (lambda p: Tls(ca=p.folder / "text.pem"), r"tls.ca, .*text.pem, is not a PEM file"),
        (lambda p: Tls(ca=p.folder / "broken.pem"), r"tls.ca, .*broken.pem, cannot be used"),
        (lambda p: Tls(certificate=p.certificate), "a certificate and no key"),
        (lambda p: Tls(key=p.key), "a key and no certificate"),
        (
            lambda p: Tls(certificate=p.certificate, key=p.other_key),
            "is not the key of tls.certificate",
        ),
        (lambda p: Tls(certificate=p.certificate, key=p.folder / "locked.key"), "is encrypted"),
        (lambda p: Tls(certificate=p.key, key=p.key), "cannot be used"),
    ],
    ids=[
        "missing",
        "folder",
        "text",
        "broken",
        "no key",
        "no certificate",
        "wrong key",
        "encrypted",
        "a key twice",
    ],
)
def test_bad_files_are_named_at_once(
    papers: Papers, scheme: str, tls: Callable[[Papers], Tls], message: str
) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    (papers.folder / "text.pem").write_text("no certificate")
    (papers.folder / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    )
    key = load_pem_private_key(papers.key.read_bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (papers.folder / "locked.key").write_bytes(locked)
    with pytest.raises(InputError, match=message):
        Client(f"{scheme}://localhost:1", tls=tls(papers))
