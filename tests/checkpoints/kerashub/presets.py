"""KerasHub presets made on the spot: random weights, real vocabularies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from samples.checkpoints import DEMO_FILES, PIECES

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


@cache
def _make_tokenizer(
    keras_hub: Any, name: str, vocabularies: Path | None, pieces: int | None
) -> Any:
    """Make a tokenizer; that of a large SentencePiece file takes seconds."""
    kind = KINDS[name]
    if kind.vocabulary is None:
        vocabulary = (DEMO_FILES / "vocab.txt").read_text(encoding="utf-8").splitlines()
        files: dict[str, Any] = {"vocabulary": vocabulary[:pieces]}
    else:
        assert vocabularies is not None
        files = kind.vocabulary(vocabularies)
    return getattr(keras_hub.models, f"{name}Tokenizer")(**files, **kind.tokenizer)


def tiny_classifier(
    keras_hub: Any,
    name: str,
    vocabularies: Path | None = None,
    *,
    classes: int = 4,
    layers: int = 2,
    pieces: int | None = PIECES,
    seed: int = 0,
    preprocessor: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Make a text classifier; biases and norms are random too, as zeros and ones hide mistakes.

    Args:
      pieces: the number of pieces of the bundled vocabulary to keep; None for all.
    """
    kind, models = KINDS[name], keras_hub.models
    made = _make_tokenizer(keras_hub, name, vocabularies, pieces)
    sizes = {
        "num_layers": layers,
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
    columns = tuple(list(column) for column in texts)
    # A tuple of two alone would be read as texts and labels.
    rows = tf.data.Dataset.from_tensor_slices((columns,) if len(columns) > 1 else columns).batch(64)
    predicted: np.ndarray = classifier.predict(rows, verbose=0)
    return predicted


def eager_outputs(classifier: Any, *texts: Sequence[str]) -> np.ndarray:
    """Predict plain texts, or texts and their pairs, without tracing, which takes seconds.

    Called by itself, KerasHub's preprocessor tokenizes in Python, with other ids for some texts
    (docs/exactness.md): for those, `outputs` is the reference.
    """
    columns = tuple(tf.constant(list(column)) for column in texts)
    inputs = classifier.preprocess_samples(columns if len(columns) > 1 else columns[0])
    predicted: np.ndarray = classifier(inputs, training=False).numpy()
    return predicted


def token_ids(classifier: Any, *batches: Sequence[str]) -> list[list[int]]:
    """Tokenize texts by KerasHub's preprocessor in tf.data, without the padding.

    Args:
      batches: of texts. One long word among many others takes KerasHub's byte pairs long.
    """
    preprocess = tf.function(
        lambda text: classifier.preprocessor(text),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    rows = []
    for texts in batches:
        encoded = preprocess(tf.constant(list(texts)))
        lengths = tf.reduce_sum(tf.cast(encoded["padding_mask"], tf.int32), axis=1).numpy()
        ids = encoded["token_ids"].numpy()
        rows += [row[:length].tolist() for row, length in zip(ids, lengths, strict=True)]
    return rows
