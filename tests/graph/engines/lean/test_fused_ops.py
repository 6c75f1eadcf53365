"""Grappler finds its patterns in the lean encoder: a miss costs a tenth of the speed, silently."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tfclf._tensorflow import load_text_ops


@pytest.fixture(scope="module")
def classify(short_export: Path) -> Any:
    load_text_ops()
    return tf.saved_model.load(str(short_export))


@pytest.fixture(scope="module", params=[1, 16], ids=["one group", "groups"])
def ops(
    request: pytest.FixtureRequest, classify: Any, tmp_path_factory: pytest.TempPathFactory
) -> Counter[str]:
    """Runs of each op for one batch, from TensorFlow's profiler, called functions included."""
    folder = tmp_path_factory.mktemp("profile")
    texts = tf.constant(["a headline"] * request.param)
    classify(texts)
    with tf.profiler.experimental.Profile(str(folder)):
        classify(texts)["logits"].numpy()
    space = xplane_pb2.XSpace.FromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    # The profiler names an op's event "node:op".
    counts = Counter(
        plane.event_metadata[event.metadata_id].name.rpartition(":")[2]
        for plane in space.planes
        for line in plane.lines
        for event in line.events
    )
    if not any(op.startswith("_Mkl") for op in counts):
        pytest.skip("this TensorFlow runs without oneDNN, whose ops these are")
    return counts


def test_each_layer_norm_is_one_op(ops: Counter[str], short_checkpoint: Path) -> None:
    layers = json.loads((short_checkpoint / "config.json").read_text())["n_layers"]
    assert ops["_MklLayerNorm"] == 1 + 2 * layers


def test_no_layer_norm_is_left_in_pieces(ops: Counter[str]) -> None:
    assert not [op for op in ops if "FusedBatchNorm" in op]


def test_scale_and_mask_of_attention_are_in_its_first_product(ops: Counter[str]) -> None:
    """The second, with the values, has neither."""
    assert ops["_MklFusedBatchMatMulV2"] == ops["_MklBatchMatMulV2"] > 0
