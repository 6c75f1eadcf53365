"""Servers on 127.0.0.1, port 0, and a client without tfclf."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.server.messages import predict_request, strings
from tests.server.models import save_echo, save_half_plus_two
from tests.server.scorers import save_scorer
from tfclf.server import serve
from tfclf.server.process import Server
from tfclf.server.runtime.servable import Servable

__all__ = ["Predict", "Refusal", "predict_request", "strings"]

Predict = Callable[..., PredictResponse]
Refusal = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def echo_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base path with versions 1 and 2, and with entries that a server must ignore."""
    base = tmp_path_factory.mktemp("models") / "echo"
    save_echo(base / "1", 1)
    save_echo(base / "2", 2)
    (base / "3" / "variables").mkdir(parents=True)  # half-written: no saved_model.pb yet
    (base / "notes").mkdir()
    (base / "4").write_text("a file, not a folder")
    return base


@pytest.fixture(scope="session")
def half_plus_two_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models") / "half_plus_two"
    save_half_plus_two(base / "123")
    return base


@pytest.fixture(scope="session")
def echo_server(echo_base: Path) -> Iterator[Server]:
    with serve(echo_base, port=0) as server:
        yield server


@pytest.fixture(scope="session")
def stub(echo_server: Server) -> Iterator[PredictionServiceStub]:
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(echo_server.address, options=options) as channel:
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="session")
def predict(stub: PredictionServiceStub) -> Predict:
    """A function that sends a Predict of `inputs`; further arguments make its ModelSpec."""

    def call(
        *, timeout: float = 60, inputs: Mapping[str, TensorProto], **spec: Any
    ) -> PredictResponse:
        return stub.Predict(predict_request(inputs, **spec), timeout=timeout)

    return call


@pytest.fixture(scope="session")
def refusal(stub: PredictionServiceStub) -> Refusal:
    """A function that sends a request and returns the refusal's code and details."""

    def call(
        request: Any = None, *, method: str = "Predict", timeout: float = 60, **spec: Any
    ) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as raised:
            getattr(stub, method)(
                predict_request(**spec) if request is None else request, timeout=timeout
            )
        return raised.value.code().name, raised.value.details()

    return call


@pytest.fixture(scope="session")
def scorer_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("models") / "scorer"
    save_scorer(base / "3")
    return base


@pytest.fixture(scope="session")
def scorer_stub(scorer_base: Path) -> Iterator[PredictionServiceStub]:
    with serve(scorer_base, port=0) as server, grpc.insecure_channel(server.address) as channel:
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="session")
def scorer_refusal(scorer_stub: PredictionServiceStub) -> Refusal:
    """The same for requests of Classify, Regress and MultiInference."""
    methods = {
        ClassificationRequest: scorer_stub.Classify,
        RegressionRequest: scorer_stub.Regress,
        MultiInferenceRequest: scorer_stub.MultiInference,
    }

    def call(request: Any, *, timeout: float = 60) -> tuple[str, str]:
        with pytest.raises(grpc.RpcError) as raised:
            methods[type(request)](request, timeout=timeout)
        return raised.value.code().name, raised.value.details()

    return call


@pytest.fixture(scope="session")
def scorer(scorer_base: Path) -> Iterator[Servable]:
    """A Servable without transport."""
    servable = Servable.load("scorer", 3, scorer_base / "3")
    yield servable
    servable.close()


@pytest.fixture(scope="session")
def strict_scorer(scorer_base: Path) -> Iterator[Servable]:
    """The same with --enable_signature_method_name_check."""
    servable = Servable.load("scorer", 3, scorer_base / "3", check_method_names=True)
    yield servable
    servable.close()
