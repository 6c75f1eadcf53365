"""Where a server is, and which protocol it speaks there."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from tfclf.errors import InputError

GRPC = "grpc"
REST = "rest"
_SCHEMES = {
    "grpc": (GRPC, False),
    "grpcs": (GRPC, True),
    "http": (REST, False),
    "https": (REST, True),
}
_GRPC_PORT = 8500  # TF Serving's


@dataclass(frozen=True)
class Address:
    """A server's address.

    Attributes:
      given: as the user wrote it, for messages.
      protocol: 'grpc' or 'rest'.
      target: what gRPC connects to, host:port; for REST the URL before /v1/models.
      secure: whether it speaks TLS; None where the address leaves that open.
    """

    given: str
    protocol: str
    target: str
    secure: bool | None

    def __str__(self) -> str:
        return self.given

    @classmethod
    def parse(cls, address: str) -> "Address":
        """Reads 'host:port' (gRPC), 'grpc://', 'grpcs://', 'http://', 'https://' or gRPC's own 'unix:PATH'.

        >>> Address.parse("localhost:8500").protocol
        'grpc'

        Raises: InputError.
        """
        if not isinstance(address, str) or not address.strip():
            raise InputError(f"the address is {address!r}. {_EXPECTED}")
        if address.startswith("unix:"):  # tensorflow_model_server --grpc_socket_path
            return cls(address, GRPC, address, secure=None)
        named = "://" in address
        try:
            parts = urlsplit(address if named else f"grpc://{address}")
            port = parts.port
        except ValueError as error:
            raise InputError(f"the address is {address!r}: {error}. {_EXPECTED}") from None
        if (
            parts.scheme not in _SCHEMES
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            raise InputError(f"the address is {address!r}. {_EXPECTED}")
        protocol, secure = _SCHEMES[parts.scheme]
        if port == 0:
            raise InputError(
                f"the address is {address!r}, and no server has port 0. Give the port that it listens on."
            )
        if protocol == REST:
            return cls(address, REST, _base_url(address, parts), secure)
        if parts.path not in ("", "/"):
            raise InputError(
                f"the address is {address!r}; gRPC takes host:port alone. For REST write http:// before."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(address, GRPC, f"{host}:{port or _GRPC_PORT}", secure if named else None)


def _base_url(address: str, parts: SplitResult) -> str:
    if "/v1/models" in parts.path:
        raise InputError(
            f"the address is {address!r}; expected it to end before /v1/models. Give the model's name as model=, "
            f"and its version or label as version=."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


_EXPECTED = (
    "Expected 'localhost:8500' or 'grpc://localhost:8500' for gRPC, 'http://localhost:8501' for REST; with TLS "
    "'grpcs://' or 'https://'."
)
