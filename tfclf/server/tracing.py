"""OpenTelemetry traces: a span for each request, if its packages are there and it is configured.

The standard variables decide, as for any program: OTEL_TRACES_EXPORTER,
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER. Without the first two, or with
OTEL_SDK_DISABLED=true, nothing is imported and no request pays for it. A span holds no text.

Source of the names: OpenTelemetry's specification, environment variables and semantic conventions
for RPCs.
"""

import logging
import os
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

from grpc import StatusCode

from tfclf._version import __version__
from tfclf.errors import InputError
from tfclf.server.logs import shorten
from tfclf.server.request_record import Observer, RequestRecord

_log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_EXPORTERS = "opentelemetry_traces_exporter"  # the group of entry points
# Of the client's faults none is an error of the server (semantic conventions for gRPC).
_SERVER_ERRORS = (
    StatusCode.UNKNOWN,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.UNIMPLEMENTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.DATA_LOSS,
)


def find_tracing(environ: Mapping[str, str] | None = None) -> list[Observer]:
    """Return the observer of requests that the environment asks for, or none.

    Args:
      environ: os.environ by default.
    Raises: InputError if an exporter is named that is not installed.
    """
    environ = os.environ if environ is None else environ
    names = [name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",")]
    names = [name for name in names if name]
    if not names and any(environ.get(name) for name in _ENDPOINTS):
        names = ["otlp"]
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or names in ([], ["none"]):
        return []
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        _log.warning(
            "the environment asks for traces, but OpenTelemetry's packages are not installed; "
            "the extra `otel` has them"
        )
        return []
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()  # it reads the sampler and the resource from the environment
    for name in names:
        provider.add_span_processor(BatchSpanProcessor(_load_exporter(name, environ)()))
    return [trace_requests(provider)]


def _load_exporter(name: str, environ: Mapping[str, str]) -> Any:
    """Return the class of an exporter that an installed package declares."""
    declared = name
    if name == "otlp":
        protocol = environ.get(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        )
        declared = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    found = list(entry_points(group=_EXPORTERS, name=declared))
    if not found:
        known = sorted({each.name for each in entry_points(group=_EXPORTERS)})
        raise InputError(
            f"OTEL_TRACES_EXPORTER names {name!r}, and no installed package has that exporter. "
            f"Installed: {', '.join(known) or 'none'}. Name one of these, or install its package; "
            f"tfclf's extra `otel` has otlp."
        )
    return found[0].load()


def trace_requests(provider: Any) -> Observer:
    """Return an observer that makes a span of each request with a TracerProvider.

    If the client sent a `traceparent`, the span belongs to the client's trace.
    """
    from opentelemetry.trace import SpanKind, Status
    from opentelemetry.trace import StatusCode as SpanStatus
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    tracer = provider.get_tracer("tfclf.server", __version__)
    propagator = TraceContextTextMapPropagator()

    def observe(record: RequestRecord) -> None:
        end = time.time_ns()
        span = tracer.start_span(
            record.method,
            context=propagator.extract({"traceparent": record.traceparent}),
            kind=SpanKind.SERVER,
            attributes=_describe(record),
            start_time=end - int(record.seconds * 1e9),
        )
        if record.code in _SERVER_ERRORS:
            span.set_status(Status(SpanStatus.ERROR))
        span.end(end)

    return observe


def _describe(record: RequestRecord) -> dict[str, str | int]:
    attributes = {
        "rpc.method": record.method,
        "rpc.system": record.protocol,
        "rpc.grpc.status_code": record.code.value[0],
        "tfclf.request_id": record.request_id,
        "tfclf.model": shorten(record.model),
        "tfclf.version": record.version,
        "tfclf.signature": shorten(record.signature),
        "tfclf.rows": record.rows,
        "tfclf.status": record.code.name,
    }
    return {key: value for key, value in attributes.items() if value is not None}
