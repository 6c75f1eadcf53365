"""The text that a scraper reads: its raw lines, and the values that prometheus_client parses."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.server.conftest import predict_request, strings
from tfclf.server.context import RequestContext
from tfclf.server.metrics import CONTENT_TYPE, SERIES, UNKNOWN_MODEL, Metrics
from tfclf.server.process import Server
from tfclf.server.request_record import RequestRecord
from tfclf.server.service import Service
from tfclf.server.status import RequestError

SERVING = ":tensorflow:serving:"
TABLE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of a server that has loaded `demo`."""
    metrics = Metrics()
    metrics.observe_load("demo", 1, 1.5)
    return metrics


def record_of(
    method: str = "Predict",
    *,
    protocol: str = "grpc",
    model: str = "demo",
    code: StatusCode = StatusCode.OK,
    seconds: float = 0.0123,
) -> RequestRecord:
    return RequestRecord(method, protocol, model, "", code, seconds)


def text(metrics: Metrics) -> str:
    return metrics.render()[0].decode()


def lines(metrics: Metrics, beginning: str) -> list[str]:
    return [line for line in text(metrics).splitlines() if line.startswith(beginning)]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """Read a value with the parser, which appends `_total` to counters' names."""
    families = list(text_string_to_metric_families(text(metrics)))
    values = {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }
    counter = any(family.name == name and family.type == "counter" for family in families)
    return values[f"{name}_total" if counter else name, tuple(sorted(labels.items()))]


def fill_all_series(metrics: Metrics) -> Metrics:
    """Give each series a value."""
    metrics.observe(record_of())
    metrics.observe_run("demo", 0.01)
    metrics.observe_examples("demo", 2)
    metrics.observe_warm_up("demo", 1, 0.3)
    metrics.observe_queueing("demo", 2, 0.001)
    metrics.observe_batch("demo", 6, 8)
    metrics.watch(
        queue_length=lambda: {"demo": 3},
        requests_in_flight=lambda: 5,
        available=lambda: [("demo", 1), ("demo", 2)],
    )
    return metrics


# The text


def test_counters_have_tf_servings_names_without_total(metrics: Metrics) -> None:
    metrics.observe(record_of())
    assert lines(metrics, f"{SERVING}request_count") == [
        f'{SERVING}request_count{{model_name="demo",status="OK"}} 1'
    ]


def test_the_type_of_a_counter_stands_under_the_same_name(metrics: Metrics) -> None:
    assert f"# TYPE {SERVING}request_count counter" in text(metrics).splitlines()


def test_the_counter_that_does_end_in_total_keeps_its_name(metrics: Metrics) -> None:
    metrics.observe_examples("demo", 3)
    assert lines(metrics, f"{SERVING}request_example_count_") == [
        f'{SERVING}request_example_count_total{{model="demo"}} 3'
    ]
    assert f"# TYPE {SERVING}request_example_count_total counter" in text(metrics).splitlines()


def test_a_histogram_is_written_as_tf_serving_writes_it(metrics: Metrics) -> None:
    """Expected: prometheus_exporter_test.cc, whose buckets exclude their limit."""
    for count in (2, 20, 200):
        metrics.observe_examples("demo", count)
    name = f"{SERVING}request_example_counts"
    cumulated = (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3)
    assert lines(metrics, f"{name}_bucket") == [
        *(
            f'{name}_bucket{{model="demo",le="{2**i}"}} {count}'
            for i, count in enumerate(cumulated)
        ),
        f'{name}_bucket{{model="demo",le="+Inf"}} 3',
    ]
    assert lines(metrics, f"{name}_sum") == [f'{name}_sum{{model="demo"}} 222']
    assert lines(metrics, f"{name}_count") == [f'{name}_count{{model="demo"}} 3']


