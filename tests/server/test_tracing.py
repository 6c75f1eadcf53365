"""OpenTelemetry spans of requests, kept in memory."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server.messages import predict_request, strings
from tfclf.errors import InputError
from tfclf.server.process import Server, ServerOptions
from tfclf.server.start import find_models, start
from tfclf.server.tracing import find_tracing, trace_requests

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="the extra otel is not installed")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
in_memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> Any:
    return in_memory.InMemorySpanExporter()


@pytest.fixture(scope="module")
def server(echo_base: Path, exporter: Any) -> Iterator[Server]:
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    options = ServerOptions(port=0, rest_port=0)
    with start(
        find_models(echo_base), options=options, observers=[trace_requests(provider)]
    ) as server:
        yield server


@pytest.fixture
def spans(exporter: Any) -> Any:
    """Return a function that returns the spans since the test's start."""
    exporter.clear()
    return exporter.get_finished_spans


def ask(server: Server, text: str = "good", **options: Any) -> httpx.Response:
    url = f"{server.rest_url}/v1/models/echo:predict"
    return httpx.post(url, json={"inputs": [text, text]}, timeout=60, **options)


def test_a_request_is_one_span_with_its_facts(server: Server, spans: Any) -> None:
    ask(server, headers={"X-Request-Id": "order-17"})
    (span,) = spans()
    assert span.name == "Predict"
    assert dict(span.attributes) == {
        "rpc.method": "Predict",
        "rpc.system": "rest",
        "rpc.grpc.status_code": 0,
        "tfclf.request_id": "order-17",
        "tfclf.model": "echo",
        "tfclf.version": 2,
        "tfclf.signature": "",
        "tfclf.rows": 2,
        "tfclf.status": "OK",
    }
    assert span.end_time > span.start_time


def test_a_span_has_no_text(server: Server, spans: Any) -> None:
    ask(server, "a secret")
    assert "secret" not in spans()[0].to_json()


def test_a_traceparent_over_rest_makes_it_part_of_the_trace(server: Server, spans: Any) -> None:
    ask(server, headers={"traceparent": TRACEPARENT})
    assert f"{spans()[0].context.trace_id:032x}" == TRACE


def test_a_traceparent_over_grpc_makes_it_part_of_the_trace(server: Server, spans: Any) -> None:
    with grpc.insecure_channel(server.address) as channel:
        PredictionServiceStub(channel).Predict(
            predict_request({"text": strings("good")}), metadata=[("traceparent", TRACEPARENT)]
        )
    assert f"{spans()[0].context.trace_id:032x}" == TRACE


@pytest.mark.parametrize("bad", ["", "nonsense", "00-0-0-00", "\xff"])
def test_a_bad_traceparent_starts_a_trace(server: Server, spans: Any, bad: str) -> None:
    assert ask(server, headers={b"traceparent": bad.encode("latin-1")}).status_code == 200
    assert spans()[0].parent is None


def test_a_client_s_fault_is_no_error_of_the_server(server: Server, spans: Any) -> None:
    httpx.post(f"{server.rest_url}/v1/models/none:predict", json={"inputs": ["a"]})
    (span,) = spans()
    assert span.attributes["tfclf.status"] in ("NOT_FOUND", "INVALID_ARGUMENT")
    assert span.status.status_code.name == "UNSET"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_without_a_wish_there_are_no_traces(environ: dict[str, str]) -> None:
    assert find_tracing(environ) == []


def test_an_exporter_that_is_not_installed_is_named() -> None:
    with pytest.raises(InputError, match="names 'zipkin9', and no installed package"):
        find_tracing({"OTEL_TRACES_EXPORTER": "zipkin9"})


def test_nothing_is_imported_without_a_wish() -> None:
    code = (
        "import sys\n"
        "from tfclf.server import tracing\n"
        "tracing.find_tracing({})\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("environ", "module"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "opentelemetry.sdk"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "opentelemetry.exporter.otlp.proto.grpc"),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            "opentelemetry.exporter.otlp.proto.http",
        ),
    ],
)
def test_the_environment_chooses_the_exporter(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], module: str
) -> None:
    made: list[Any] = []

    def make(exporter: Any) -> Any:
        made.append(exporter)
        return export.SimpleSpanProcessor(in_memory.InMemorySpanExporter())

    monkeypatch.setattr(export, "BatchSpanProcessor", make)
    assert len(find_tracing(environ)) == 1
    (exporter,) = made
    assert type(exporter).__module__.startswith(module)
    exporter.shutdown()
