"""The process side of a server: its ports, threads and signals, and how it drains."""

import logging
import queue
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType

import grpc
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from tensorflow_serving.apis.prediction_service_pb2_grpc import (
    add_PredictionServiceServicer_to_server,
)

from tfclf._tensorflow import count_cores
from tfclf.errors import ServerError
from tfclf.saved_model.monitoring import PROMETHEUS_PATH
from tfclf.server.config_files import Tls
from tfclf.server.limits import Limits
from tfclf.server.metrics import Metrics
from tfclf.server.page.options import Page
from tfclf.server.page.routes import page_routes
from tfclf.server.runtime.servable import Servable
from tfclf.server.service import Service
from tfclf.server.transport.addresses import cannot_listen, check_socket, join_address
from tfclf.server.transport.arrivals import Arrivals
from tfclf.server.transport.grpc_service import ModelService, PredictionService
from tfclf.server.transport.health import add_health
from tfclf.server.transport.healthz import health_route
from tfclf.server.transport.http import HttpServer
from tfclf.server.transport.rest.app import rest_app
from tfclf.server.transport.rest.openapi import openapi_route
from tfclf.server.transport.tls import grpc_credentials, ssl_context

_log = logging.getLogger(__name__)

# Most threads wait for a batch; the batcher and the session bound concurrency.
_THREADS = 128


@dataclass(frozen=True)
class ServerOptions:
    """Options of a server: where it listens, and how it answers.

    Attributes:
      host: a name or address of this machine; "0.0.0.0" or "::" opens the server to the network.
      port: the gRPC port; 0 takes a free one, None has no gRPC port.
      rest_port: the port of REST and the metrics; 0 takes a free one, None has neither.
      socket_path: a UNIX socket for gRPC beside the port.
      tls: for both ports; the socket has none.
      limits: limits of requests.
      grpc_threads, rest_threads: threads that answer; 0: a default.
      rest_timeout: seconds for a REST request.
      cors: whether pages of other origins may call REST.
      metrics_path: the REST path of the metrics; None: none.
      health: whether to serve gRPC's health checks.
      own_form: whether to answer :decide over REST.
      healthz, openapi: whether to serve /healthz and /openapi.json on the REST port.
      channel_arguments: arguments to pass to gRPC.
      drain_seconds: the grace period of in-flight requests when the server stops.
      page: the page at `/` of the REST port; None: none.
    """

    host: str = "127.0.0.1"
    port: int | None = 8500
    rest_port: int | None = None
    socket_path: str = ""
    tls: Tls | None = None
    limits: Limits = field(default_factory=Limits)
    grpc_threads: int = 0
    rest_threads: int = 0
    rest_timeout: float = 30.0
    cors: bool = False
    metrics_path: str | None = PROMETHEUS_PATH
    health: bool = True
    own_form: bool = False
    healthz: bool = False
    openapi: bool = False
    channel_arguments: tuple[tuple[str, str | int], ...] = ()
    drain_seconds: float = 10.0
    page: Page | None = None


