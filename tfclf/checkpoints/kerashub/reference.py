"""KerasHub's own classifier and preprocessor: what an export of a preset is compared with."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.errors import MissingExtraError
from tfclf.problem_types import activation_of

_BATCH = 16


def keras_hub() -> Any:
    """KerasHub, on TensorFlow. Raises: MissingExtraError where it is not installed."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras_hub as package
    except ImportError as error:
        raise MissingExtraError(
            "keras-hub", extra="kerashub", purpose="running a KerasHub preset's original"
        ) from error
    return package


class Reference:
    """The original of a preset, in the way of `fit` and `predict`: its preprocessor inside a tf.function."""

    packages = ("keras", "keras-hub", "tensorflow-text")

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self._classifier = keras_hub().models.TextClassifier.from_preset(str(checkpoint.folder))
        # The activation that its config asks for is applied by `probabilities`.
        self._classifier.output_dense.activation = lambda logits: logits
        preprocessor = self._classifier.preprocessor
        self._tokenizer = preprocessor.tokenizer
        self._types = bool(
            checkpoint.family.weights and checkpoint.family.weights.token_type_embeddings
        )
        self.inputs = ["input_ids", *(["token_type_ids"] if self._types else [])]
        # By name: a tuple of two without it would be taken for texts and labels.
        self._preprocess = tf.function(lambda texts: preprocessor(x=texts))

    @property
    def name(self) -> str:
        """The classes that answer."""
        return f"{type(self._classifier).__name__}, {type(self._tokenizer).__name__}"

    @property
    def vocabulary(self) -> list[str]:
        """Every piece, in the order of the ids."""
        pieces = list(self._tokenizer.get_vocabulary())
        return sorted(pieces, key=self._tokenizer.token_to_id)

    @property
    def added_tokens(self) -> list[str]:
        """What is one token wherever it stands."""
        return list(getattr(self._tokenizer, "unsplittable_tokens", None) or ())

    def probabilities(self, logits: np.ndarray) -> np.ndarray | None:
        """As the classifier's activation has it; a regression has none."""
        activation = activation_of(self.checkpoint.problem_type)
        return None if activation is None else activation(logits).numpy()

    def encode(self, *texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Texts, or texts and their pairs -> input_ids and, where the class has them, token_type_ids."""
        columns = tuple(tf.constant(list(column)) for column in texts)
        encoded = self._preprocess(columns if len(columns) > 1 else columns[0])
        ids = encoded["token_ids"].numpy()
        # A row ends with its closing token; the mask would also pass over a pad token that the text spells.
        filled = ids != self._tokenizer.pad_token_id
        lengths = ids.shape[1] - np.argmax(filled[:, ::-1], axis=1)
        found = {"input_ids": ids} | (
            {"token_type_ids": encoded["segment_ids"].numpy()} if self._types else {}
        )
        return {
            name: [row[:length].tolist() for row, length in zip(rows, lengths, strict=True)]
            for name, rows in found.items()
        }

    def logits(self, encoded: Mapping[str, Sequence[Sequence[int]]]) -> np.ndarray:
        """Rows of token ids -> float32[batch, classes]."""
        parts = [
            self._forward({name: rows[start : start + _BATCH] for name, rows in encoded.items()})
            for start in range(0, len(encoded["input_ids"]), _BATCH)
        ]
        found: np.ndarray = np.concatenate(parts)
        return found

    def _forward(self, encoded: Mapping[str, Sequence[Sequence[int]]]) -> np.ndarray:
        ids = tf.ragged.constant(encoded["input_ids"], tf.int32)
        inputs = {
            "token_ids": ids.to_tensor(self._tokenizer.pad_token_id),
            "padding_mask": tf.sequence_mask(ids.row_lengths(), dtype=tf.int32),
        }
        if self._types:
            inputs["segment_ids"] = tf.ragged.constant(
                encoded["token_type_ids"], tf.int32
            ).to_tensor(0)
        found: np.ndarray = self._classifier(inputs, training=False).numpy()
        return found
