"""Ports for programs that are given their ports and bind them seconds later.

The kernel picks free ports from one range for everybody. By the time a program binds such a port,
another test's server or a client's connection may have it. These ports are random ones below that
range.
"""

import random
import socket
from pathlib import Path

_FIRST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()


def free_ports(number: int) -> list[int]:
    """Return free ports of 127.0.0.1, all different and never given to this process before."""
    found: list[int] = []
    while len(found) < number:
        port = _candidate()
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def _candidate() -> int:
    lowest = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    if lowest - _FIRST > 1_000:
        return random.SystemRandom().randrange(_FIRST, lowest)
    with socket.socket() as probe:  # the kernel's range covers nearly all ports
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
