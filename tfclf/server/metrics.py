"""Metrics of the server, in Prometheus' text format under TF Serving's names.

prometheus_client keeps the values, in a registry per server. Two things that TF Serving writes it
cannot: counters whose names do not end in `_total`, and histogram buckets that exclude their limit.
`_write_family` writes those families instead. docs/metrics.md is the table of all series; a test
compares it with `SERIES`.

Sources: TF Serving, servables/tensorflow/util.cc, saved_model_warmup_util.cc,
batching/batching_util.h, batching_session.cc, util/prometheus_exporter.cc; TensorFlow,
cc/saved_model/loader.cc, core/lib/monitoring/sampler.cc.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpc import StatusCode
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from tfclf.server.request_record import RequestRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNKNOWN_MODEL = "(unknown)"


@dataclass(frozen=True)
class Series:
    """A metric of TF Serving.

    Attributes:
      labels: the label names, in the order in which they are written.
      limits: the upper limits of a histogram's buckets without the last, +Inf; empty for a counter.
    """

    name: str
    labels: tuple[str, ...] = ()
    limits: tuple[float, ...] = ()


def _exponential(first: float, factor: float, count: int) -> tuple[float, ...]:
    """Compute bucket limits step by step, as TensorFlow does; powers differ in the last bits.

    >>> _exponential(10, 1.8, 4)
    (10, 18.0, 32.4, 58.32)
    """
    limits = [first]
    while len(limits) < count:
        limits.append(limits[-1] * factor)
    return tuple(limits)


_LATENCY = _exponential(10, 1.8, 33)  # microseconds
_SIZES = _exponential(1, 2, 14)

_REQUEST_COUNT = Series(":tensorflow:serving:request_count", ("model_name", "status"))
_REQUEST_LATENCY = Series(
    ":tensorflow:serving:request_latency", ("model_name", "API", "entrypoint"), _LATENCY
)
_RUNTIME_LATENCY = Series(
    ":tensorflow:serving:runtime_latency", ("model_name", "API", "runtime"), _LATENCY
)
_EXAMPLE_COUNTS = Series(
    ":tensorflow:serving:request_example_counts", ("model",), _exponential(1, 2, 15)
)
_EXAMPLE_COUNT_TOTAL = Series(":tensorflow:serving:request_example_count_total", ("model",))
_LOAD_ATTEMPTS = Series(":tensorflow:cc:saved_model:load_attempt_count", ("model_path", "status"))
_LOAD_LATENCY = Series(":tensorflow:cc:saved_model:load_latency", ("model_path",))
_WARM_UP_LATENCY = Series(
    ":tensorflow:serving:model_warmup_latency", ("model_path", "status"), _LATENCY
)
_BATCHING = ":tensorflow:serving:batching_session:"
_QUEUING_LATENCY = Series(
    f"{_BATCHING}queuing_latency", ("thread_pool_name",), _exponential(100, 1.2, 52)
)
_INPUT_BATCH_SIZE = Series(f"{_BATCHING}input_batch_size", (), _SIZES)
_PROCESSED_BATCH_SIZE = Series(f"{_BATCHING}processed_batch_size", (), _SIZES)
_PADDING_SIZE = Series(f"{_BATCHING}padding_size", ("execution_batch_size",), _SIZES)
_RUN_COUNT = Series(f"{_BATCHING}wrapped_run_count")

SERIES = (
    *(_REQUEST_COUNT, _REQUEST_LATENCY, _RUNTIME_LATENCY, _EXAMPLE_COUNTS, _EXAMPLE_COUNT_TOTAL),
    *(_LOAD_ATTEMPTS, _LOAD_LATENCY, _WARM_UP_LATENCY),
    *(_QUEUING_LATENCY, _INPUT_BATCH_SIZE, _PROCESSED_BATCH_SIZE, _PADDING_SIZE, _RUN_COUNT),
)

# TF Serving counts these RPCs over gRPC, and every request over REST.
_GRPC_APIS = {"Predict": "Predict", "Classify": "Classify", "Regress": "Regress"}
_REST_APIS = {"Predict": "predict", "Classify": "classify", "Regress": "regress"}

_RPCS_WITH_EXAMPLES = {"Classify", "Regress", "MultiInference"}


class Metrics:
    """The metrics of one server. Any thread may call any method.

        metrics = Metrics()
        service = Service(registry, observers=[metrics.observe])
        body, content_type = metrics.render()

    Clients choose the model names in requests, and a series for each could fill the memory. A name
    gets series of its own once a model of that name is loaded or answers; all others share
    `UNKNOWN_MODEL`.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._serving = CollectorRegistry()
        self._own = CollectorRegistry()
        self._gauges = _Gauges()
        self._own.register(self._gauges)
        ProcessCollector(registry=self._own)
        self._request_count = _counter(_REQUEST_COUNT, self._serving)
        self._request_latency = _histogram(_REQUEST_LATENCY, self._serving)
        self._runtime_latency = _histogram(_RUNTIME_LATENCY, self._serving)
        self._example_counts = _histogram(_EXAMPLE_COUNTS, self._serving)
        self._example_count_total = _counter(_EXAMPLE_COUNT_TOTAL, self._serving)
        self._load_attempts = _counter(_LOAD_ATTEMPTS, self._serving)
        self._load_latency = _counter(_LOAD_LATENCY, self._serving)
        self._warm_up_latency = _histogram(_WARM_UP_LATENCY, self._serving)
        self._queuing_latency = _histogram(_QUEUING_LATENCY, self._serving)
        self._input_batch_size = _histogram(_INPUT_BATCH_SIZE, self._serving)
        self._processed_batch_size = _histogram(_PROCESSED_BATCH_SIZE, self._serving)
        self._padding_size = _histogram(_PADDING_SIZE, self._serving)
        self._run_count = _counter(_RUN_COUNT, self._serving)

    def observe(self, record: "RequestRecord") -> None:
        """Count a finished request; an Observer of Service."""
        rest = record.protocol == "rest"
        api = _REST_APIS.get(record.method, "") if rest else _GRPC_APIS.get(record.method)
        answered = record.code is StatusCode.OK
        if answered and record.model:
            self._known.add(record.model)
        model = record.model if record.model in self._known else UNKNOWN_MODEL
        if answered and record.method in _RPCS_WITH_EXAMPLES and record.rows is not None:
            self.observe_examples(model, record.rows)
        if api is None:
            return
        self._request_count.labels(model, record.code.name).inc()
        if answered:
            latency = self._request_latency.labels(model, api, "REST" if rest else "GRPC")
            latency.observe(_microseconds(record.seconds))

    def observe_run(self, model: str, seconds: float, *, api: str = "Predict") -> None:
        """Record that TensorFlow has computed for a request, or for a batch of requests.

        Args:
          model: the name of a loaded Servable, as in every method but `observe`.
          api: Predict, Classify or Regress, over REST too.
        """
        self._runtime_latency.labels(model, api, "TF1").observe(_microseconds(seconds))

    def observe_examples(self, model: str, count: int) -> None:
        """Record the number of tf.Examples in a Classify, Regress or MultiInference request."""
        self._example_counts.labels(model).observe(count)
        self._example_count_total.labels(model).inc(count)

    def observe_load(self, model: str, version: int, seconds: float, *, ok: bool = True) -> None:
        """Record an attempt to load a version; `ok` is False if it failed."""
        self._known.add(model)
        path = _model_path(model, version)
        self._load_attempts.labels(path, "success" if ok else "fail").inc()
        self._load_latency.labels(path).inc(_microseconds(seconds))

    def observe_warm_up(self, model: str, version: int, seconds: float) -> None:
        """Record that a version has answered its warm-up records.

        As in TF Serving, there is no value for a version without records, or whose records fail.
        """
        path = _model_path(model, version)
        self._warm_up_latency.labels(path, "OK").observe(_microseconds(seconds))

    def observe_queueing(self, model: str, rows: int, seconds: float) -> None:
        """Record that a request of `rows` rows has left the queue after `seconds`."""
        self._input_batch_size.observe(rows)
        self._queuing_latency.labels(model).observe(_microseconds(seconds))

    def observe_batch(
        self, model: str, rows: int, padded_rows: int, queue_seconds: float | None = None
    ) -> None:
        """Record that a batch was run.

        Args:
          rows, padded_rows: rows without and with the padding rows.
          queue_seconds: how long its first request waited; None if `observe_queueing` records each.
        """
        self._run_count.inc()
        self._processed_batch_size.observe(padded_rows)
        self._padding_size.labels(padded_rows).observe(padded_rows - rows)
        if queue_seconds is not None:
            self._queuing_latency.labels(model).observe(_microseconds(queue_seconds))

    def watch(
        self,
        *,
        queue_length: Callable[[], Mapping[str, int]] | None = None,
        requests_in_flight: Callable[[], int] | None = None,
        available: Callable[[], Iterable[tuple[str, int]]] | None = None,
    ) -> None:
        """Set what each scrape asks, in the thread that renders; None changes nothing.

        Args:
          queue_length: requests that wait for a batch, by model.
          requests_in_flight: requests in flight.
          available: model and version of what answers requests.
        """
        self._gauges.queue_length = queue_length or self._gauges.queue_length
        self._gauges.requests_in_flight = requests_in_flight or self._gauges.requests_in_flight
        self._gauges.available = available or self._gauges.available

    def render(self) -> tuple[bytes, str]:
        """Return the response to a scrape: the body, and its content type."""
        families = sorted(self._serving.collect(), key=lambda family: family.name)
        serving = "".join(f"{line}\n" for family in families for line in _write_family(family))
        return serving.encode() + generate_latest(self._own), CONTENT_TYPE


