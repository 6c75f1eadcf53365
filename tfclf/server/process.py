"""The process side of a server: port, threads, signals, drain."""

import errno
import logging
import os
import queue
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import grpc
from tensorflow_serving.apis.prediction_service_pb2_grpc import add_PredictionServiceServicer_to_server

from tfclf.errors import InputError, ServerError
from tfclf.server.grpc_service import PredictionService
from tfclf.server.service import Service

_log = logging.getLogger(__name__)

_GRACE = 10.0
_OPTIONS = (
    ("grpc.max_receive_message_length", (1 << 31) - 1),
    ("grpc.max_send_message_length", (1 << 31) - 1),
    # With it two servers would share a port, and each get some of the requests.
    ("grpc.so_reuseport", 0),
)


class Server:
    """A gRPC server of loaded models.

    Args:
      service: what it answers; the server closes its models when it stops.
      host: a name or address of this machine; "0.0.0.0" or "::" opens the server to the network.
      port: 0 takes a free one.
      max_threads: requests that are answered at once; TF Serving's default is four for each CPU.

    Attributes:
      port: the port that it answers on, once started.
    """

    def __init__(
        self, service: Service, *, host: str = "127.0.0.1", port: int = 8500, max_threads: int | None = None
    ) -> None:
        self.service = service
        self.host = host
        self.port = port
        self._threads = ThreadPoolExecutor(max_threads or 4 * _cpus(), thread_name_prefix="tfclf-server")
        self._server = grpc.server(self._threads, options=_OPTIONS)
        add_PredictionServiceServicer_to_server(PredictionService(service), self._server)

    @property
    def address(self) -> str:
        """What a client connects to."""
        return join_address(self.host, self.port)

    def __str__(self) -> str:
        models = ", ".join(f"{servable.name} version {servable.version}" for servable in self.service.registry)
        return f"{models} on {self.address} (gRPC)"

    def start(self) -> None:
        """Starts to answer. Raises: ServerError if the port cannot be had."""
        try:
            self.port = self._server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise ServerError(_cannot_listen(self.host, self.port, "gRPC could not bind it")) from error
        self._server.start()
        _log.info("serving %s", self)

    def wait(self, timeout: float | None = None) -> None:
        """Returns when the server has stopped, or after `timeout` seconds."""
        self._server.wait_for_termination(timeout)

    @contextmanager
    def signals(self) -> Iterator[queue.SimpleQueue[int]]:
        """Puts SIGTERM and SIGINT into a queue while within; for the main thread only.

        Leave it before `stop`, so that a second signal ends a drain at once.
        """
        # put() of a SimpleQueue may be called from a handler; an Event could deadlock on its own lock there.
        received: queue.SimpleQueue[int] = queue.SimpleQueue()
        previous = {
            number: signal.signal(number, lambda number, _frame: received.put(number))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield received
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def stop(self, grace: float = _GRACE) -> None:
        """Takes no more requests, gives those under way `grace` seconds, then cancels them."""
        _log.info("stopping, with %.1f seconds for requests under way", grace)
        self._server.stop(grace).wait()
        for servable in self.service.registry:
            servable.close()
        self._threads.shutdown(wait=False)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


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
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ServerError(_cannot_listen(host, port, error.strerror or str(error))) from error
    problems = [problem for candidate in candidates if (problem := _problem(*candidate)) is not None]
    # One of a name's addresses is enough (localhost without IPv6), unless another server has the port there.
    taken = [problem for problem in problems if problem.errno == errno.EADDRINUSE]
    if taken or len(problems) == len(candidates):
        problem = (taken or problems)[0]
        raise ServerError(_cannot_listen(host, port, problem.strerror or str(problem))) from problem


def _problem(family: int, kind: int, protocol: int, _name: str, address: Any) -> OSError | None:
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC binds
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _cannot_listen(host: str, port: int, reason: str) -> str:
    return (
        f"cannot listen on {join_address(host, port)}: {reason}. Expected a free port and an address of this "
        f"machine. End the process that has the port, or give another one; port 0 takes any that is free."
    )


def _cpus() -> int:
    # Those that this process may use: in a container, fewer than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
