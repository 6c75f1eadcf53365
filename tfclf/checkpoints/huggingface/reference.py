"""The original of a Hugging Face checkpoint: its own tokenizer and its TF class, run eagerly."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfclf._transformers import takes_token_types
from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.tokenization.read import load_reference

_BATCH = 16


class TransformersReference:
    """The TF class behind the tokenizer of transformers; a `checkpoint.Reference`.

    Nothing is traced. Tracing with unknown shapes, and Grappler, can change what a class computes.
    The original engine is traced that way, and a traced reference would share its faults.

    Args:
      checkpoint: gives the labels and limits.
      model: the TF class with its weights, as its own library loads it if that is possible.
      tokenizer_folder: the folder that transformers reads the tokenizer from.
    """

    packages: tuple[str, ...] = ("transformers", "tokenizers")

    def __init__(self, checkpoint: Checkpoint, model: Any, tokenizer_folder: Path) -> None:
        self._classes = len(checkpoint.labels)
        self._tokenizer = load_reference(tokenizer_folder)
        self._model = model
        self._tokenizer.padding_side = checkpoint.family.padding_side(self._tokenizer.padding_side)
        # Token types reach the model only if both its class and its tokenizer know them.
        known = {"input_ids"} | ({"token_type_ids"} if takes_token_types(self._model) else set())
        self.inputs = [name for name in self._tokenizer.model_input_names if name in known]
        self._limit = int(min(self._tokenizer.model_max_length, checkpoint.max_positions))

    @property
    def name(self) -> str:
        """The classes of the model and the tokenizer."""
        return f"{type(self._model).__name__}, {type(self._tokenizer).__name__}"

    @property
    def vocabulary(self) -> list[str]:
        """Every piece, in the order of the ids; added tokens included."""
        ids: dict[str, int] = self._tokenizer.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    @property
    def added_tokens(self) -> list[str]:
        """The tokens that are cut out of a text before it is tokenized."""
        return [str(token) for token in self._tokenizer.added_tokens_decoder.values()]

    def encode(self, *texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Tokenize texts, or texts and their pairs; truncated, special tokens included."""
        columns = [list(column) for column in texts]
        encoded: Mapping[str, Any] = self._tokenizer(
            *columns, truncation=True, max_length=self._limit
        )
        return {name: encoded[name] for name in self.inputs}

    def logits(self, encoded: Mapping[str, Sequence[Sequence[int]]]) -> np.ndarray:
        """Run the model on rows of token ids -> float32[batch, classes], in the order given.

        Rows of similar length share a batch, so that padding stays short.
        """
        rows = encoded["input_ids"]
        logits = np.zeros((len(rows), self._classes), np.float32)
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(rows), _BATCH):
            batch = order[start : start + _BATCH]
            columns = {name: [column[index] for index in batch] for name, column in encoded.items()}
            padded = self._tokenizer.pad(columns, return_attention_mask=True, return_tensors="np")
            inputs = {name: tf.constant(ids, tf.int32) for name, ids in padded.items()}
            logits[batch] = self._model(inputs, training=False, return_dict=True).logits.numpy()
        return logits
