"""The loading of a version: batched or not, warmed up, and recorded in metrics."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from tests.server.conftest import predict_request, strings
from tfclf.errors import SavedModelError, ServerError
from tfclf.saved_model.manifest import Manifest
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.limits import Limits
from tfclf.server.metrics import Metrics
from tfclf.server.rpc.predict import predict
from tfclf.server.runtime.batching import Batching
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.session import Session, SessionOptions
from tfclf.server.status import RequestError

OWN = "batching_params.pbtxt"


@pytest.fixture
def version(half_plus_two_base: Path, tmp_path: Path) -> Path:
    """A version that loads quickly and is no export of tfclf."""
    return Path(shutil.copytree(half_plus_two_base / "123", tmp_path / "half_plus_two" / "123"))


@pytest.fixture
def export(version: Path) -> Path:
    """The same with a manifest, which makes it an export of tfclf."""
    path = Manifest.path(version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return version


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Session]]:
    """The closed sessions; at its end a test must have closed all that it opened."""
    opened: list[Session] = []
    closed: list[Session] = []
    init, close = Session.__init__, Session.close

    def count_init(self: Session, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        opened.append(self)

    def count_close(self: Session) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(Session, "__init__", count_init)
    monkeypatch.setattr(Session, "close", count_close)
    yield closed
    assert opened == closed


def batching_of(loader: Loader, folder: Path) -> Batching | None:
    """Return how the requests of a version are batched."""
    servable = loader("half_plus_two", 123, folder)
    try:
        return None if servable._batcher is None else servable._batcher._options
    finally:
        servable.close()


def write_records(folder: Path, *records: bytes) -> None:
    (folder / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(
        str(folder / "assets.extra" / "tf_serving_warmup_requests")
    ) as writer:
        for record in records:
            writer.write(record)


def record(**inputs: Any) -> bytes:
    request = PredictRequest(
        inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()}
    )
    request.output_filter.append("y")
    log: bytes = PredictionLog(predict_log=PredictLog(request=request)).SerializeToString()
    return log


def metric_lines(metrics: Metrics, name: str) -> list[str]:
    """Return the lines of a metric."""
    return [line for line in metrics.render()[0].decode().splitlines() if line.startswith(name)]


def test_an_export_is_batched_by_default(export: Path) -> None:
    assert batching_of(Loader(), export) == Batching()


def test_a_model_that_is_no_export_is_not_batched_by_default(version: Path) -> None:
    assert batching_of(Loader(), version) is None


def test_a_batching_file_holds_for_every_model(version: Path) -> None:
    batching = Batching(max_batch_size=7)
    assert batching_of(Loader(batching=batching), version) == batching


def test_batching_may_be_off_for_exports_too(export: Path) -> None:
    assert batching_of(Loader(batch=False), export) is None


def test_a_version_s_own_file_says_how_it_is_batched_with_the_server_s_threads(
    version: Path,
) -> None:
    (version / OWN).write_text("max_batch_size { value: 5 } num_batch_threads { value: 9 }")
    given = Batching(max_batch_size=7, num_batch_threads=3)
    batching = batching_of(Loader(batching=given, per_model=True), version)
    assert batching is not None
    assert (batching.max_batch_size, batching.num_batch_threads) == (5, 3)


def test_with_own_files_a_version_without_one_is_not_batched(export: Path) -> None:
    assert batching_of(Loader(batching=Batching(), per_model=True), export) is None


def test_an_own_file_is_passed_over_where_nobody_asked_for_it(version: Path) -> None:
    (version / OWN).write_text("max_batch_size { value: 5 }")
    assert batching_of(Loader(), version) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_batch_size: 5", "Invalid protobuf file: '.*batching_params.pbtxt'"),
        ("max_batch_size { value: 0 }", "max_batch_size is 0; expected a whole number, 1 or more"),
    ],
)
def test_a_bad_own_file_is_refused(
    version: Path, closed: list[Session], text: str, said: str
) -> None:
    (version / OWN).write_text(text)
    with pytest.raises(ServerError, match=said):
        Loader(batching=Batching(), per_model=True)("half_plus_two", 123, version)


def answer(servable: Servable, x: list[list[float]]) -> list[float]:
    request = predict_request({"x": tf.make_tensor_proto(x)}, output_filter=["y"])
    return list(predict(servable, request).outputs["y"].float_val)


def test_batched_or_not_the_answer_is_the_same(version: Path, closed: list[Session]) -> None:
    answers = []
    for batching in (None, Batching()):
        servable = Loader(batching=batching)("half_plus_two", 123, version)
        answers.append(answer(servable, [[1.0], [2.0], [5.0]]))
        servable.close()
    assert answers == [[2.5, 3.0, 4.5]] * 2


@pytest.mark.parametrize(("runs", "expected"), [(0, 0), (1, 2), (3, 6)])
def test_each_warm_up_record_runs_so_often(
    version: Path, runs: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(version, record(x=[[1.0]]), record(x=[[2.0]]))
    fed: list[Any] = []
    run = Session.run

    def counted(self: Session, feeds: Any, fetches: Any, **options: Any) -> Any:
        fed.append(feeds)
        return run(self, feeds, fetches, **options)

    monkeypatch.setattr(Session, "run", counted)
    Loader(warm_up_runs=runs)("half_plus_two", 123, version).close()
    assert len(fed) == expected


def test_nothing_stays_loaded_after_a_failed_warm_up(version: Path, closed: list[Session]) -> None:
    write_records(version, record(wrong=[[1.0]]))
    with pytest.raises(SavedModelError, match="warm-up failed"):
        Loader(batching=Batching())("half_plus_two", 123, version)
    assert len(closed) == 1


def attempts(metrics: Metrics) -> dict[str, float]:
    """Count loads by outcome."""
    lines = [
        line for line in metrics.render()[0].decode().splitlines() if "load_attempt_count" in line
    ]
    return {
        outcome: float(line.rpartition(" ")[2])
        for line in lines
        for outcome in ("success", "fail")
        if f'"{outcome}"' in line and not line.startswith("#")
    }


def test_metrics_are_told_of_a_load(version: Path) -> None:
    metrics = Metrics()
    Loader(metrics=metrics)("half_plus_two", 123, version).close()
    assert attempts(metrics) == {"success": 1.0}


@pytest.mark.parametrize("wrong", ["graph", "warm-up", "batching file"])
def test_metrics_are_told_of_a_failed_load(version: Path, wrong: str) -> None:
    if wrong == "graph":
        (version / "saved_model.pb").write_bytes(b"nothing")
    elif wrong == "warm-up":
        write_records(version, b"nothing")
    else:
        (version / OWN).write_text("nothing")
    metrics = Metrics()
    with pytest.raises((SavedModelError, ServerError)):
        Loader(metrics=metrics, batching=Batching(), per_model=True)("half_plus_two", 123, version)
    assert attempts(metrics) == {"fail": 1.0}


def test_warm_up_runs_are_none_of_the_requests_that_metrics_count(version: Path) -> None:
    write_records(version, record(x=[[1.0]]))
    metrics = Metrics()
    servable = Loader(metrics=metrics)("half_plus_two", 123, version)
    assert not [
        line
        for line in metric_lines(metrics, ":tensorflow:serving:runtime_latency_count")
        if "half_plus_two" in line
    ]
    servable.close()


def test_limits_hold_for_what_was_loaded(echo_base: Path) -> None:
    servable = Loader(limits=replace(Limits(), max_texts=2))("echo", 1, echo_base / "1")
    try:
        with pytest.raises(RequestError, match="has 3 strings; this server takes 2"):
            predict(servable, predict_request({"text": strings("a", "b", "c")}))
    finally:
        servable.close()


def test_unknown_tags_are_named(version: Path, closed: list[Session]) -> None:
    with pytest.raises(SavedModelError, match="tagged 'gpu,serve'"):
        Loader(session=SessionOptions(tags=("gpu", "serve")))("half_plus_two", 123, version)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_are_tensorflow_s(threads: int) -> None:
    config = SessionOptions(intra_op_threads=threads, inter_op_threads=threads + 1).config()
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == (
        threads,
        threads + 1,
    )


def test_a_session_takes_its_threads_and_memory(version: Path) -> None:
    options = SessionOptions(intra_op_threads=1, inter_op_threads=1, gpu_memory_fraction=0.25)
    servable = Loader(session=options)("half_plus_two", 123, version)
    config = servable._session._session._config
    assert config.intra_op_parallelism_threads == config.inter_op_parallelism_threads == 1
    assert config.gpu_options.per_process_gpu_memory_fraction == 0.25
    assert answer(servable, [[2.0]]) == [3.0]
    servable.close()