def test_latency_buckets_are_tf_servings_to_the_letter(metrics: Metrics) -> None:
    """Expected: TF Serving 2.x on load_latency_by_stage, whose buckets are the same."""
    metrics.observe(record_of())
    limits = re.findall(r'request_latency_bucket\{.*le="(.*)"', text(metrics))
    assert " ".join(limits) == (
        "10 18 32.4 58.32 104.976 188.957 340.122 612.22 1102 1983.59 3570.47 6426.84 11568.3 "
        "20823 37481.3 67466.4 121440 218591 393464 708235 1.27482e+06 2.29468e+06 4.13043e+06 "
        "7.43477e+06 1.33826e+07 2.40887e+07 4.33596e+07 7.80473e+07 1.40485e+08 2.52873e+08 "
        "4.55172e+08 8.19309e+08 1.47476e+09 +Inf"
    )


def test_queuing_latency_has_its_own_52_buckets(metrics: Metrics) -> None:
    metrics.observe_queueing("demo", 1, 0.001)
    limits = re.findall(r'queuing_latency_bucket\{.*le="(.*)"', text(metrics))
    assert (len(limits), limits[0], limits[1], limits[-2]) == (53, "100", "120", "1.09205e+06")


def test_labels_are_in_tf_servings_order(metrics: Metrics) -> None:
    metrics.observe(record_of())
    assert lines(metrics, f"{SERVING}request_latency_count") == [
        f'{SERVING}request_latency_count{{model_name="demo",API="Predict",entrypoint="GRPC"}} 1'
    ]


def test_there_are_no_created_series(metrics: Metrics) -> None:
    assert "_created" not in text(fill_all_series(metrics))


def test_every_line_is_a_comment_or_a_sample(metrics: Metrics) -> None:
    sample = re.compile(r'[a-z_:][\w:]*(\{([A-Za-z_]\w*="[^"\\]*",?)*\})? [\d.e+-]+')
    for line in text(fill_all_series(metrics)).splitlines():
        assert line.startswith(("# TYPE ", "# HELP ")) or sample.fullmatch(line), line


def test_the_parser_reads_the_types(metrics: Metrics) -> None:
    read = {
        family.name: family.type
        for family in text_string_to_metric_families(text(fill_all_series(metrics)))
    }
    for series in SERIES:
        name = series.name.removesuffix("_total")
        assert read[name] == ("histogram" if series.limits else "counter"), series.name


def test_the_type_of_each_series_is_there_before_its_first_value() -> None:
    types = lines(Metrics(), "# TYPE ")
    for series in SERIES:
        assert f"# TYPE {series.name} {'histogram' if series.limits else 'counter'}" in types


def test_the_content_type_is_prometheus_text(metrics: Metrics) -> None:
    assert metrics.render()[1] == CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


