"""A checkpoint of a text classifier, and the reference that its exports are verified against.

Each format of weights implements both: `huggingface`, `kerashub`, `spark_nlp`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfclf.families import Family
from tfclf.tokenization.spec import TokenizerSpec

# Tokens in a row if nothing sets a limit: the largest int32.
UNLIMITED = 2**31 - 1


class Reference(Protocol):
    """The original tokenizer and model of a checkpoint, as training ran them.

    Attributes:
      packages: names of the Python packages that compute it; a certificate states their versions.
      inputs: names of the model's inputs, without the attention mask; `input_ids` comes first.
    """

    packages: tuple[str, ...]
    inputs: list[str]

    @property
    def name(self) -> str:
        """The classes of the model and the tokenizer."""

    @property
    def vocabulary(self) -> list[str]:
        """Every piece, in the order of the ids."""

    @property
    def added_tokens(self) -> list[str]:
        """The tokens that are cut out of a text before it is tokenized."""

    def encode(self, *texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """Tokenize texts, or texts and their pairs; truncated, special tokens included.

        Returns: rows of numbers for each of `inputs`.
        """

    def logits(self, encoded: Mapping[str, Sequence[Sequence[int]]]) -> np.ndarray:
        """Run the model on rows of token ids -> float32[batch, classes]."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint(ABC):
    """A checkpoint of a text classifier, its weights not yet read.

    Attributes:
      folder: the folder of its files, or the file that holds them all.
      config: config.json, completed with the defaults of transformers' class for its model_type.
      family: the declaration for its model_type; without weights if only the original engine
        runs it.
      labels: in the order of the head's outputs.
      problem_type: as transformers reads it; picks the activation.
      max_length: tokens in a row, special tokens included, that both its tokenizer and its
        positions allow.
      max_positions: tokens in a row that have a position embedding; UNLIMITED if the model has no
        such embeddings.
    """

    folder: Path
    config: Mapping[str, Any]
    family: Family
    labels: tuple[str, ...]
    problem_type: str
    max_length: int
    max_positions: int

    @abstractmethod
    def load_model(self) -> Any:
        """Build the original TF class with the checkpoint's weights.

        Raises: CheckpointError, also if no TF class has these weights.
        """

    def load_weights(self) -> Any:
        """Read the weights for the lean engine.

        Returns: the TF class, or arrays by the names of `family.weights`.
        Raises: CheckpointError.
        """
        return self.load_model()

    @abstractmethod
    def read_tokenizer(self) -> TokenizerSpec:
        """Read the tokenizer. Raises: TokenizerError."""

    @abstractmethod
    def load_reference(self) -> Reference:
        """Load the original tokenizer and model.

        Raises: CheckpointError, TokenizerError; MissingExtraError if their package is missing.
        """
