"""Served, `serving_xla` equals `serving_default`, and is warmed up if the export asks for that."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

import tfclf
from tests.server.conftest import predict_request, strings
from tests.signatures import few_signatures
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.buckets import Ladder
from tfclf.server import serve

LADDER = Ladder((32, 64), (8,))


@pytest.fixture(scope="module")
def warmed_up(short_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("exports") / "warmed_up"
    with few_signatures("serving_xla"):
        return tfclf.export(short_checkpoint, base, ladder=LADDER, xla_warm_up=True)


@pytest.fixture(scope="module")
def xla_stub(warmed_up: Path) -> Iterator[PredictionServiceStub]:
    with (
        serve(warmed_up.parent, port=0) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield PredictionServiceStub(channel)


def _predict(
    stub: PredictionServiceStub, texts: tuple[str, ...], signature: str
) -> Mapping[str, np.ndarray]:
    request = predict_request({"text": strings(*texts)}, model="warmed_up", signature=signature)
    return {
        name: tf.make_ndarray(value)
        for name, value in stub.Predict(request, timeout=60).outputs.items()
    }


@pytest.mark.parametrize(
    "texts",
    [(), HEADLINES[:1], ("", *HEADLINES, "news " * 600)],
    ids=["empty", "one", "more than the top rung"],
)
def test_it_answers_as_serving_default(
    xla_stub: PredictionServiceStub, texts: tuple[str, ...]
) -> None:
    outputs = _predict(xla_stub, texts, "serving_xla")
    expected = _predict(xla_stub, texts, "serving_default")
    assert outputs.keys() == expected.keys()
    assert outputs["label"].tolist() == expected["label"].tolist()
    np.testing.assert_allclose(outputs["logits"], expected["logits"], atol=1e-5, rtol=0)


def _requests(version: Path) -> list[tuple[str, int]]:
    """Read signature and number of texts of each warm-up record for Predict."""
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [PredictionLog.FromString(record) for record in records.as_numpy_iterator()]
    requests = [log.predict_log.request for log in logs if log.HasField("predict_log")]
    return [
        (request.model_spec.signature_name, request.inputs["text"].tensor_shape.dim[0].size)
        for request in requests
    ]


def test_its_warm_up_has_a_request_for_each_usual_rung(warmed_up: Path) -> None:
    rows = [rows for signature, rows in _requests(warmed_up) if signature == "serving_xla"]
    assert rows == [size for size, _ in LADDER.usual]


def test_without_asking_there_is_none(short_export: Path) -> None:
    signatures = {signature for signature, _ in _requests(short_export)}
    assert "serving_default" in signatures
    assert not [name for name in signatures if name.endswith("_xla")]
