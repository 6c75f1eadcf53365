"""TLS settings of a client: the servers it trusts, and its own certificate."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tfclf.errors import InputError


@dataclass(frozen=True)
class Tls:
    """PEM files for a TLS connection.

        tls = Tls(ca="ca.pem", certificate="me.pem", key="me.key")
        client = Client("grpcs://models.example:8500", tls=tls)

    Attributes:
      ca: certificates of the authorities to trust; None trusts the public ones.
      certificate, key: the client's own, for a server that asks for a certificate (mutual TLS).
      server_name: the name in the server's certificate, if it differs from the address's host.
    """

    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None
    server_name: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the paths; the context is made anew from the files."""
        return Tls, (self.ca, self.certificate, self.key, self.server_name)

    def check(self) -> None:
        """Read the files.

        Raises: InputError if a file is missing or not PEM, or if the key is not the certificate's.
        """
        _ = self.context

    @cached_property
    def context(self) -> ssl.SSLContext:
        """SSL context for REST.

        For gRPC, creating it checks the files: gRPC's own errors about them say next to nothing.
        """
        context = _create_context(self.ca)
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise InputError(
                f"tls has a {given} and no {missing}; mutual TLS takes both. "
                f"Give the {missing} too."
            )
        if self.certificate is not None and self.key is not None:
            _read_pem(self.certificate, "certificate")
            _read_pem(self.key, "key")
            _load_own_certificate(context, self.certificate, self.key)
        return context

    def ca_pem(self) -> bytes | None:
        """Read the authorities' certificates, for gRPC."""
        return None if self.ca is None else _read_pem(self.ca, "ca")

    def own_pem(self) -> tuple[bytes | None, bytes | None]:
        """Read the client's own (key, certificate), for gRPC."""
        if self.certificate is None or self.key is None:
            return None, None
        return _read_pem(self.key, "key"), _read_pem(self.certificate, "certificate")


def _create_context(ca: str | Path | None) -> ssl.SSLContext:
    if ca is None:
        import httpx

        return httpx.create_ssl_context()  # certifi's authorities: the same on every machine
    _read_pem(ca, "ca")
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise _unusable_file_error("ca", ca, error) from None


def _load_own_certificate(
    context: ssl.SSLContext, certificate: str | Path, key: str | Path
) -> None:
    def refuse_password() -> str:
        # Without a callback OpenSSL would prompt on the terminal.
        raise InputError(
            f"tls.key, {key}, is encrypted, and gRPC takes no password. "
            f"Decrypt it first: openssl pkey -in {key} -out plain.key"
        )

    try:
        context.load_cert_chain(certificate, key, password=refuse_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InputError(
                f"tls.key, {key}, is not the key of tls.certificate, {certificate}. "
                f"Give a certificate and its own key."
            ) from None
        files = f"{certificate} and {key}"
        raise _unusable_file_error("certificate and tls.key", files, error) from None


def _read_pem(path: str | Path, name: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"tls.{name}, {path}, cannot be read: {error.strerror}. Expected a PEM file."
        ) from None
    if b"-----BEGIN " not in content:
        raise InputError(
            f"tls.{name}, {path}, is not a PEM file: it has no line -----BEGIN .... Convert a DER "
            f"file with: openssl x509 -inform der (or openssl pkey -inform der)"
        )
    return content


def _unusable_file_error(name: str, path: object, error: ssl.SSLError) -> InputError:
    return InputError(
        f"tls.{name}, {path}, cannot be used: {error.reason or error}. Expected complete PEM files."
    )
