"""Print the logits of exports as JSON: `python -m ...lean.frozen_weights EXPORT...`.

A process of its own, because TensorFlow reads TF_ONEDNN_ASSUME_FROZEN_WEIGHTS once.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import tfclf
from tfclf.graph.tracing import trace_once
from tfclf.sample_texts import HEADLINES

TEXTS = [*HEADLINES, "news " * 60, "", *HEADLINES]
# Kernels keep what they see first. Attention takes 8 rows and more in groups.
SIZES = (40, 1, 8, 3, 40, 1)


def answer(exports: Sequence[str]) -> dict[str, Any]:
    """Return whether kernels keep weights, and each export's logits by the way they were asked."""
    logits = [{**list_logits(export), "session": run_session(export)} for export in exports]
    return {"keeps": keeps_weights(), "logits": logits}


def list_logits(export: str) -> dict[str, list[list[float]]]:
    """Compute the logits of several batches by each signature that has the encoder."""
    classifier = tfclf.load(export)
    ids = classifier.tokenize(TEXTS)
    mask = tf.sequence_mask(ids.row_lengths(), dtype=tf.int32)
    encoded = [classifier.call_encode(ids.to_tensor(), mask)]
    pairs = [classifier.call_pairs(TEXTS, TEXTS[::-1])]
    texts = [classifier(pick_texts(size)) for size in SIZES]
    return {
        name: np.concatenate([outputs["logits"].numpy() for outputs in batches]).tolist()
        for name, batches in (("texts", texts), ("pairs", pairs), ("encode", encoded))
    }


def run_session(export: str) -> list[list[float]]:
    """Compute the logits of the texts like TF Serving: in a TF1 session."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, ["serve"], export).signature_def["serving_default"]
        logits, text = signature.outputs["logits"].name, signature.inputs["text"].name
        batches = [session.run(logits, {text: pick_texts(size)}) for size in SIZES]
    return np.concatenate(batches).tolist()  # type: ignore[no-any-return]


def pick_texts(size: int) -> list[str]:
    """Return `size` texts, other ones for each size."""
    return [TEXTS[(size + index) % len(TEXTS)] for index in range(size)]


def keeps_weights() -> bool:
    """Tell whether a kernel that meets two weights, one after the other, stays with the first."""
    step = trace_once(
        lambda rows, weight, bias: tf.nn.gelu(
            tf.nn.bias_add(rows @ weight, bias), approximate=False
        ),
        [tf.TensorSpec(shape, tf.float32) for shape in ([None, 64], [64, 64], [64])],
        noinline=True,
    )

    @tf.function
    def call_twice(rows: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        return step(step(rows, weight, bias), 3 * weight, bias)

    # gelu(3 * gelu(1)) is 2.5, and gelu(gelu(1)) is 0.7.
    answer = call_twice(tf.ones([40, 64]), tf.eye(64), tf.zeros([64]))
    return bool(tf.reduce_all(answer < 1))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(sys.argv[1:])))
