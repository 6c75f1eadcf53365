"""A version replays its warm-up records before it serves; a record that fails, fails the load."""

import shutil
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog, PredictLog

from samples.checkpoints import edit_json
from tests.server.conftest import strings
from tests.server.inputs import (
    CLASSIFY,
    REGRESS,
    classify_request,
    example,
    example_list,
    model_spec,
    multi_request,
    regress_request,
)
from tfclf.errors import SavedModelError
from tfclf.saved_model.manifest import Manifest
from tfclf.server import serve
from tfclf.server.lifecycle import loading
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.warm_up import warm_up, warm_up_signatures
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.session import Session, SessionOptions


@pytest.fixture(autouse=True)
def warm_up_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "warm_up", warm_up)
    monkeypatch.setattr(loading, "warm_up_signatures", warm_up_signatures)


@pytest.fixture
def version(echo_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(echo_base / "1", tmp_path / "echo" / "1"))


def predict_log(**inputs: tf.Tensor) -> bytes:
    request = PredictRequest()
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    log: bytes = PredictionLog(predict_log=PredictLog(request=request)).SerializeToString()
    return log


def write(version: Path, *records: bytes) -> None:
    folder = version / "assets.extra"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for record in records:
            writer.write(record)


def replayed(version: Path) -> int:
    servable = Servable.load("echo", 1, version)
    try:
        return warm_up(servable, version)
    finally:
        servable.close()


def test_predict_records_are_replayed(version: Path) -> None:
    write(version, predict_log(text=["a"]), predict_log(text=["b", "c"]))
    assert replayed(version) == 2


def test_a_version_without_records_is_as_good(version: Path) -> None:
    assert replayed(version) == 0


def test_1000_records_are_replayed(version: Path) -> None:
    write(version, *[predict_log(text=["a"])] * 1_000)
    assert replayed(version) == 1_000


def test_more_than_1000_records_fail_the_load(version: Path) -> None:
    write(version, *[predict_log(text=["a"])] * 1_001)
    with pytest.raises(
        SavedModelError,
        match=r"after 1000 requests: Number of warmup records exceeds the maximum \(",
    ):
        replayed(version)


def test_records_of_all_rpcs_are_replayed(scorer_base: Path, tmp_path: Path) -> None:
    version = Path(shutil.copytree(scorer_base / "3", tmp_path / "scorer" / "3"))
    sent = example_list(example(x=0.5))
    predict = PredictRequest(
        inputs={"inputs": strings(sent.example_list.examples[0].SerializeToString())}
    )
    multi = multi_request(
        sent, (CLASSIFY, model_spec()), (REGRESS, model_spec(signature="regress"))
    )
    logs = (
        PredictionLog(predict_log={"request": predict}),
        PredictionLog(classify_log={"request": classify_request(sent)}),
        PredictionLog(regress_log={"request": regress_request(sent)}),
        PredictionLog(multi_inference_log={"request": multi}),
    )
    write(version, *(log.SerializeToString() for log in logs))
    assert replayed(version) == 4


def test_records_of_an_export_are_replayed(short_export: Path) -> None:
    records = tf.data.TFRecordDataset(
        str(short_export / "assets.extra" / "tf_serving_warmup_requests")
    )
    kinds = [
        PredictionLog.FromString(record).WhichOneof("log_type")
        for record in records.as_numpy_iterator()
    ]
    assert {*kinds} == {"predict_log", "classify_log"}
    assert replayed(short_export) == len(kinds)


def test_records_without_a_request_are_passed_over(version: Path) -> None:
    write(version, PredictionLog().SerializeToString(), predict_log(text=["a"]))
    assert replayed(version) == 1


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (PredictionLog(classify_log={}), "Expected one or two output Tensors, found 6"),
        (PredictionLog(regress_log={}), "Expected one output Tensor"),
        (
            PredictionLog(multi_inference_log={"request": {"tasks": [{"method_name": CLASSIFY}]}}),
            "Found ModelSpec with an empty model name",
        ),
        (PredictionLog(session_run_log={}), "Unsupported log_type for warmup: 5"),
    ],
    ids=["classify", "regress", "multi-inference", "session run"],
)
def test_a_record_of_another_rpc_that_cannot_be_answered_fails_the_load(
    version: Path, log: PredictionLog, reason: str
) -> None:
    write(version, log.SerializeToString())
    with pytest.raises(SavedModelError, match=f"warm-up failed after 0 requests: {reason}"):
        replayed(version)


