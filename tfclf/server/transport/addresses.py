"""Hosts, ports and UNIX sockets, checked before a server listens on them."""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any

from tfclf.errors import InputError, ServerError

_SOCKET_BYTES = 107  # sun_path, less its NUL


def join_address(host: str, port: int) -> str:
    """Join a host and a port, with brackets around an IPv6 address.

    >>> join_address("localhost", 8500), join_address("::1", 8500)
    ('localhost:8500', '[::1]:8500')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_port_number(port: int) -> None:
    """Check a port's range; gRPC would take it modulo 65536. Raises: InputError."""
    if not 0 <= port <= 65535:
        raise InputError(f"port {port} does not exist. Expected 0 (any free one) to 65535.")


def check_port(host: str, port: int) -> None:
    """Check whether the server could listen there, before it loads a model.

    Raises: InputError for a port out of range, ServerError if the port is not available.
    """
    check_port_number(port)
    try:
        candidates = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ServerError(cannot_listen(host, port, error.strerror or str(error))) from error
    problems = [
        problem for candidate in candidates if (problem := _try_to_bind(*candidate)) is not None
    ]
    # One address of a name is enough (localhost without IPv6), unless another server has the port.
    taken = [problem for problem in problems if problem.errno == errno.EADDRINUSE]
    if taken or len(problems) == len(candidates):
        problem = (taken or problems)[0]
        raise ServerError(cannot_listen(host, port, problem.strerror or str(problem))) from problem


def check_socket(path: str) -> None:
    """Check whether the server could listen there, before it loads a model.

    A socket that stands at the path is fine, even if another process listens there: gRPC replaces
    it, as TF Serving does, so a restart never fails on it.

    Raises: ServerError.
    """
    folder = Path(path).parent
    reason = ""
    if len(os.fsencode(path)) > _SOCKET_BYTES:
        reason = f"the path has more than {_SOCKET_BYTES} bytes, which sockets do not take"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = f"{folder} cannot be written to"
        if not folder.is_dir():
            reason = f"there is no folder {folder}"
    elif os.path.lexists(path) and not _is_socket(path):
        reason = "the path exists and is not a socket"
    if reason:
        raise ServerError(
            f"cannot listen on the UNIX socket {path}: {reason}. Expected the path of a socket, or "
            "of no file yet, in a folder that this process may write to. Give another path."
        )


def cannot_listen(host: str, port: int, reason: str, *, purpose: str = "") -> str:
    """Say what is wrong with an address, and what to do. `purpose`: such as "for REST"."""
    address = f"{join_address(host, port)} {purpose}".strip()
    return (
        f"cannot listen on {address}: {reason}. Expected a free port and an "
        "address of this machine. End the process that has the port, or give another one; port 0 "
        "takes any that is free."
    )


def _try_to_bind(family: int, kind: int, protocol: int, _name: str, address: Any) -> OSError | None:
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC binds
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _is_socket(path: str) -> bool:
    return Path(path).exists() and stat.S_ISSOCK(Path(path).stat().st_mode)
