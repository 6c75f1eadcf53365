"""From a client's options to a connection."""

import math
from importlib.util import find_spec

from tfclf.client.address import GRPC, Address
from tfclf.client.messages import Transport
from tfclf.client.options import Options
from tfclf.client.tls import Tls
from tfclf.errors import InputError, MissingExtraError

# None means: no limit. So something else must mean: not given.
AS_GIVEN: float = math.nan

_NEEDS = {
    GRPC: (("grpcio", "grpc"), ("tensorflow-serving-api", "tensorflow_serving")),
    "rest": (("httpx", "httpx"), ("tenacity", "tenacity")),
}


def prepared(address: str, tls: Tls | bool | None) -> tuple[Address, Tls | None]:
    """Where to connect, and how secured; the extra and the files are there.

    Raises: InputError, MissingExtraError.
    """
    place = Address.parse(address)
    for package, module in _NEEDS[place.protocol]:
        if find_spec(module) is None:
            raise MissingExtraError(package, extra="client", purpose=f"a client of {place}")
    security = _security(place, tls)
    if security is not None:
        security.check()
    return place, security


def connected(
    address: Address, options: Options, tls: Tls | None, *, asynchronous: bool
) -> Transport:
    """A connection, which is made when it is first needed."""
    if address.protocol == GRPC:
        from tfclf.client.grpc_transport import AsyncGrpcTransport, GrpcTransport

        return (AsyncGrpcTransport if asynchronous else GrpcTransport)(address, options, tls)
    from tfclf.client.rest_transport import AsyncRestTransport, RestTransport

    return (AsyncRestTransport if asynchronous else RestTransport)(address, options, tls)


def _security(place: Address, tls: Tls | bool | None) -> Tls | None:
    if tls is not None and not isinstance(tls, Tls | bool):
        raise InputError(
            f"tls is {tls!r}; expected tfclf.client.Tls(ca=...), or True for the public authorities."
        )
    if place.secure is False and tls:
        raise InputError(
            f"the address {place} is one without TLS, and tls is given. Write "
            f"{'grpcs' if place.protocol == GRPC else 'https'}:// there, or leave tls out."
        )
    if place.secure and tls is False:
        raise InputError(
            f"the address {place} is one with TLS, and tls is False. Leave one of them out."
        )
    if isinstance(tls, Tls):
        return tls
    return Tls() if tls or place.secure else None
