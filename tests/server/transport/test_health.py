"""gRPC's health service over a real channel."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.server.fakes import wait_until
from tfclf.server.transport.health import NAMES, Health, add_health

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@dataclass
class Running:
    server: grpc.Server
    health: Health
    stub: HealthStub

    def check(self, name: str = "") -> int:
        status: int = self.stub.Check(HealthCheckRequest(service=name), timeout=60).status
        return status

    def watch(self, name: str = "") -> Iterator[HealthCheckResponse]:
        watch: Iterator[HealthCheckResponse] = self.stub.Watch(
            HealthCheckRequest(service=name), timeout=60
        )
        return watch


@pytest.fixture
def running() -> Iterator[Running]:
    """A server with two threads."""
    server = grpc.server(ThreadPoolExecutor(2))
    health = add_health(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Running(server, health, HealthStub(channel))
    server.stop(0).wait()


def test_the_names_are_those_of_tf_serving() -> None:
    assert set(NAMES) == {"", "ModelService", "PredictionService"}


@pytest.mark.parametrize("name", NAMES)
def test_a_server_does_not_serve_before_it_says_so(running: Running, name: str) -> None:
    assert running.check(name) == NOT_SERVING


@pytest.mark.parametrize("name", NAMES)
def test_a_server_with_its_models_serves(running: Running, name: str) -> None:
    running.health.set_serving()
    assert running.check(name) == SERVING


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_drains_does_not_serve(running: Running, name: str) -> None:
    running.health.set_serving()
    running.health.start_draining()
    assert running.check(name) == NOT_SERVING


def test_a_server_may_cease_to_serve_and_serve_again(running: Running) -> None:
    running.health.set_serving()
    running.health.set_not_serving()
    assert running.check() == NOT_SERVING
    running.health.set_serving()
    assert running.check() == SERVING


def test_a_model_that_loads_while_the_server_drains_does_not_make_it_serve(
    running: Running,
) -> None:
    running.health.start_draining()
    running.health.set_serving()
    assert running.check() == NOT_SERVING


def test_an_unknown_name_is_not_found(running: Running) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        running.check("tensorflow.serving.PredictionService")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_watch_tells_the_state_and_each_change(running: Running) -> None:
    watch = running.watch("PredictionService")
    assert next(watch).status == NOT_SERVING
    running.health.set_serving()
    assert next(watch).status == SERVING
    running.health.start_draining()
    assert next(watch).status == NOT_SERVING


def test_watch_of_an_unknown_name_says_so(running: Running) -> None:
    assert next(running.watch("nobody")).status == HealthCheckResponse.SERVICE_UNKNOWN


def test_watches_take_no_threads(running: Running) -> None:
    watches = [running.watch() for _ in range(8)]
    assert [next(watch).status for watch in watches] == [NOT_SERVING] * 8
    assert running.check() == NOT_SERVING


def test_a_watch_ends_when_the_server_drains(running: Running) -> None:
    watch = running.watch()
    assert next(watch).status == NOT_SERVING
    running.health.set_serving()
    running.health.start_draining()
    assert [response.status for response in watch] == [SERVING, NOT_SERVING]


def test_a_watch_that_begins_while_the_server_drains_says_so_and_ends(running: Running) -> None:
    running.health.start_draining()
    assert [response.status for response in running.watch()] == [NOT_SERVING]


def test_an_open_watch_does_not_use_up_the_grace_of_a_drain(running: Running) -> None:
    watch = running.watch()
    next(watch)
    running.health.start_draining()
    assert running.server.stop(600).wait(60)


def test_a_client_that_hangs_up_leaves_nothing_behind(running: Running) -> None:
    watch = running.watch()
    next(watch)
    watch.cancel()  # type: ignore[attr-defined]
    wait_until(lambda: not running.health._servicer._watches)
