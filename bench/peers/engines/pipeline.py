"""`transformers.pipeline("text-classification")`, as the model pages of the hub show it."""

from collections.abc import Sequence

import numpy as np

from bench.peers.engine import BATCH, MAX_LENGTH, Array, Classify, Material, read_config


def load(material: Material) -> Classify:
    from transformers import pipeline

    labels = read_config(material.checkpoint)["id2label"]
    pipe = pipeline(
        "text-classification",
        model=str(material.checkpoint),
        framework="pt",
        top_k=None,
        function_to_apply="none",
        device="cpu",
    )

    def classify(texts: Sequence[str]) -> Array:
        answers = pipe(list(texts), batch_size=BATCH, truncation=True, max_length=MAX_LENGTH)
        scores = [{one["label"]: one["score"] for one in answer} for answer in answers]
        return np.array(
            [[row[labels[str(index)]] for index in range(len(labels))] for row in scores],
            np.float32,
        )

    return classify
