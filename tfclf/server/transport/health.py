"""gRPC's own health service, which Kubernetes probes and load balancers ask.

Source of the names: TF Serving, `--enable_grpc_healthcheck_service`. Protocol: grpc.health.v1.
"""

import threading
from collections.abc import Callable

from grpc import Server, ServicerContext
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

NAMES = ("", "ModelService", "PredictionService")  # "": the server as a whole

_Send = Callable[[HealthCheckResponse | None], None]


class Health:
    """What a server says of its health: NOT_SERVING until `serving`, and for good from `draining` on."""

    def __init__(self, servicer: "_Servicer") -> None:
        self._servicer = servicer
        self.not_serving()  # the library's own start is SERVING

    def serving(self) -> None:
        """Every model that was asked for answers requests. Nothing changes once the server drains."""
        self._set(HealthCheckResponse.SERVING)

    def not_serving(self) -> None:
        """No requests yet, please."""
        self._set(HealthCheckResponse.NOT_SERVING)

    def draining(self) -> None:
        """No more requests; to be called before `grpc.Server.stop`, whose grace an open Watch would use up."""
        self._servicer.enter_graceful_shutdown()
        self._servicer.end_watches()

    def _set(self, status: int) -> None:
        for name in NAMES:
            self._servicer.set(name, status)


class _Servicer(HealthServicer):
    """The library's, which ends a Watch only when its client does."""

    def __init__(self) -> None:
        super().__init__()  # a Watch takes no thread: experimental_non_blocking
        self._watching = threading.Lock()
        self._watches: set[_Watch] = set()
        self._draining = False

    def Watch(  # noqa: N802
        self, request: HealthCheckRequest, context: ServicerContext, send_response_callback: _Send
    ) -> None:
        """The state, and each change of it."""
        watch = _Watch(send_response_callback)
        with self._watching:
            self._watches.add(watch)
            draining = self._draining
        context.add_callback(lambda: self._watches.discard(watch))
        super().Watch(request, context, watch)
        if draining:
            watch(None)

    def end_watches(self) -> None:
        """Ends those that are open and those to come, each after what it says first."""
        with self._watching:
            self._draining = True
            watches = list(self._watches)
        for watch in watches:
            watch(None)


class _Watch:
    """One client's Watch; called with None, it ends. gRPC takes one end; the library sends another at the close."""

    def __init__(self, send: _Send) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._ended = False

    def __call__(self, response: HealthCheckResponse | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = response is None
        self._send(response)


def add_health(grpc_server: Server) -> Health:
    """Adds grpc.health.v1.Health to a server that has not been started."""
    servicer = _Servicer()
    add_HealthServicer_to_server(servicer, grpc_server)
    return Health(servicer)
