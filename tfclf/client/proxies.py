"""The proxy that the environment sets for a client, which httpx and gRPC follow by themselves."""

import os
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from tfclf.client.address import GRPC, Address

# gRPC reads names in lower case only; its sources: http_proxy_mapper.cc.
_GRPC_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
_GRPC_EXCEPTIONS = ("no_grpc_proxy", "no_proxy")


def find_proxy(address: Address) -> tuple[str, str] | None:
    """Return the proxy that requests to an address go through, and the host; None without one.

    The proxy is 'http_proxy=proxy.example:3128', without a password.
    """
    if address.target.startswith("unix:"):
        return None
    grpc = address.protocol == GRPC
    parts = urlsplit(f"grpc://{address.target}" if grpc else address.target)
    host = parts.hostname or ""
    variables: tuple[str, ...]
    if grpc:
        variables = _GRPC_VARIABLES
        proxies = {name: os.environ[name] for name in variables if os.environ.get(name)}
        excepted = next((os.environ[name] for name in _GRPC_EXCEPTIONS if name in os.environ), "")
    else:
        variables = (f"{parts.scheme}_proxy", "all_proxy")
        found = getproxies_environment()
        proxies = {f"{name}_proxy": value for name, value in found.items()}
        excepted = found.get("no", "")
    variable = next((name for name in variables if name in proxies), None)
    if variable is None or proxy_bypass(host, {"no": excepted}):
        return None
    shown = proxies[variable].rpartition("://")[2].rpartition("@")[2].rstrip("/")
    return f"{variable}={shown}", host
