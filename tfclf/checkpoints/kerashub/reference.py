"""The original of a preset: KerasHub's own classifier and preprocessor."""

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.errors import MissingExtraError

_BATCH = 16


def keras_hub() -> Any:
    """Import KerasHub, on TensorFlow. Raises: MissingExtraError if it is not installed."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras_hub as package
    except ImportError as error:
        raise MissingExtraError(
            "keras-hub", extra="kerashub", purpose="running a KerasHub preset's original"
        ) from error
    return package


class KerasHubReference:
    """A preset run as `fit` and `predict` run it, its preprocessor inside a tf.function.

    A `checkpoint.Reference`. The classifier itself runs eagerly, from the weights that
    `from_preset` loads.
    """

    packages: tuple[str, ...] = ("keras", "keras-hub", "tensorflow-text")

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._classifier = keras_hub().models.TextClassifier.from_preset(str(checkpoint.folder))
        # The head's own activation comes off: logits are compared.
        self._classifier.output_dense.activation = lambda logits: logits
        preprocessor = self._classifier.preprocessor
        self._tokenizer = preprocessor.tokenizer
        self._types = bool(
            checkpoint.family.weights and checkpoint.family.weights.token_type_embeddings
        )
        self.inputs = ["input_ids", *(["token_type_ids"] if self._types else [])]
        # By name: a tuple of two without it would be read as texts and labels.
        self._preprocess = tf.function(lambda texts: preprocessor(x=texts))

    @property
    def name(self) -> str:
        """The classes of the model and the tokenizer."""
        return f"{type(self._classifier).__name__}, {type(self._tokenizer).__name__}"

    @property
    def vocabulary(self) -> list[str]:
        """Every piece, in the order of the ids."""
        pieces = list(self._tokenizer.get_vocabulary())
        return sorted(pieces, key=self._tokenizer.token_to_id)

    @property
    def added_tokens(self) -> list[str]:
        """The tokens that are cut out of a text before it is tokenized."""
        return list(getattr(self._tokenizer, "unsplittable_tokens", None) or ())

    def encode(self, *texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Tokenize texts, or texts and their pairs; truncated, special tokens included."""
        columns = tuple(tf.constant(list(column)) for column in texts)
        encoded = self._preprocess(columns if len(columns) > 1 else columns[0])
        ids = encoded["token_ids"].numpy()
        # Padding ends a row, so its length is the place of the last other token. Counting the mask
        # would also drop a pad token that the text itself spells:
        # ids [[1, 0, 7, 0, 0]] with pad 0, reversed [[0, 0, 7, 0, 1]]: argmax 2, length 5 - 2 = 3.
        is_token = ids != self._tokenizer.pad_token_id
        lengths = ids.shape[1] - np.argmax(is_token[:, ::-1], axis=1)
        padded = {"input_ids": ids}
        if self._types:
            padded["token_type_ids"] = encoded["segment_ids"].numpy()
        return {
            name: [row[:length].tolist() for row, length in zip(rows, lengths, strict=True)]
            for name, rows in padded.items()
        }

    def logits(self, encoded: Mapping[str, Sequence[Sequence[int]]]) -> np.ndarray:
        """Run the model on rows of token ids -> float32[batch, classes]."""
        batches = [
            self._forward({name: rows[start : start + _BATCH] for name, rows in encoded.items()})
            for start in range(0, len(encoded["input_ids"]), _BATCH)
        ]
        logits: np.ndarray = np.concatenate(batches)
        return logits

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
        with warnings.catch_warnings():
            # Keras takes attention over a single token for a mistake.
            warnings.filterwarnings("ignore", message=r"(?s).*softmax over axis")
            logits: np.ndarray = self._classifier(inputs, training=False).numpy()
        return logits
