"""gRPC's own health service, for Kubernetes probes and load balancers.

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
    """The server's reported health: NOT_SERVING at the start, and for good once it drains."""

    def __init__(self, servicer: "_Servicer") -> None:
        self._servicer = servicer
        self.set_not_serving()  # the library starts with SERVING

    def set_serving(self) -> None:
        """Report that every configured model answers requests; has no effect once draining."""
        self._set(HealthCheckResponse.SERVING)

    def set_not_serving(self) -> None:
        """Report that the server takes no requests yet."""
        self._set(HealthCheckResponse.NOT_SERVING)

    def start_draining(self) -> None:
        """Report NOT_SERVING for good, and end every Watch.

        Call it before `grpc.Server.stop`: an open Watch would use up the grace period.
        """
        self._servicer.enter_graceful_shutdown()
        self._servicer.end_watches()

    def _set(self, status: int) -> None:
        for name in NAMES:
            self._servicer.set(name, status)


class _Servicer(HealthServicer):
    """The library's servicer, which by itself ends a Watch only when its client does."""

    def __init__(self) -> None:
        super().__init__()  # a Watch occupies no thread: experimental_non_blocking
        self._watching = threading.Lock()
        self._watches: set[_Watch] = set()
        self._draining = False

    def Watch(  # noqa: N802
        self, request: HealthCheckRequest, context: ServicerContext, send_response_callback: _Send
    ) -> None:
        """Send the state, and each change of it."""
        watch = _Watch(send_response_callback)
        with self._watching:
            self._watches.add(watch)
            draining = self._draining
        context.add_callback(lambda: self._watches.discard(watch))
        super().Watch(request, context, watch)
        if draining:
            watch(None)

    def end_watches(self) -> None:
        """End open Watches now, and later ones after their first state."""
        with self._watching:
            self._draining = True
            watches = list(self._watches)
        for watch in watches:
            watch(None)


class _Watch:
    """A client's Watch, which ends when called with None.

    gRPC accepts one end only, but the library sends another when the server closes.
    """

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
    """Add grpc.health.v1.Health to a server that has not been started."""
    servicer = _Servicer()
    add_HealthServicer_to_server(servicer, grpc_server)
    return Health(servicer)