class _Gauges:
    """The gauges; each scrape reads their values anew."""

    def __init__(self) -> None:
        self.queue_length: Callable[[], Mapping[str, int]] | None = None
        self.requests_in_flight: Callable[[], int] | None = None
        self.available: Callable[[], Iterable[tuple[str, int]]] | None = None

    def collect(self) -> Iterator[Metric]:
        if self.queue_length is not None:
            name, meaning = ":tfclf:server:queue_length", "Requests that wait for a batch now."
            family = GaugeMetricFamily(name, meaning, labels=["model_name"])
            for model, length in self.queue_length().items():
                family.add_metric([model], length)
            yield family
        if self.requests_in_flight is not None:
            name, meaning = ":tfclf:server:requests_in_flight", "Requests in flight, queued or not."
            yield GaugeMetricFamily(name, meaning, value=self.requests_in_flight())
        if self.available is not None:
            name, meaning = ":tfclf:server:model_available", "Versions that answer requests now."
            family = GaugeMetricFamily(name, meaning, labels=["model_name", "version"])
            for model, version in self.available():
                family.add_metric([model, str(version)], 1)
            yield family


def _counter(series: Series, registry: CollectorRegistry) -> Counter:
    return Counter(series.name, "", series.labels, registry=registry)


def _histogram(series: Series, registry: CollectorRegistry) -> Histogram:
    # prometheus_client counts a value that equals a limit below it, TensorFlow above it. Lowering
    # each limit to the next smaller float moves such a value up; `_label` rounds that away.
    limits = [math.nextafter(limit, 0) for limit in series.limits]
    return Histogram(series.name, "", series.labels, registry=registry, buckets=limits)


