"""Why a server refuses a request: the only module that reads a server's prose."""

import enum

_TLS_WORDS = ("certificate", "handshake", "ssl", "verification")


class Reason(enum.Enum):
    """The meaning of a refusal for the client, beyond its status code."""

    OTHER = enum.auto()
    TLS = enum.auto()
    """The TLS handshake failed."""
    REST_PORT = enum.auto()
    """gRPC reached a port that answers in HTTP/1."""
    NOT_HTTP = enum.auto()
    """REST reached a port that does not answer in HTTP/1.1, most likely a gRPC port."""
    UNKNOWN_LABEL = enum.auto()
    """The server has no version with the requested label."""
    UNKNOWN_SIGNATURE = enum.auto()
    """The version that answered does not have the requested signature, or output of it."""
    MISSING_SIGNATURE = enum.auto()
    """The model's metadata lists no usable signature; the client itself says so."""
    OTHER_EXPORT = enum.auto()
    """The answer is that of another export than the labels; the client itself says so."""


def read_reason(code: str, details: str) -> Reason:
    """Return the reason that a server's, or gRPC's, error text gives.

    TF Serving has no status code of its own for an unknown label or signature.

    >>> read_reason("INVALID_ARGUMENT", "Unrecognized servable version label: stable")
    <Reason.UNKNOWN_LABEL: 5>
    >>> read_reason("FAILED_PRECONDITION", 'Serving signature name: "x" not found in signature def')
    <Reason.UNKNOWN_SIGNATURE: 6>
    >>> read_reason("UNAVAILABLE", "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED").name
    'TLS'
    >>> read_reason("INTERNAL", "out of memory").name
    'OTHER'

    Source: TF Serving, server_core.cc (labels) and predict_util.cc (signatures).
    """
    lower = details.lower()
    if code == "UNAVAILABLE":
        return Reason.TLS if any(word in lower for word in _TLS_WORDS) else Reason.OTHER
    if "version label" in lower or "version_label" in lower:
        return Reason.UNKNOWN_LABEL
    if "signature" in lower:
        return Reason.UNKNOWN_SIGNATURE
    return Reason.OTHER
