"""CTranslate2's encoder; the classification head runs in NumPy, as its guides run it outside."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.peers.engine import (
    Array,
    Classify,
    Material,
    Tokenizer,
    Unavailable,
    batches,
    read_config,
    written_once,
)


def prepare(material: Material, *, precision: str) -> None:
    import ctranslate2

    with written_once(material.folder / precision) as folder:
        if folder:
            converter = ctranslate2.converters.TransformersConverter(str(material.checkpoint))
            converter.convert(str(folder), quantization=precision, force=True)


def load(material: Material, *, precision: str) -> Classify:
    import ctranslate2

    encoder = ctranslate2.Encoder(
        str(material.folder / precision), device="cpu", compute_type=precision
    )
    # "int8_float32": products in int8, all else in float32.
    if not encoder.compute_type.startswith(precision):
        raise Unavailable(f"CTranslate2 computes in {encoder.compute_type} on this machine")
    tokenizer = Tokenizer(material.checkpoint)
    head = _read_head(material.checkpoint)

    def classify(texts: Sequence[str]) -> Array:
        answers = []
        for batch in batches(texts):
            hidden = encoder.forward_batch(tokenizer.ids(batch)).last_hidden_state
            answers.append(head(np.array(hidden)[:, 0]))
        return np.concatenate(answers)

    return classify


def _read_head(checkpoint: Path) -> Callable[[Array], Array]:
    """Return the head: from the first token's hidden[texts, hidden size] to logits."""
    from safetensors import safe_open

    with safe_open(checkpoint / "model.safetensors", "np") as file:
        weights = {
            name: file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118  (no mapping)
            if name.startswith(("classifier", "pre_classifier"))
        }
    if read_config(checkpoint)["model_type"] == "distilbert":
        first, last, activation = "pre_classifier", "classifier", _relu
    else:
        first, last, activation = "classifier.dense", "classifier.out_proj", _tanh

    def head(hidden: Array) -> Array:
        inner = activation(hidden @ weights[f"{first}.weight"].T + weights[f"{first}.bias"])
        logits: Array = inner @ weights[f"{last}.weight"].T + weights[f"{last}.bias"]
        return logits

    return head


def _relu(values: Array) -> Array:
    return np.maximum(values, 0)


def _tanh(values: Array) -> Array:
    return np.tanh(values)