_COUNTERS = {series.name for series in SERIES if not series.limits}


def _write_family(family: Metric) -> Iterator[str]:
    """Write a family as prometheus_exporter.cc does, but with exact sums and escaped newlines.

    >>> registry = CollectorRegistry()
    >>> _counter(_REQUEST_COUNT, registry).labels("demo", "OK").inc(2)
    >>> for line in _write_family(next(iter(registry.collect()))):
    ...     print(line)
    # TYPE :tensorflow:serving:request_count counter
    :tensorflow:serving:request_count{model_name="demo",status="OK"} 2
    """
    # prometheus_client strips `_total` from the names of counters and appends it to each sample.
    name = f"{family.name}_total" if f"{family.name}_total" in _COUNTERS else family.name
    yield f"# TYPE {name} {family.type}"
    for sample in family.samples:
        if sample.name.endswith("_created"):
            continue
        written = name if family.type == "counter" else sample.name
        labels = ",".join(f'{key}="{_label(key, value)}"' for key, value in sample.labels.items())
        yield f"{written}{{{labels}}} {sample.value:.0f}"  # counts and microseconds: whole numbers


def _label(key: str, value: str) -> str:
    r"""Return a label's value as TF Serving writes it.

    >>> _label("le", str(math.nextafter(18.0, 0))), _label("model_name", 'a"b')
    ('18', 'a\\"b')
    """
    if key == "le" and value != "+Inf":
        return f"{float(value):g}"  # six digits, as absl::StrCat writes a double
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _model_path(model: str, version: int) -> str:
    # TF Serving writes the folder here; clients that reach this port should not learn of the
    # server's file system.
    return f"{model}/{version}"


def _microseconds(seconds: float) -> int:
    return max(0, int(seconds * 1e6))
