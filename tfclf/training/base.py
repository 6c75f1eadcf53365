"""The checkpoint that training starts from: config, tokenizer and labels; a head is optional."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf._transformers import load_pretrained
from tfclf.checkpoints import formats, weights
from tfclf.checkpoints.files import CONFIG, read_json
from tfclf.errors import CheckpointError, InputError, SourceNotFoundError, TokenizerError
from tfclf.families import family_of
from tfclf.files import hash_file
from tfclf.problem_types import SINGLE_LABEL
from tfclf.tokenization.file_names import TOKENIZER_CONFIG, TOKENIZER_FILES, VOCABULARY_FILES
from tfclf.tokenization.read import load_reference


@dataclass(frozen=True)
class Base:
    """A checkpoint to start from; its weights are not yet read.

    Attributes:
      folder: of its files.
      weights_file: the file to read weights from.
      config: transformers' config, with the labels to train for.
      tokenizer: the reference, the same that an export of the trained checkpoint is read from.
      labels: in the order of the head's outputs.
      max_length: maximum tokens in a row for both tokenizer and positions, special tokens
        included.
    """

    folder: Path
    weights_file: Path
    config: Any
    tokenizer: Any
    labels: tuple[str, ...]
    max_length: int

    def digest(self) -> str:
        """Return the SHA-256 of the weights, in one file or several."""
        return hash_file(*weights.list_parts(self.weights_file))

    def copy_tokenizer(self, folder: Path) -> None:
        """Copy the tokenizer's files unchanged: saving a tokenizer again may change it."""
        for name in TOKENIZER_FILES:
            if (self.folder / name).is_file():
                shutil.copyfile(self.folder / name, folder / name)
        if not (folder / TOKENIZER_CONFIG).is_file():
            # Older checkpoints leave these to model_type, which not every reader knows.
            content = {
                "tokenizer_class": type(self.tokenizer).__name__.removesuffix("Fast"),
                "model_max_length": self.max_length,
            }
            (folder / TOKENIZER_CONFIG).write_text(json.dumps(content, indent=2), encoding="utf-8")


def open_base(folder: str | Path, *, labels: Sequence[str] | None) -> Base:
    """Read everything but the weights.

    Args:
      folder: a Hugging Face checkpoint, fine-tuned or not.
      labels: to train for; None: the checkpoint's own.
    Raises: SourceNotFoundError, CheckpointError; InputError if neither names labels.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceNotFoundError(
            f"{folder} is no folder. Expected a Hugging Face checkpoint to start from: "
            f"config.json, weights (tf_model.h5 or model.safetensors) and tokenizer files."
        )
    content = read_json(folder / CONFIG)
    if "model_type" not in content and "class_name" in content:
        raise CheckpointError(
            f"{folder} is a KerasHub preset ({content['class_name']}), which KerasHub itself "
            f"trains. Expected a Hugging Face checkpoint to start from."
        )
    formats.check(folder, content)
    chosen = _choose_labels(labels, content, folder)
    weights_file = weights.find(folder)
    config, tokenizer = _read(folder, chosen)
    return Base(
        folder=folder,
        weights_file=weights_file,
        config=config,
        tokenizer=tokenizer,
        labels=chosen,
        max_length=int(min(_max_positions(config), tokenizer.model_max_length)),
    )


def _read(folder: Path, labels: Sequence[str]) -> tuple[Any, Any]:
    if not any((folder / name).is_file() for name in VOCABULARY_FILES):
        raise CheckpointError(
            f"{folder} holds no tokenizer: expected one of {', '.join(VOCABULARY_FILES)}. "
            f"Copy the tokenizer's files, too."
        )
    try:
        config = load_pretrained(
            "AutoConfig",
            folder,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
            problem_type=SINGLE_LABEL,
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise CheckpointError(
            f"{folder}: transformers cannot read its config.json: {str(error).strip()[:300]}. "
            f"Copy the checkpoint again, with all of its files."
        ) from error
    try:
        tokenizer = load_reference(folder)
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
    if tokenizer.pad_token_id is None:
        raise CheckpointError(
            f"{folder}: its tokenizer has no padding token, without which rows of different "
            f"lengths cannot share a batch. Expected pad_token in special_tokens_map.json or "
            f"tokenizer_config.json; add it."
        )
    return config, tokenizer


def _max_positions(config: Any) -> float:
    """Return the tokens that the position embeddings allow; infinity if there are none."""
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return float("inf")
    return family_of(config.model_type, source="config.json").usable_positions(positions)


def _choose_labels(
    given: Sequence[str] | None, config: Mapping[str, Any], folder: Path
) -> tuple[str, ...]:
    """Return the labels given, or else the checkpoint's own.

    Unlike a checkpoint to be loaded, a base without labels is an error: LABEL_0 and LABEL_1 would
    be trained for by mistake.

    >>> _choose_labels(None, {"id2label": {"1": "pos", "0": "neg"}}, Path("base"))
    ('neg', 'pos')
    """
    named = config.get("id2label")
    if given is not None:
        labels = tuple(given)
    elif isinstance(named, dict) and all(str(key).isdecimal() for key in named):
        labels = tuple(str(named[key]) for key in sorted(named, key=int))
    else:
        raise InputError(
            f"{folder / 'config.json'} names no labels (id2label). Give the labels to train for, "
            f"in the order of their numbers if the data has numbers, for instance: --labels neg,pos"
        )
    if len(labels) < 2 or len(set(labels)) != len(labels) or not all(labels):
        raise InputError(
            f"Found the labels {', '.join(labels) or 'nothing'}; expected two or more, each once. "
            f"Correct --labels."
        )
    return labels
