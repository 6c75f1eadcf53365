"""The address of a server, and the protocol that it speaks there."""

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
_GRPC_PORT = 8500  # TF Serving's default


@dataclass(frozen=True)
class Address:
    """A server's address.

    Attributes:
      given: the address as the user wrote it, for messages.
      protocol: 'grpc' or 'rest'.
      target: what gRPC connects to, host:port; for REST the URL up to, not including, /v1/models.
      secure: whether the scheme asks for TLS; None if the address has no scheme.
    """

    given: str
    protocol: str
    target: str
    secure: bool | None

    def __str__(self) -> str:
        return self.given

    @classmethod
    def parse(cls, address: str) -> "Address":
        """Parse 'host:port' (gRPC), grpc://, grpcs://, http://, https:// or gRPC's 'unix:PATH'.

        >>> parsed = Address.parse("models.example")
        >>> parsed.protocol, parsed.target, parsed.secure
        ('grpc', 'models.example:8500', None)
        >>> parsed = Address.parse("https://models.example/proxy/")
        >>> parsed.protocol, parsed.target, parsed.secure
        ('rest', 'https://models.example/proxy', True)

        Raises: InputError.
        """
        if not isinstance(address, str) or not address.strip():
            raise InputError(f"the address is {address!r}. {_EXPECTED}")
        if address.startswith("unix:"):  # tensorflow_model_server --grpc_socket_path
            return cls(address, GRPC, address, secure=None)
        has_scheme = "://" in address
        try:
            parts = urlsplit(address if has_scheme else f"grpc://{address}")
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
                f"the address is {address!r}, but no server has port 0. "
                f"Give the port that the server listens on."
            )
        if protocol == REST:
            return cls(address, REST, _base_url(address, parts), secure)
        if parts.path not in ("", "/"):
            raise InputError(
                f"the address is {address!r}, but gRPC takes host:port alone. "
                f"For REST, begin the address with http://."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(address, GRPC, f"{host}:{port or _GRPC_PORT}", secure if has_scheme else None)


def _base_url(address: str, parts: SplitResult) -> str:
    if "/v1/models" in parts.path:
        raise InputError(
            f"the address is {address!r}; expected it to end before /v1/models. "
            f"Give the model's name as model=, and its version or label as version=."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


_EXPECTED = (
    "Expected 'localhost:8500' or 'grpc://localhost:8500' for gRPC, 'http://localhost:8501' for "
    "REST, and 'grpcs://' or 'https://' with TLS."
)
