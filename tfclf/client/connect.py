"""From a client's options to a connection."""

import math
from importlib.util import find_spec

from tfclf.client.address import GRPC, REST, Address
from tfclf.client.messages import Transport
from tfclf.client.options import Options
from tfclf.client.tls import Tls
from tfclf.errors import InputError, MissingExtraError


class _ClientDefault(float):
    """A number to the type checker, that `help()` shows in words."""

    def __repr__(self) -> str:
        return "<the client's timeout>"


# A call's default timeout: the client's own. It cannot be None, which means no limit.
CLIENT_DEFAULT: float = _ClientDefault(math.nan)

# Per protocol: (package, module) pairs of the extra.
_NEEDS = {
    GRPC: (("grpcio", "grpc"), ("tensorflow-serving-api", "tensorflow_serving")),
    REST: (("httpx", "httpx"), ("tenacity", "tenacity")),
}


def resolve_address(address: str, tls: Tls | bool | None) -> tuple[Address, Tls | None]:
    """Parse the address, decide on TLS, and check that the packages and the TLS files are there.

    Raises: InputError, MissingExtraError.
    """
    parsed = Address.parse(address)
    for package, module in _NEEDS[parsed.protocol]:
        if find_spec(module) is None:
            raise MissingExtraError(package, extra="client", purpose=f"a client of {parsed}")
    resolved = _resolve_tls(parsed, tls)
    if resolved is not None:
        resolved.check()
    return parsed, resolved


def describe_client(kind: str, address: Address, options: Options) -> str:
    """Return what a client's repr says.

    >>> options = Options("news", 3, None, 5, 4, 32, 1 << 21, in_flight=4, xla=False)
    >>> describe_client("Client", Address.parse("localhost:8500"), options)
    "<tfclf.Client localhost:8500 (gRPC), model 'news', version 3, timeout 5 s>"
    """
    protocol = "gRPC" if address.protocol == GRPC else "REST"
    version = ""
    if options.version is not None:
        version = f", version {options.version}"
    elif options.label is not None:
        version = f", version {options.label!r}"
    timeout = "no timeout" if options.timeout is None else f"timeout {options.timeout:g} s"
    model = f"model {options.model!r}"
    return f"<tfclf.{kind} {address} ({protocol}), {model}{version}, {timeout}>"


def open_transport(
    address: Address, options: Options, tls: Tls | None, *, asynchronous: bool
) -> Transport:
    """Return the transport for the address's protocol; it connects when it is first used."""
    if address.protocol == GRPC:
        from tfclf.client.grpc_transport import AsyncGrpcTransport, GrpcTransport

        return (AsyncGrpcTransport if asynchronous else GrpcTransport)(address, options, tls)
    from tfclf.client.rest_transport import AsyncRestTransport, RestTransport

    return (AsyncRestTransport if asynchronous else RestTransport)(address, options, tls)


def _resolve_tls(address: Address, tls: Tls | bool | None) -> Tls | None:
    """Return the TLS settings, or None for a plain connection.

    >>> _resolve_tls(Address.parse("grpcs://host"), None)
    Tls(ca=None, certificate=None, key=None, server_name=None)
    >>> _resolve_tls(Address.parse("host:8500"), None) is None
    True
    """
    if tls is not None and not isinstance(tls, Tls | bool):
        raise InputError(
            f"tls is {tls!r}; expected tfclf.client.Tls(ca=...), "
            f"or True for the public authorities."
        )
    if address.secure is False and tls:
        scheme = "grpcs" if address.protocol == GRPC else "https"
        raise InputError(
            f"the address {address} asks for no TLS, but tls is given. "
            f"Write {scheme}:// there, or leave tls out."
        )
    if address.secure and tls is False:
        raise InputError(
            f"the address {address} asks for TLS, but tls is False. Leave one of them out."
        )
    if isinstance(tls, Tls):
        return tls
    return Tls() if tls or address.secure else None
