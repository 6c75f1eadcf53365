"""The engines of this machine, all started with the same command line: TF Serving's."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1.health_pb2_grpc import HealthStub
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from samples.checkpoints import DEMO, ROOT
from tests.forks import fork_python
from tests.ports import free_ports
from tfclf.errors import TfclfError
from tfclf.launcher.launch import IMAGE, PROGRAM, find_docker, find_program

ENGINES = ("embedded", PROGRAM, "docker")
_TAG = "2.20.0"
_READY_WITHIN = 300.0


@dataclass(frozen=True)
class Served:
    """A running engine, with plain clients for it."""

    engine: str
    address: str
    channel: grpc.Channel
    stub: PredictionServiceStub
    models: ModelServiceStub
    health: HealthStub
    rest: httpx.Client

    def refusal(self, method: str, request: Any, *, timeout: float = 60) -> tuple[str, str]:
        """Send a bad request; return the name and details of the engine's status."""
        stub = self.stub if hasattr(self.stub, method) else self.models
        with pytest.raises(grpc.RpcError) as raised:
            getattr(stub, method)(request, timeout=timeout)
        return raised.value.code().name, raised.value.details()

    def states(self, model: str, version: int | None = None) -> dict[int, int]:
        """Return states by version, in the response's order; empty for an unknown model."""
        request = GetModelStatusRequest(model_spec={"name": model})
        if version is not None:
            request.model_spec.version.value = version
        try:
            response = self.models.GetModelStatus(request, timeout=60)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return {}
        return {status.version: status.state for status in response.model_version_status}

    def reload(self, config: ModelServerConfig) -> ReloadConfigResponse:
        return self.models.HandleReloadConfigRequest(ReloadConfigRequest(config=config), timeout=60)


def find_engine(engine: str, folder: Path) -> list[str]:
    """Return the command line before TF Serving's flags. `folder`: what a container must see.

    Raises: TfclfError if the machine has no such engine.
    """
    if engine == "embedded":
        return [fork_python(), "-m", "tfclf.server"]
    if engine == PROGRAM:
        return [find_program()]
    seen = [
        f"--mount=type=bind,source={folder},target={folder}",
        f"--mount=type=bind,source={DEMO},target={DEMO},readonly",
    ]
    name = f"tfclf-{uuid.uuid4().hex[:12]}"
    options = ["--rm", "--init", "--network=host", f"--user={os.getuid()}", f"--name={name}", *seen]
    return [find_docker(), "run", *options, f"--entrypoint={PROGRAM}", f"{IMAGE}:{_TAG}"]


@cache
def explain_missing(engine: str) -> str:
    """Say why the machine does not have an engine; return "" if it has."""
    try:
        find_engine(engine, Path())
    except TfclfError as error:
        return str(error).split(". ")[0]
    return ""


def run_to_end(engine: str, flags: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run an engine that ends by itself; return its output."""
    command = [*find_engine(engine, folder), *flags]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=_READY_WITHIN, env=_environment()
    )


@contextmanager
def run_engine(
    engine: str, flags: Sequence[str], folder: Path, *, models: Sequence[str]
) -> Iterator[Served]:
    """Start an engine on two free ports, wait until the models are available, and end it."""
    port, rest_port = free_ports(2)
    command = [
        *find_engine(engine, folder),
        f"--port={port}",
        f"--rest_api_port={rest_port}",
        *flags,
    ]
    log = folder / f"{engine}-{port}.log"
    with ExitStack() as stack:
        process = subprocess.Popen(
            command,
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        stack.callback(_end, process)
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}", options=options))
        rest = stack.enter_context(
            httpx.Client(base_url=f"http://127.0.0.1:{rest_port}", trust_env=False, timeout=60)
        )
        served = Served(
            engine,
            f"127.0.0.1:{port}",
            channel,
            PredictionServiceStub(channel),
            ModelServiceStub(channel),
            HealthStub(channel),
            rest,
        )
        _wait_until_available(served, models, process, log)
        yield served


def _wait_until_available(
    served: Served, models: Sequence[str], process: subprocess.Popen[bytes], log: Path
) -> None:
    end = time.monotonic() + _READY_WITHIN
    while True:
        try:
            if all(30 in served.states(model).values() for model in models):
                served.rest.get("/v1/models")  # any response means that REST is up
                return
        except (grpc.RpcError, httpx.TransportError):
            pass
        logged = log.read_text(errors="replace")[-3000:]
        assert process.poll() is None, logged
        assert time.monotonic() < end, logged
        time.sleep(0.05)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
