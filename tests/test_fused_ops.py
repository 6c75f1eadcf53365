"""TensorFlow finds its patterns in the lean encoder: a miss changes no number, and costs a tenth of the speed."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model.loader_impl import SavedModelLoader

from tfclf import text_ops


@pytest.fixture(scope="module")
def ops(exported: Path) -> Counter[str]:
    """How often each op stands in the graph that runs; both branches of it, for few rows and for many."""
    text_ops.register()
    v1 = tf.compat.v1
    metadata = v1.RunMetadata()
    with v1.Session(graph=tf.Graph()) as session:
        signature = SavedModelLoader(str(exported)).load(session, ["serve"]).signature_def["serving_default"]
        session.run(
            signature.outputs["logits"].name,
            {signature.inputs["text"].name: np.array([b"a headline"], object)},
            options=v1.RunOptions(output_partition_graphs=True),
            run_metadata=metadata,
        )
    found = Counter(node.op for graph in metadata.partition_graphs for node in graph.node)
    if not any(op.startswith("_Mkl") for op in found):
        pytest.skip("this TensorFlow runs without oneDNN, whose ops these are")
    return found


def test_each_layer_norm_is_one_op(ops: Counter[str], checkpoint: Path) -> None:
    layers = json.loads((checkpoint / "config.json").read_text())["n_layers"]
    assert ops["_MklLayerNorm"] == 2 * (1 + 2 * layers)


def test_no_layer_norm_is_left_in_pieces(ops: Counter[str]) -> None:
    assert not [op for op in ops if "FusedBatchNorm" in op]
