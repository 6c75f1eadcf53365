"""Hosts, ports and UNIX sockets."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any

from tfclf.errors import InputError, ServerError

_SOCKET_BYTES = 107  # sun_path, less its NUL


def join_address(host: str, port: int) -> str:
    """host:port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_port(host: str, port: int) -> None:
    """Finds out before a model is loaded whether the server could listen there.

    Raises: InputError for a port out of range, ServerError for one that cannot be had.
    """
    if not 0 <= port <= 65535:  # gRPC would take it modulo 65536
        raise InputError(f"port {port} does not exist. Expected 0 (any free one) to 65535.")
    try:
        candidates = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ServerError(cannot_listen(host, port, error.strerror or str(error))) from error
    problems = [
        problem for candidate in candidates if (problem := _problem(*candidate)) is not None
    ]
    # One of a name's addresses is enough (localhost without IPv6), unless another server has the port there.
    taken = [problem for problem in problems if problem.errno == errno.EADDRINUSE]
    if taken or len(problems) == len(candidates):
        problem = (taken or problems)[0]
        raise ServerError(cannot_listen(host, port, problem.strerror or str(problem))) from problem


def check_socket(path: str) -> None:
    """Finds out before a model is loaded whether the server could listen there.

    Raises: ServerError; also where another server listens, from which gRPC would take the socket without a word.
    """
    folder = Path(path).parent
    reason = ""
    if len(os.fsencode(path)) > _SOCKET_BYTES:
        reason = f"the path has more than {_SOCKET_BYTES} bytes, which sockets do not take"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = (
            f"{folder} cannot be written to" if folder.is_dir() else f"there is no folder {folder}"
        )
    elif os.path.lexists(path) and not (
        Path(path).exists() and stat.S_ISSOCK(Path(path).stat().st_mode)
    ):
        reason = "that is there, and no socket"
    elif os.path.lexists(path) and _answers(path):
        reason = "another process listens there"
    if reason:
        raise ServerError(
            f"cannot listen on the UNIX socket {path}: {reason}. Expected the path of a file that is not there, in a "
            f"folder that this process may write to. Give another path."
        )


def cannot_listen(host: str, port: int, reason: str) -> str:
    """What is wrong with an address, and what to do."""
    return (
        f"cannot listen on {join_address(host, port)}: {reason}. Expected a free port and an address of this "
        f"machine. End the process that has the port, or give another one; port 0 takes any that is free."
    )


def _problem(family: int, kind: int, protocol: int, _name: str, address: Any) -> OSError | None:
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC binds
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _answers(path: str) -> bool:
    """False for the socket that a process left behind which was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.settimeout(1.0)
        probe.connect(path)
        return True
    return False