@pytest.mark.parametrize(
    "record", [predict_log(other=["a"]), b"no protobuf"], ids=["wrong input", "no protobuf"]
)
def test_a_record_that_cannot_be_answered_fails_the_load(version: Path, record: bytes) -> None:
    write(version, record)
    with pytest.raises(SavedModelError, match="warm-up failed after 0 requests"):
        serve(version.parent, port=0)


def test_a_cut_file_fails_the_load(version: Path) -> None:
    write(version, predict_log(text=["a"]))
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SavedModelError, match="warm-up failed"):
        serve(version.parent, port=0)


CALLED_BY_CLIENTS = {
    *("serving_default", "classify", "detail", "detail_pairs", "pairs", "windows", "tokenize")
}


def rows_by_signature(servable: Servable, runs: list[dict[str, Any]]) -> dict[str, set[int]]:
    """Return, for each signature that has run, the numbers of its rows."""
    rows = defaultdict(set)
    for feeds in runs:
        for name, signature in servable.signatures.items():
            if {info.name for info in signature.inputs.values()} == feeds.keys():
                rows[name].add(len(next(iter(feeds.values()))))
    return rows


def save_texts(folder: Path, export: Path) -> Path:
    """Save an export that only repeats texts; it has the manifest of another, but its checksums."""
    module = tf.Module()
    text = tf.TensorSpec([None], tf.string, name="text")
    module.repeat = tf.function(lambda text: {"label": text}, input_signature=[text])
    tf.saved_model.save(module, str(folder), signatures=module.repeat)
    place = Manifest.path(folder)
    place.parent.mkdir()
    shutil.copy(Manifest.path(export), place)
    edit_json(place, checksums={})
    return folder


def test_what_clients_call_has_run_before_a_version_is_available_at_the_start_and_after_a_swap(
    short_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = save_texts(tmp_path / "newer", short_export)
    ignore = shutil.ignore_patterns("tf_serving_warmup_requests")  # an older export has few records
    shutil.copytree(short_export, tmp_path / "short" / "1", ignore=ignore)
    runs: list[dict[str, Any]] = []
    at_hand: dict[int, dict[str, set[int]]] = {}
    run, add = Session.run, Registry.add

    def record_run(self: Session, feeds: Any, *arguments: Any, **options: Any) -> Any:
        runs.append(feeds)
        return run(self, feeds, *arguments, **options)

    def record_add(self: Registry, servable: Servable, **options: Any) -> Any:
        at_hand[servable.version] = rows_by_signature(servable, runs)
        runs.clear()
        return add(self, servable, **options)

    monkeypatch.setattr(Session, "run", record_run)
    monkeypatch.setattr(Registry, "add", record_add)
    with serve(tmp_path / "short", port=0, poll_seconds=0.1):
        newer.rename(tmp_path / "short" / "2")
        end = time.monotonic() + 60
        while 2 not in at_hand and time.monotonic() < end:
            time.sleep(0.05)
    assert at_hand == {
        1: {name: {1, 8} for name in CALLED_BY_CLIENTS},
        2: {"serving_default": {1, 8}},
    }


def test_a_signature_that_fails_is_logged_and_fails_no_load(
    half_plus_two_base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    version = Path(shutil.copytree(half_plus_two_base / "123", tmp_path / "123"))
    (version / "assets.extra").mkdir(exist_ok=True)
    (version / "assets.extra" / "tfclf.json").write_text("{}")
    Loader()("half", 123, version).close()
    assert "signature='serving_default' not warmed up: " in caplog.text


def test_a_choice_of_outputs_of_our_export_needs_no_graph_of_its_own(echo_base: Path) -> None:
    session = Session(echo_base / "1", SessionOptions(whole_signatures=True))
    known = len(session._choices)
    signature = session.signatures["serving_default"]
    feeds = {signature.inputs["text"].name: np.array([b"word"], object)}
    (length,) = session.run(feeds, [signature.outputs["length"].name])
    session.close()
    assert length.array.tolist() == [4]
    assert len(session._choices) == known