@settings(deadline=None)
@given(model=st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_a_model_is_called_the_text_stays_whole(model: str) -> None:
    metrics = Metrics()
    metrics.observe_load(model, 1, 1.0)
    metrics.observe_examples(model, 3)
    assert value(metrics, f"{SERVING}request_example_count_total", model=model) == 3


# Counts


@pytest.mark.parametrize("code", list(StatusCode))
def test_each_outcome_is_a_status(metrics: Metrics, code: StatusCode) -> None:
    metrics.observe(record_of(code=code))
    assert value(metrics, f"{SERVING}request_count", model_name="demo", status=code.name) == 1


@pytest.mark.parametrize("method", ["Predict", "Classify", "Regress"])
@pytest.mark.parametrize(
    ("protocol", "entrypoint", "case"), [("grpc", "GRPC", str), ("rest", "REST", str.lower)]
)
def test_api_and_entrypoint_are_tf_servings(
    metrics: Metrics, method: str, protocol: str, entrypoint: str, case: Callable[[str], str]
) -> None:
    metrics.observe(record_of(method, protocol=protocol))
    name = f"{SERVING}request_latency_count"
    assert value(metrics, name, model_name="demo", API=case(method), entrypoint=entrypoint) == 1


@pytest.mark.parametrize(
    "method", ["GetModelMetadata", "GetModelStatus", "MultiInference", "HandleReloadConfigRequest"]
)
def test_other_rpcs_are_not_counted(metrics: Metrics, method: str) -> None:
    metrics.observe(record_of(method))
    assert lines(metrics, f"{SERVING}request_count") == []


@pytest.mark.parametrize("method", ["GetModelMetadata", "GetModelStatus"])
def test_metadata_and_status_over_rest_are_counted_without_an_api(
    metrics: Metrics, method: str
) -> None:
    metrics.observe(record_of(method, protocol="rest"))
    assert (
        value(
            metrics, f"{SERVING}request_latency_count", model_name="demo", API="", entrypoint="REST"
        )
        == 1
    )


def test_latency_is_in_whole_microseconds(metrics: Metrics) -> None:
    metrics.observe(record_of(seconds=0.0123456789))
    labels = {"model_name": "demo", "API": "Predict", "entrypoint": "GRPC"}
    assert value(metrics, f"{SERVING}request_latency_sum", **labels) == 12345


def test_latency_is_that_of_answers_alone(metrics: Metrics) -> None:
    metrics.observe(record_of(code=StatusCode.INVALID_ARGUMENT))
    assert lines(metrics, f"{SERVING}request_latency_") == []


def test_sums_are_exact(metrics: Metrics) -> None:
    for _ in range(3):
        metrics.observe(record_of(seconds=1234.567891))
    labels = 'model_name="demo",API="Predict",entrypoint="GRPC"'
    assert lines(metrics, f"{SERVING}request_latency_sum") == [
        f"{SERVING}request_latency_sum{{{labels}}} {3 * 1234567891}"
    ]


def test_runtime_is_labelled_as_a_session_of_tf1(metrics: Metrics) -> None:
    metrics.observe_run("demo", 0.002, api="Classify")
    labels = {"model_name": "demo", "API": "Classify", "runtime": "TF1"}
    assert value(metrics, f"{SERVING}runtime_latency_sum", **labels) == 2000


def test_a_load_is_an_attempt_and_its_time(metrics: Metrics) -> None:
    attempts, latency = (
        ":tensorflow:cc:saved_model:load_attempt_count",
        ":tensorflow:cc:saved_model:load_latency",
    )
    assert value(metrics, attempts, model_path="demo/1", status="success") == 1
    assert value(metrics, latency, model_path="demo/1") == 1_500_000


def test_a_failed_load_is_an_attempt_too(metrics: Metrics) -> None:
    metrics.observe_load("demo", 2, 0.5, ok=False)
    attempts = ":tensorflow:cc:saved_model:load_attempt_count"
    assert value(metrics, attempts, model_path="demo/2", status="fail") == 1


def test_warm_up_has_its_latency(metrics: Metrics) -> None:
    metrics.observe_warm_up("demo", 1, 0.25)
    assert (
        value(metrics, f"{SERVING}model_warmup_latency_sum", model_path="demo/1", status="OK")
        == 250_000
    )


def test_a_batch_tells_its_size_with_and_without_padding(metrics: Metrics) -> None:
    metrics.observe_batch("demo", 6, 8)
    assert value(metrics, f"{SERVING}batching_session:processed_batch_size_sum") == 8
    assert (
        value(metrics, f"{SERVING}batching_session:padding_size_sum", execution_batch_size="8") == 2
    )
    assert value(metrics, f"{SERVING}batching_session:wrapped_run_count") == 1


def test_a_batch_may_tell_how_long_it_waited(metrics: Metrics) -> None:
    metrics.observe_batch("demo", 6, 8, 0.002)
    assert (
        value(metrics, f"{SERVING}batching_session:queuing_latency_sum", thread_pool_name="demo")
        == 2000
    )


def test_a_queued_request_tells_its_rows_and_its_wait(metrics: Metrics) -> None:
    metrics.observe_queueing("demo", 3, 0.002)
    assert value(metrics, f"{SERVING}batching_session:input_batch_size_sum") == 3
    assert (
        value(metrics, f"{SERVING}batching_session:queuing_latency_sum", thread_pool_name="demo")
        == 2000
    )


# Names that clients send


def test_names_from_outside_make_no_series(metrics: Metrics) -> None:
    for number in range(1000):
        metrics.observe(record_of(model=f"guess{number}", code=StatusCode.NOT_FOUND))
    assert lines(metrics, f"{SERVING}request_count{{") == [
        f'{SERVING}request_count{{model_name="{UNKNOWN_MODEL}",status="NOT_FOUND"}} 1000'
    ]


def test_a_model_that_has_answered_is_known() -> None:
    metrics = Metrics()
    metrics.observe(record_of(model="swift"))
    metrics.observe(record_of(model="swift", code=StatusCode.INVALID_ARGUMENT))
    assert (
        value(metrics, f"{SERVING}request_count", model_name="swift", status="INVALID_ARGUMENT")
        == 1
    )


def test_a_request_without_a_model_is_of_an_unknown_one(metrics: Metrics) -> None:
    metrics.observe(record_of(model="", code=StatusCode.INVALID_ARGUMENT))
    assert (
        value(
            metrics, f"{SERVING}request_count", model_name=UNKNOWN_MODEL, status="INVALID_ARGUMENT"
        )
        == 1
    )


# Gauges, and the rest


def test_the_queue_is_asked_at_each_scrape(metrics: Metrics) -> None:
    queue = {"demo": 3}
    metrics.watch(queue_length=lambda: queue)
    assert value(metrics, ":tfclf:server:queue_length", model_name="demo") == 3
    queue["demo"] = 0
    assert value(metrics, ":tfclf:server:queue_length", model_name="demo") == 0


def test_a_version_is_available_until_it_is_unloaded(metrics: Metrics) -> None:
    available = [("demo", 1), ("demo", 2)]
    metrics.watch(available=lambda: available)
    assert len(lines(metrics, ":tfclf:server:model_available{")) == 2
    available.pop(0)
    assert lines(metrics, ":tfclf:server:model_available{") == [
        ':tfclf:server:model_available{model_name="demo",version="2"} 1.0'
    ]


def test_what_is_not_watched_anew_stays(metrics: Metrics) -> None:
    metrics.watch(requests_in_flight=lambda: 5)
    metrics.watch(queue_length=dict)
    assert value(metrics, ":tfclf:server:requests_in_flight") == 5


def test_the_process_is_measured_too(metrics: Metrics) -> None:
    assert value(metrics, "process_resident_memory_bytes") > 1_000_000


def test_two_servers_in_one_process_do_not_mix(metrics: Metrics) -> None:
    metrics.observe(record_of())
    assert lines(Metrics(), f"{SERVING}request_count{{") == []


def test_no_request_is_lost_between_threads(metrics: Metrics) -> None:
    def work() -> None:
        for _ in range(2_000):
            metrics.observe(record_of())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    scrapes = [text(metrics) for _ in range(20)]
    for thread in threads:
        thread.join()
    assert value(metrics, f"{SERVING}request_count", model_name="demo", status="OK") == 16_000
    assert all(scrape.endswith("\n") for scrape in scrapes)


def test_the_table_in_the_docs_has_the_same_names_types_and_labels() -> None:
    rows = re.findall(
        r"^\| `(:tensorflow:[^`]*)` \| (\w+) \| ([^|]*) \|", TABLE.read_text(), re.MULTILINE
    )
    documented = {
        (name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows
    }
    assert documented == {
        (series.name, "histogram" if series.limits else "counter", series.labels)
        for series in SERIES
    }


def test_the_table_in_the_docs_has_every_other_name(metrics: Metrics) -> None:
    names = {line.split()[2] for line in lines(fill_all_series(metrics), "# TYPE ")}
    assert not {name for name in names if f"`{name}`" not in TABLE.read_text()}


def test_a_real_request_is_counted(echo_server: Server) -> None:
    metrics = Metrics()
    service = Service(echo_server.service.registry, observers=[metrics.observe])
    service.predict(predict_request({"text": strings("hello")}), RequestContext())
    with pytest.raises(RequestError):
        service.predict(predict_request({}, version=9), RequestContext())
    assert value(metrics, f"{SERVING}request_count", model_name="echo", status="OK") == 1
    assert value(metrics, f"{SERVING}request_count", model_name="echo", status="NOT_FOUND") == 1