class Server:
    """A server of models, over gRPC and REST.

    Args:
      service: the RPCs; its models are closed when the server stops.
      metrics: the metrics to show at `metrics_path`.

    Attributes:
      port, rest_port: the ports that it answers on once started; 0: none.
    """

    def __init__(
        self,
        service: Service,
        *,
        options: ServerOptions | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._options = options or ServerOptions()
        self.service = service
        self.port = self._options.port or 0
        self.rest_port = 0
        self._metrics = metrics
        limits = self._options.limits
        grpc_threads = self._options.grpc_threads or _THREADS
        self._grpc_threads = ThreadPoolExecutor(grpc_threads, thread_name_prefix="tfclf-grpc")
        self._rest_threads = ThreadPoolExecutor(
            self._options.rest_threads or max(_THREADS, 4 * count_cores()),
            thread_name_prefix="tfclf-rest",
        )
        self._arrivals = Arrivals(grpc_threads)
        self._grpc = grpc.server(
            self._grpc_threads,
            interceptors=(self._arrivals,),
            options=_channel_arguments(self._options),
            maximum_concurrent_rpcs=max(limits.max_concurrent_requests, grpc_threads),
        )
        add_PredictionServiceServicer_to_server(PredictionService(service), self._grpc)
        add_ModelServiceServicer_to_server(ModelService(service), self._grpc)
        self._health = add_health(self._grpc) if self._options.health else None
        self._http: HttpServer | None = None

    @property
    def address(self) -> str:
        """The address for gRPC clients."""
        return join_address(self._options.host, self.port) if self.port else self._socket

    @property
    def rest_url(self) -> str | None:
        """The URL for REST clients; None without REST."""
        if self._http is None:
            return None
        return f"{self._http.scheme}://{join_address(self._options.host, self._http.port)}"

    def __str__(self) -> str:
        models = ", ".join(
            f"{servable.name} version {servable.version}" for servable in self.service.registry
        )
        addresses = filter(None, [self.address, self._socket if self.port else ""])
        grpc_part = [f"{' and '.join(addresses)} (gRPC)"] if self.address else []
        rest = "REST" if self._options.page is None else "REST and page"
        rest_part = [f"{self.rest_url} ({rest})"] if self._http is not None else []
        return f"{models or 'no models'} on {', '.join([*grpc_part, *rest_part])}"

    @property
    def _socket(self) -> str:
        return f"unix:{self._options.socket_path}" if self._options.socket_path else ""

    def start(self) -> None:
        """Start to answer.

        Raises: ServerError if a port is not available, or if the TLS files do not fit together.
        """
        with ExitStack() as undo:
            undo.callback(self.stop, 0)
            if self._options.port is not None:
                self._bind_grpc(self._options.port)
            if self._socket:
                self._bind_socket()
            if self._options.rest_port is not None:
                self._start_rest(self._options.rest_port)
            self._grpc.start()
            if self._health is not None:
                self._health.set_serving()
            undo.pop_all()

    def _bind_grpc(self, port: int) -> None:
        host, tls = self._options.host, self._options.tls
        credentials = None if tls is None else grpc_credentials(tls)
        address = join_address(host, port)
        try:
            if credentials is None:
                self.port = self._grpc.add_insecure_port(address)
            else:
                self.port = self._grpc.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise ServerError(cannot_listen(host, port, "gRPC could not bind it")) from error

    def _bind_socket(self) -> None:
        path = self._options.socket_path
        check_socket(path)  # again: much may have changed while the models were loaded
        try:
            self._grpc.add_insecure_port(self._socket)
        except RuntimeError as error:
            raise ServerError(
                f"cannot listen on the UNIX socket {path}: gRPC could not bind it. Expected a path "
                f"in a folder that this process may write to. Give another one."
            ) from error

    def _start_rest(self, port: int) -> None:
        options = self._options
        app = rest_app(
            self.service,
            self._rest_threads,
            timeout=options.rest_timeout,
            max_body_bytes=options.limits.max_message_bytes,
            cors=options.cors,
            own_form=options.own_form,
            extra=self._routes(),
        )
        self._http = HttpServer(
            app,
            host=options.host,
            port=port,
            tls=None if options.tls is None else ssl_context(options.tls),
            max_connections=options.limits.max_concurrent_requests,
        )
        self._http.start()
        self.rest_port = self._http.port

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the server has stopped, or for `timeout` seconds."""
        self._grpc.wait_for_termination(timeout)

    @contextmanager
    def signals(self) -> Iterator[queue.SimpleQueue[int]]:
        """Put SIGTERM and SIGINT into a queue within the block; for the main thread only.

        Leave the block before `stop`; a second signal then ends a drain at once.
        """
        # A handler may call put() of a SimpleQueue; an Event could deadlock on its own lock there.
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

    def stop(self, grace: float | None = None) -> None:
        """Take no more requests, and cancel those still in flight after `grace` seconds.

        Args:
          grace: by default the options' `drain_seconds`.
        """
        grace = self._options.drain_seconds if grace is None else grace
        _log.info("stopping, with %.1f seconds for in-flight requests", grace)
        end = time.monotonic() + grace
        if self._health is not None:
            self._health.start_draining()
        grpc_done = self._grpc.stop(grace)  # both drain at the same time
        if self._http is not None:
            self._http.stop(grace)
        grpc_done.wait(max(0.0, end - time.monotonic()) + 1.0)
        self._arrivals.close()
        self.service.close()
        for threads in (self._grpc_threads, self._rest_threads):
            threads.shutdown(wait=False)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _routes(self) -> list[Route]:
        """Return the routes beside TF Serving's."""
        options, routes = self._options, []
        if options.metrics_path is not None and self._metrics is not None:
            routes.append(Route(options.metrics_path, _show_metrics(self._metrics)))
        registry = self.service.registry
        if options.healthz:
            manager = self.service.manager
            names = None if manager is None else manager.list_configured
            routes.append(health_route(registry, configured=names))
        if options.openapi:
            routes.append(openapi_route(registry, partial(_find_text, options.page or Page())))
        if options.page is not None:
            routes += page_routes(registry, options.page, grpc_port=lambda: self.port)
        return routes


def _find_text(page: Page, servable: Servable) -> str:
    """Return the first of the page's examples for a model."""
    examples = page.find_examples(servable.name, servable.manifest)
    return examples[0]["text"] if examples else "A text to classify"


def _show_metrics(metrics: Metrics) -> Callable[[Request], Response]:
    def show(_: Request) -> Response:
        body, content_type = metrics.render()
        return Response(body, media_type=content_type)

    return show


def _channel_arguments(options: ServerOptions) -> list[tuple[str, str | int]]:
    """Merge our arguments with the user's, each once: gRPC takes the first of two of one name."""
    ours: dict[str, str | int] = {
        "grpc.max_receive_message_length": options.limits.max_message_bytes,
        "grpc.max_send_message_length": (1 << 31) - 1,
        # With it, two servers could share a port, and each would get some of the requests.
        "grpc.so_reuseport": 0,
    }
    return list((ours | dict(options.channel_arguments)).items())
