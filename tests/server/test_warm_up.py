"""A version answers its own warm-up records before it serves; one that it cannot answer fails the load."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import ClassifyLog, PredictionLog, PredictLog

from tfclf.errors import SavedModelError
from tfclf.server import serve
from tfclf.server.servable import Servable
from tfclf.server.warm_up import warm_up


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


def test_at_most_1000_records_are_replayed(version: Path) -> None:
    write(version, *[predict_log(text=["a"])] * 1_001)
    assert replayed(version) == 1_000


def test_records_of_other_rpcs_are_passed_over(version: Path) -> None:
    write(version, PredictionLog(classify_log=ClassifyLog()).SerializeToString(), predict_log(text=["a"]))
    assert replayed(version) == 1


@pytest.mark.parametrize("record", [predict_log(other=["a"]), b"no protobuf"], ids=["wrong input", "no protobuf"])
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
