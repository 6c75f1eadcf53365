"""TLS of a client: which servers it trusts, and who it is itself."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tfclf.errors import InputError


@dataclass(frozen=True)
class Tls:
    """What a TLS connection needs beside the public authorities, as PEM files.

        Client("grpcs://models.example:8500", tls=Tls(ca="ca.pem", certificate="me.pem", key="me.key"))

    Attributes:
      ca: certificates of the authorities to trust; None: the public ones.
      certificate, key: this client's own, for a server that asks for one (mutual TLS).
      server_name: the name in the server's certificate, where it is not the one in the address.
    """

    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None
    server_name: str | None = None

    def check(self) -> None:
        """Raises: InputError for a file that is missing or no PEM, and for a key that is not the certificate's."""
        _ = self.context

    @cached_property
    def context(self) -> ssl.SSLContext:
        """For REST; and for gRPC the check of its files, about which gRPC itself says next to nothing."""
        context = _context(self.ca)
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise InputError(
                f"tls has a {given} and no {missing}; mutual TLS takes both. Give the {missing} too."
            )
        if self.certificate is not None and self.key is not None:
            _pem(self.certificate, "certificate")
            _pem(self.key, "key")
            _load_own(context, self.certificate, self.key)
        return context

    def ca_pem(self) -> bytes | None:
        """For gRPC."""
        return None if self.ca is None else _pem(self.ca, "ca")

    def own_pem(self) -> tuple[bytes | None, bytes | None]:
        """key, certificate: for gRPC."""
        if self.certificate is None or self.key is None:
            return None, None
        return _pem(self.key, "key"), _pem(self.certificate, "certificate")


def _context(ca: str | Path | None) -> ssl.SSLContext:
    if ca is None:
        import httpx

        return httpx.create_ssl_context()  # certifi's authorities, the same on every machine
    _pem(ca, "ca")
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise _broken("ca", ca, error) from None


def _load_own(context: ssl.SSLContext, certificate: str | Path, key: str | Path) -> None:
    def no_password() -> str:
        # Without this OpenSSL would ask on the terminal.
        raise InputError(
            f"tls.key, {key}, is encrypted, and gRPC takes no password. "
            f"Decrypt it first: openssl pkey -in {key} -out plain.key"
        )

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InputError(
                f"tls.key, {key}, is not the key of tls.certificate, {certificate}. Give the two that belong together."
            ) from None
        raise _broken("certificate and tls.key", f"{certificate} and {key}", error) from None


def _pem(path: str | Path, name: str) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"tls.{name}, {path}, cannot be read: {error.strerror}. Expected a PEM file."
        ) from None
    if b"-----BEGIN " not in content:
        raise InputError(
            f"tls.{name}, {path}, is no PEM file: it has no line -----BEGIN .... "
            f"A DER file becomes one with: openssl x509 -inform der (or openssl pkey -inform der)"
        )
    return content


def _broken(name: str, path: object, error: ssl.SSLError) -> InputError:
    return InputError(
        f"tls.{name}, {path}, cannot be used: {error.reason or error}. Expected whole PEM files."
    )
