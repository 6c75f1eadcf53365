"""The process: flags, ports, health, metrics, a bad configuration."""

import socket
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from grpc_health.v1.health_pb2 import HealthCheckRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server.conformance.conftest import METRICS_PATH
from tests.server.conformance.engines import Served, run_engine, run_to_end
from tests.server.conformance.models import Models
from tests.server.messages import classify_request, example, example_list, predict_request, strings

FLAGS = [
    "port",
    "rest_api_port",
    "model_name",
    "model_base_path",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "grpc_channel_arguments",
    "grpc_socket_path",
    "ssl_config_file",
    "file_system_poll_wait_seconds",
    "rest_api_timeout_in_ms",
]


@pytest.fixture(scope="module")
def usage(engine: str, folder: Path) -> str:
    done = run_to_end(engine, ["--help"], folder)
    return done.stdout + done.stderr


@pytest.mark.parametrize("flag", FLAGS)
def test_the_usage_names_the_flag(usage: str, flag: str) -> None:
    assert f"--{flag}" in usage


def test_the_port_of_grpc_is_8500_by_default(usage: str) -> None:
    about_port = usage[usage.rindex("--port") :]
    assert "8500" in about_port[:200]


def test_a_model_may_be_named_by_flags(single: Served) -> None:
    assert single.states("one") == {1: 30}


def test_grpc_is_on_a_socket_too(single: Served, models: Models) -> None:
    request = predict_request({"x": tf.make_tensor_proto([1.0])}, model="one")
    with grpc.insecure_channel(f"unix:{models.folder}/socket") as channel:
        assert (
            PredictionServiceStub(channel).Predict(request, timeout=60).model_spec.version.value
            == 1
        )


@pytest.mark.parametrize("listens", [False, True], ids=["left behind", "in use"])
def test_a_socket_at_the_path_is_replaced(
    engine: str, folder: Path, models: Models, listens: bool
) -> None:
    path = models.folder / f"socket-{listens}"  # short: a socket's path has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as before:
        before.bind(str(path))
        if listens:
            before.listen()
        flags = [
            f"--grpc_socket_path={path}",
            "--model_name=one",
            f"--model_base_path={models.bases['echo']}",
        ]
        with run_engine(engine, flags, folder, models=["one"]):
            request = predict_request({"text": strings("a")}, model="one")
            with grpc.insecure_channel(f"unix:{path}") as channel:
                assert PredictionServiceStub(channel).Predict(request, timeout=60).outputs


def test_a_file_that_is_no_socket_is_left_alone_and_ends_the_server(
    engine: str, folder: Path, models: Models
) -> None:
    path = models.folder / "no-socket"
    path.write_text("kept", encoding="utf-8")
    flags = [
        f"--grpc_socket_path={path}",
        "--model_name=one",
        f"--model_base_path={models.bases['numbers']}",
    ]
    done = run_to_end(engine, ["--port=0", *flags], folder)
    assert done.returncode != 0
    assert path.read_text(encoding="utf-8") == "kept"


def test_a_bad_models_config_ends_the_server_and_is_named(
    engine: str, folder: Path, tmp_path: Path
) -> None:
    config = tmp_path / "models.config"
    config.write_text("model_config_list { config { nonsense")
    done = run_to_end(engine, [f"--model_config_file={config}"], folder)
    assert done.returncode != 0
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig" in done.stderr


# Health


@pytest.mark.parametrize("name", ["", "ModelService", "PredictionService"])
def test_health_is_serving(served: Served, name: str) -> None:
    assert served.health.Check(HealthCheckRequest(service=name), timeout=60).status == 1


def test_health_of_another_name_is_not_found(served: Served) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        served.health.Check(
            HealthCheckRequest(service="tensorflow.serving.PredictionService"), timeout=60
        )
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def test_there_is_no_health_service_unless_a_flag_asks_for_it(single: Served) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        single.health.Check(HealthCheckRequest(), timeout=60)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


# Metrics


def metrics(served: Served) -> list[str]:
    response = served.rest.get(METRICS_PATH)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return response.text.splitlines()


def value(served: Served, series: str) -> float:
    samples = [line.rpartition(" ")[2] for line in metrics(served) if line.startswith(series + " ")]
    return float(samples[0]) if samples else 0.0


def test_requests_are_counted_by_model_and_status(served: Served) -> None:
    request = classify_request(example_list(example(x=1.0)))
    series = ':tensorflow:serving:request_count{model_name="scorer",status="%s"}'
    before = {status: value(served, series % status) for status in ("OK", "INVALID_ARGUMENT")}
    served.stub.Classify(request)
    served.refusal("Classify", classify_request(example_list()))
    after = {status: value(served, series % status) for status in before}
    assert after == {status: count + 1 for status, count in before.items()}


@pytest.mark.parametrize(
    "series",
    [
        ':tensorflow:serving:request_latency_count{model_name="echo",API="Predict",entrypoint="GRPC"}',
        ':tensorflow:serving:request_latency_count{model_name="echo",API="predict",entrypoint="REST"}',
        ':tensorflow:serving:runtime_latency_count{model_name="echo",API="Predict",runtime="TF1"}',
    ],
)
def test_requests_are_timed_under_tf_serving_s_names(served: Served, series: str) -> None:
    served.stub.Predict(predict_request({"text": strings("a")}))
    served.rest.post("/v1/models/echo:predict", json={"inputs": ["a"]})
    assert value(served, series) >= 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("request_count", "counter"),
        ("request_latency", "histogram"),
        ("runtime_latency", "histogram"),
    ],
)
def test_a_metric_says_its_kind(served: Served, name: str, kind: str) -> None:
    served.stub.Predict(predict_request({"text": strings("a")}))
    assert f"# TYPE :tensorflow:serving:{name} {kind}" in metrics(served)
