"""The checkpoint that training starts from: config, tokenizer and labels; with a head or without."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf._transformers import transformers
from tfclf.checkpoints import weights
from tfclf.checkpoints.files import CONFIG, read_json
from tfclf.errors import CheckpointError, InputError, SourceNotFoundError
from tfclf.families import family_of
from tfclf.problem_types import SINGLE_LABEL
from tfclf.tokenization.file_names import (
    TOKENIZER_CONFIG,
    TOKENIZER_FILES,
    TOKENIZER_JSON,
    VOCABULARY_FILES,
)


@dataclass(frozen=True)
class Base:
    """A checkpoint to start from, its weights not yet read.

    Attributes:
      folder: where its files are.
      weights_file: the one that is read.
      config: transformers' config, with the labels to train for.
      tokenizer: the reference: tokenizer.json where there is one, else the slow tokenizer of the older files.
      labels: in the order of the head's outputs.
      max_length: tokens in a row that both tokenizer and positions allow, special tokens included.
    """

    folder: Path
    weights_file: Path
    config: Any
    tokenizer: Any
    labels: tuple[str, ...]
    max_length: int

    def digest(self) -> str:
        """SHA-256 of the weights, in one file or several."""
        sha256 = hashlib.sha256()
        for path in weights.list_parts(self.weights_file):
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    sha256.update(part)
        return sha256.hexdigest()

    def copy_tokenizer(self, folder: Path) -> None:
        """Copies the tokenizer's files as they are: a tokenizer saved anew may come out another."""
        for name in TOKENIZER_FILES:
            if (self.folder / name).is_file():
                shutil.copyfile(self.folder / name, folder / name)
        if not (folder / TOKENIZER_CONFIG).is_file():
            # What an older checkpoint leaves to its model_type, which not every reader knows.
            content = {
                "tokenizer_class": type(self.tokenizer).__name__.removesuffix("Fast"),
                "model_max_length": self.max_length,
            }
            (folder / TOKENIZER_CONFIG).write_text(json.dumps(content, indent=2), encoding="utf-8")


def open_base(folder: str | Path, *, labels: Sequence[str] | None) -> Base:
    """Reads all but the weights.

    Args:
      folder: a Hugging Face checkpoint, fine-tuned or not.
      labels: to train for; None: the checkpoint's own.
    Raises: SourceNotFoundError, CheckpointError; InputError where neither names labels.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceNotFoundError(
            f"{folder} is no folder. Expected a Hugging Face checkpoint to start from: config.json, weights "
            f"(tf_model.h5 or model.safetensors) and tokenizer files."
        )
    found_labels = _labels(labels, read_json(folder / CONFIG), folder)
    weights_file = weights.find(folder)
    config, tokenizer = _read(folder, found_labels)
    return Base(
        folder=folder,
        weights_file=weights_file,
        config=config,
        tokenizer=tokenizer,
        labels=found_labels,
        max_length=int(min(_positions(config), tokenizer.model_max_length)),
    )


def _read(folder: Path, labels: Sequence[str]) -> tuple[Any, Any]:
    package = transformers()
    if not any((folder / name).is_file() for name in VOCABULARY_FILES):
        raise CheckpointError(
            f"{folder} holds no tokenizer: expected one of {', '.join(VOCABULARY_FILES)}. Copy them, too."
        )
    try:
        config = package.AutoConfig.from_pretrained(
            folder,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
            problem_type=SINGLE_LABEL,
        )
        # A slow tokenizer is not converted on the fly: for ALBERT, transformers 4.57 gets that wrong.
        fast = (folder / TOKENIZER_JSON).is_file()
        tokenizer = package.AutoTokenizer.from_pretrained(folder, use_fast=fast)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise CheckpointError(
            f"{folder}: transformers cannot read its config.json or its tokenizer: "
            f"{str(error).strip()[:300]}. Copy the checkpoint again, with all of its tokenizer files."
        ) from error
    if tokenizer.pad_token_id is None:
        raise CheckpointError(
            f"{folder}: its tokenizer has no padding token, without which rows of different lengths cannot "
            f"share a batch. Expected pad_token in special_tokens_map.json or tokenizer_config.json; add it."
        )
    return config, tokenizer


def _positions(config: Any) -> float:
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return float("inf")
    return family_of(config.model_type, source="config.json").rows_of(positions)


def _labels(
    asked: Sequence[str] | None, config: Mapping[str, Any], folder: Path
) -> tuple[str, ...]:
    named = config.get("id2label")
    if asked is not None:
        labels = tuple(asked)
    elif isinstance(named, dict) and all(str(key).isdecimal() for key in named):
        labels = tuple(str(named[key]) for key in sorted(named, key=int))
    else:
        raise InputError(
            f"{folder / 'config.json'} names no labels (id2label). Say what to train for, in the order in "
            f"which the data numbers them if it has numbers, for instance: --labels neg,pos"
        )
    if len(labels) < 2 or len(set(labels)) != len(labels) or not all(labels):
        raise InputError(
            f"Found the labels {', '.join(labels) or 'nothing'}; expected two or more, each once. Correct --labels."
        )
    return labels
