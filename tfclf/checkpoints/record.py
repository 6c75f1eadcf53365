"""What every source of weights is turned into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.families import Family


@dataclass(frozen=True)
class Checkpoint:
    """A `TF*ForSequenceClassification` checkpoint, its weights not yet read.

    Attributes:
      folder: where its files are.
      config: config.json; what it leaves out is as transformers' class for its model_type has it.
      family: the declaration that answers to its model_type.
      labels: in the order of the head's outputs.
      problem_type: as transformers reads it; picks the activation.
      max_length: tokens in a row, special tokens included; what its tokenizer and its positions both allow.
      max_positions: tokens in a row that have a position embedding.
      load_model: builds the original TF class with the checkpoint's weights. Raises CheckpointError.
    """

    folder: Path
    config: Mapping[str, Any]
    family: Family
    labels: tuple[str, ...]
    problem_type: str
    max_length: int
    max_positions: int
    load_model: Callable[[], Any]
