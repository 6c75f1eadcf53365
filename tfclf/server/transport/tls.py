"""TLS for both ports, from the PEM texts of TF Serving's SSL file."""

import ssl
import tempfile
from pathlib import Path
from typing import Any

import grpc

from tfclf.errors import ServerError
from tfclf.server.config_files import Tls


def grpc_credentials(tls: Tls) -> Any:
    """For gRPC. Raises: ServerError as `ssl_context`: gRPC itself says of bad PEM only that it could not bind."""
    ssl_context(tls)
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)],
        root_certificates=tls.ca or None,
        require_client_auth=tls.verify_clients,
    )


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """For REST.

    Raises: ServerError where the PEM texts are broken, or key and certificate are not of one pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Python's ssl reads key and certificate from files alone.
        with tempfile.TemporaryDirectory(prefix="tfclf-tls-") as folder:  # only its owner can look into it
            certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            certificate.write_bytes(tls.certificate)
            key.write_bytes(tls.key)
            context.load_cert_chain(certificate, key, password=_no_password)
        if tls.verify_clients:
            context.load_verify_locations(cadata=tls.ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
    except (ssl.SSLError, ValueError, UnicodeDecodeError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ServerError(
            f"the key, certificate or CA of --ssl_config_file cannot be used: {reason}. Expected a private key without "
            f"a password, the certificate that was made for it and, for client_verify, the clients' CA, all as PEM."
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")
