"""KerasHub presets made on the spot: random weights, real vocabularies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from samples.checkpoints import DEMO_FILES

SEQUENCE_LENGTH = 128


@dataclass(frozen=True)
class Kind:
    """The KerasHub classes of one architecture, and where its real vocabulary is.

    Attributes:
      name: the classes' common beginning.
      vocabulary: shared vocabularies' folder -> the tokenizer's arguments; None where the bundled
        model's file serves.
      sizes: of its backbone besides the common ones.
    """

    name: str
    tokenizer: dict[str, Any] = field(default_factory=dict)
    vocabulary: Callable[[Path], dict[str, Any]] | None = None
    sizes: dict[str, int] = field(default_factory=dict)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("DistilBert", {"lowercase": True}),
        Kind("Bert", {"lowercase": True, "strip_accents": True}),
        Kind(
            "Albert",
            vocabulary=lambda folder: {"proto": str(folder / "albert-base-v2" / "spiece.model")},
            sizes={
                "embedding_dim": 16,
                "num_layers": 4,
                "num_groups": 2,
                "num_inner_repetitions": 2,
            },
        ),
        Kind(
            "Roberta",
            vocabulary=lambda folder: {
                "vocabulary": str(folder / "roberta-base" / "vocab.json"),
                "merges": str(folder / "roberta-base" / "merges.txt"),
            },
        ),
        Kind(
            "XLMRoberta",
            vocabulary=lambda folder: {
                "proto": str(folder / "xlm-roberta-base" / "sentencepiece.bpe.model")
            },
        ),
    )
}


def tiny_classifier(
    keras_hub: Any,
    name: str,
    vocabularies: Path | None = None,
    *,
    classes: int = 4,
    seed: int = 0,
    preprocessor: dict[str, Any] | None = None,
    tokenizer: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Make a text classifier; biases and norms are random too, as zeros and ones hide mistakes."""
    kind, models = KINDS[name], keras_hub.models
    if kind.vocabulary is None:
        files: dict[str, Any] = {
            "vocabulary": (DEMO_FILES / "vocab.txt").read_text(encoding="utf-8").splitlines()
        }
    else:
        assert vocabularies is not None
        files = kind.vocabulary(vocabularies)
    made = getattr(models, f"{name}Tokenizer")(**files, **{**kind.tokenizer, **(tokenizer or {})})
    sizes = {
        "num_layers": 2,
        "num_heads": 4,
        "hidden_dim": 32,
        "intermediate_dim": 64,
        "max_sequence_length": SEQUENCE_LENGTH,
        **kind.sizes,
    }
    classifier = getattr(models, f"{name}TextClassifier")(
        backbone=getattr(models, f"{name}Backbone")(
            vocabulary_size=made.vocabulary_size(), **sizes
        ),
        preprocessor=getattr(models, f"{name}TextClassifierPreprocessor")(
            made, **{"sequence_length": SEQUENCE_LENGTH, **(preprocessor or {})}
        ),
        num_classes=classes,
        **options,
    )
    dice = np.random.default_rng(seed)
    for weight in classifier.weights:
        base = 1.0 if weight.path.endswith("gamma") else 0.0
        weight.assign(
            base
            + dice.normal(0, 0.2 if len(weight.shape) > 1 else 0.1, weight.shape).astype(np.float32)
        )
    return classifier


def outputs(classifier: Any, *texts: Sequence[str]) -> np.ndarray:
    """Predict texts, or texts and their pairs, as `fit` and `predict` read them: by tf.data."""
    columns = tuple(tf.constant(list(column)) for column in texts)
    rows = tf.data.Dataset.from_tensor_slices(columns if len(columns) > 1 else columns[0]).batch(32)
    if len(columns) > 1:
        rows = rows.map(lambda *pair: (pair,))
    found: np.ndarray = classifier.predict(rows, verbose=0)
    return found


def token_ids(classifier: Any, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize texts by KerasHub's preprocessor in tf.data, without the padding."""
    preprocess = tf.function(lambda text: classifier.preprocessor(text))
    encoded = preprocess(tf.constant(list(texts)))
    lengths = tf.reduce_sum(tf.cast(encoded["padding_mask"], tf.int32), axis=1).numpy()
    return [
        row[:length].tolist()
        for row, length in zip(encoded["token_ids"].numpy(), lengths, strict=True)
    ]
