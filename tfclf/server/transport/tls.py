"""TLS for both ports, from the PEM texts of TF Serving's SSL file."""

import ssl
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc

from tfclf.errors import ServerError
from tfclf.server.config_files import Tls

_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED


def grpc_credentials(tls: Tls) -> Any:
    """Return the credentials of the gRPC port. Raises: ServerError, like `ssl_context`."""
    ssl_context(tls)  # of bad PEM, gRPC itself says only that it could not bind
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)],
        root_certificates=tls.ca or None,
        require_client_auth=tls.verify_clients,
    )


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """Return the SSL context of the REST port.

    Raises: ServerError if a PEM text is broken, key and certificate do not match, or a certificate
      is not valid yet or has expired.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Python's ssl reads key and certificate from files only; no other user can read this
        # folder.
        with tempfile.TemporaryDirectory(prefix="tfclf-tls-") as folder:
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            certificate.write_bytes(tls.certificate)
            key.write_bytes(tls.key)
            context.load_cert_chain(certificate, key, password=_refuse_password)
        _check_time(context, tls.certificate)
        if tls.verify_clients:
            context.load_verify_locations(cadata=tls.ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
            _check_authorities(context)
    except (ssl.SSLError, ValueError, UnicodeDecodeError) as error:
        reason = (
            getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
        )
        raise ServerError(
            f"the key, certificate or CA of --ssl_config_file cannot be used: {reason}. Expected a "
            "private key without a password, the certificate that was made for it, valid today, "
            "and, for client_verify, the clients' CA, all as PEM."
        ) from error
    return context


def _check_time(context: ssl.SSLContext, certificate: bytes) -> None:
    """Check a certificate's validity period by a handshake with a client that trusts it.

    Python's ssl checks the period nowhere else.

    Raises: SSLCertVerificationError if the certificate is not valid yet or has expired.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cadata=certificate.decode("ascii"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server),
        context.wrap_bio(to_server, to_client, server_side=True),
    )
    for end in (*ends, ends[0]):  # hello; hello and certificate; the client's verdict
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _TIME:
                raise
            return  # whether to trust it otherwise is for real clients to decide


def _check_authorities(context: ssl.SSLContext) -> None:
    ends = [
        ssl.cert_time_to_seconds(str(authority["notAfter"])) for authority in context.get_ca_certs()
    ]
    # Without an authority, custom_ca is a client's own certificate, which is trusted as it is.
    if ends and max(ends) < time.time():
        raise ValueError("every certificate of an authority in custom_ca has expired")


def _refuse_password() -> str:
    raise ValueError("the key has a password")
