"""Every engine that this machine has, each serving the same SavedModels; the tests know nothing of which it is.

`engine` is parametrised over all of them and skips, saying why, where one is missing. TF Serving proper is started by
`tfclf serve` itself, so that its flags are the ones under test.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.checkpoints import DEMO, ROOT
from tests.server.models import save_echo
from tfclf.errors import TfclfError
from tfclf.tf_serving.launch import find_docker, find_program

ENGINES = ("embedded", "tensorflow_model_server", "docker")
_READY_WITHIN = 120.0


@dataclass(frozen=True)
class Served:
    """A model behind an engine: what a plain client needs."""

    engine: str
    model: str
    stub: PredictionServiceStub

    def refusal(self, method: str, request: Any) -> tuple[str, str]:
        """The code's name and the details with which the engine refuses a request."""
        with pytest.raises(grpc.RpcError) as raised:
            getattr(self.stub, method)(request, timeout=60)
        return raised.value.code().name, raised.value.details()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    try:
        if name == "tensorflow_model_server":
            find_program()
        elif name == "docker":
            find_docker()
    except TfclfError as error:
        pytest.skip(str(error).split(". ")[0])
    return name


@pytest.fixture(scope="session")
def echo(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model that echoes, with versions 1 and 2."""
    base = tmp_path_factory.mktemp("conformance") / "echo"
    save_echo(base / "1", 1)
    save_echo(base / "2", 2)
    with _served(engine, base) as served:
        yield served


@pytest.fixture(scope="session")
def demo(engine: str) -> Iterator[Served]:
    """The bundled export."""
    with _served(engine, DEMO) as served:
        yield served


@contextmanager
def _served(engine: str, base: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "tfclf", "serve", str(base), "--engine", engine, "--port", "0", "--rest-port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        patience = threading.Timer(_READY_WITHIN, process.kill)
        patience.start()
        line = next((line for line in process.stderr if line.startswith("serving ")), "")
        patience.cancel()
        # What else it has to say must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            assert line, f"{engine} did not start"
            address = line.split(" on ")[1].split(" (gRPC)")[0]
            with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
                yield Served(engine, base.name, PredictionServiceStub(channel))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
