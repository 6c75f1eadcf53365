"""The Hugging Face TF class in graph mode: the reference."""

from collections.abc import Sequence

import numpy as np

from bench.peers.engine import Array, Classify, Material, batches


def load(material: Material) -> Classify:
    from bench.contenders import tf_class

    run = tf_class(material.checkpoint, answer=lambda logits: logits)

    def classify(texts: Sequence[str]) -> Array:
        return np.concatenate([run(batch).numpy() for batch in batches(texts)])

    return classify
