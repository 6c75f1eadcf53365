"""What every source of weights is turned into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfclf.families import Family
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import TokenizerSpec

# Tokens in a row where nothing sets a limit: what int32 counts.
UNLIMITED = 2**31 - 1


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a text classifier, its weights not yet read.

    Attributes:
      folder: where its files are; of what comes in one file, that.
      config: config.json; what it leaves out is as transformers' class for its model_type has it.
      family: the declaration that answers to its model_type; without weights where only the original engine runs it.
      labels: in the order of the head's outputs.
      problem_type: as transformers reads it; picks the activation.
      max_length: tokens in a row, special tokens included; what its tokenizer and its positions both allow.
      max_positions: tokens in a row that have a position embedding; UNLIMITED where the model has none.
      load_model: builds the original TF class with the checkpoint's weights. Raises CheckpointError, also where the
        checkpoint is of no TF class.
      load_variables: the weights by the names of `family.weights`; None where they are those of the TF class. Raises
        CheckpointError.
      read_tokenizer: the tokenizer, from `folder`. Raises TokenizerError.
      tokenizer_folder: where transformers finds its tokenizer; None: in `folder`.
      load_reference: what `verify` compares with; None where that is `load_model` behind transformers' tokenizer.
    """

    folder: Path
    config: Mapping[str, Any]
    family: Family
    labels: tuple[str, ...]
    problem_type: str
    max_length: int
    max_positions: int
    load_model: Callable[[], Any]
    load_variables: Callable[[], Mapping[str, np.ndarray]] | None = None
    read_tokenizer: Callable[[Path], TokenizerSpec] = read
    tokenizer_folder: Path | None = None
    load_reference: "Callable[[Checkpoint], Any] | None" = None
