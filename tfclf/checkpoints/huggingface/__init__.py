"""Hugging Face checkpoint folders: config.json, weights that a TF class loads, tokenizer files."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf._transformers import load_pretrained, tf_class, transformers
from tfclf.checkpoints import formats, weights
from tfclf.checkpoints.checkpoint import UNLIMITED, Checkpoint, Reference
from tfclf.checkpoints.files import CONFIG, read_json
from tfclf.checkpoints.huggingface.reference import TransformersReference
from tfclf.errors import CheckpointError, first_line
from tfclf.families import Family, family_of
from tfclf.problem_types import REGRESSION, SINGLE_LABEL
from tfclf.tokenization.file_names import TOKENIZER_CONFIG
from tfclf.tokenization.read import read as read_tokenizer
from tfclf.tokenization.spec import TokenizerSpec


@dataclass(frozen=True, kw_only=True)
class HuggingFaceCheckpoint(Checkpoint):
    """A checkpoint as `save_pretrained` of transformers writes it.

    Attributes:
      weights_file: the file that is read, or the index of its shards.
    """

    weights_file: Path

    def load_model(self) -> Any:
        """Build the original TF class with the folder's weights; every weight must be there."""
        loaded = weights.load(
            tf_class(self.family.tf_class), _read_config(self.folder), self.weights_file
        )
        _check_complete(loaded, self)
        return loaded.model

    def read_tokenizer(self) -> TokenizerSpec:
        """Read the tokenizer beside the weights. Raises: TokenizerError."""
        return read_tokenizer(self.folder)

    def load_reference(self) -> Reference:
        """Load the TF class and the tokenizer, each by its own library's `from_pretrained`."""
        return TransformersReference(self, self._load_original(), self.folder)

    def _load_original(self) -> Any:
        """Load the TF class without our code, which a proof must not rely on."""
        # Our own loading comes first, because it refuses an incomplete file; transformers would
        # fill the gaps with random numbers.
        model = self.load_model()
        if not weights.is_read_by_transformers(self.folder):
            return model
        del model
        return weights.load_original(self.folder)


def read(folder: Path) -> HuggingFaceCheckpoint:
    """Read everything but the weights.

    Raises: CheckpointError, UnknownFamilyError.
    """
    if not (folder / CONFIG).is_file():
        for name in formats.list_foreign_files(folder):
            raise CheckpointError(str(formats.describe_file(folder / name)))
    config = read_json(folder / CONFIG)
    formats.check(folder, config)
    family = family_of(config.get("model_type"), source=folder)
    complete = _complete_config(config, family.model_type)
    _check_num_labels(config, folder / CONFIG)
    weights_file = weights.find(folder)
    tokenizer_config = read_json(folder / TOKENIZER_CONFIG, required=False)
    labels = _read_labels(config, folder / CONFIG)
    positions = _count_positions(complete.get(family.config_keys.positions, UNLIMITED), family)
    stated_length = tokenizer_config.get("model_max_length", tokenizer_config.get("max_len"))
    return HuggingFaceCheckpoint(
        folder=folder,
        config=complete,
        family=family,
        labels=labels,
        problem_type=_pick_problem_type(config, labels),
        max_length=_limit_length(stated_length, positions, folder),
        max_positions=int(positions) if isinstance(positions, int) else 0,
        weights_file=weights_file,
    )


def _complete_config(config: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """Return config.json, completed by the defaults of transformers' class, under its names.

    A class knows some sizes by a second name, as DistilBERT knows `n_heads` as
    `num_attention_heads`. If config.json has both, the class takes the second one.

    >>> config = _complete_config({"num_attention_heads": 4, "n_heads": 2}, "distilbert")
    >>> config["n_heads"], config["n_layers"]
    (4, 6)
    """
    package = transformers()
    names: Mapping[str, str] = package.CONFIG_MAPPING[model_type].attribute_map
    seconds = {names[name]: value for name, value in config.items() if name in names}
    return {**package.AutoConfig.for_model(model_type).to_dict(), **config, **seconds}


def _count_positions(positions: object, family: Family) -> object:
    """Return how many tokens have a position; XLNet and the like have no such limit, and no key."""
    if isinstance(positions, int) and positions != UNLIMITED:
        return family.usable_positions(positions)
    return positions


def _limit_length(stated: object, positions: object, folder: Path) -> int:
    # Tokenizers without a limit carry null, or 1e30 ("very large integer").
    limit = positions if stated is None else stated
    for number in (limit, positions):
        # Not "number < 1", which NaN is not either.
        if isinstance(number, bool) or not isinstance(number, int | float) or not number >= 1:
            raise CheckpointError(
                f"{folder}: the longest row has {number!r} tokens by tokenizer_config.json "
                f"(model_max_length) or config.json (positions); expected a number above 0."
            )
    return int(min(limit, positions))  # type: ignore[call-overload]


def _check_num_labels(config: Mapping[str, Any], path: Path) -> None:
    count, names = config.get("num_labels"), config.get("id2label")
    if count is None:
        return
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise CheckpointError(f"{path}: num_labels is {count!r}; expected a whole number above 0.")
    if isinstance(names, dict) and len(names) != count:
        raise CheckpointError(
            f"{path}: num_labels is {count}, but id2label names {len(names)} labels; expected as "
            f"many. Remove num_labels, or correct id2label."
        )


def _read_labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = config.get("id2label")
    if names is None:
        return tuple(f"LABEL_{index}" for index in range(config.get("num_labels", 2)))
    if not isinstance(names, dict) or not names:
        raise CheckpointError(
            f"{path}: id2label is {names!r}; expected an object of index to label."
        )
    by_index: dict[int, str] = {}
    for key, label in names.items():
        if label in (None, "") or isinstance(label, list | dict):
            raise CheckpointError(
                f"{path}: id2label names {label!r} for the index {key}; expected a label's name."
            )
        with contextlib.suppress(ValueError):
            by_index[int(key)] = str(label)
    if sorted(by_index) != list(range(len(names))):
        raise CheckpointError(
            f"{path}: id2label has the indices {', '.join(names)}; expected 0 to {len(names) - 1} "
            f"without gaps."
        )
    labels = tuple(by_index[index] for index in range(len(by_index)))
    if len(set(labels)) != len(labels):
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        raise CheckpointError(
            f"{path}: id2label names {', '.join(repeated)} more than once; expected distinct "
            f"labels."
        )
    _check_label2id(config.get("label2id"), labels, path)
    return labels


def _check_label2id(numbers: object, labels: tuple[str, ...], path: Path) -> None:
    """Refuse a label2id that numbers the same labels otherwise; other names there say nothing."""
    if not isinstance(numbers, dict) or set(numbers) != set(labels):
        return
    for index, label in enumerate(labels):
        if str(numbers[label]) != str(index):
            raise CheckpointError(
                f"{path}: id2label names {label!r} for the index {index}, and label2id gives it "
                f"{numbers[label]!r}. Expected one order, that of training; correct the other."
            )


def _pick_problem_type(config: Mapping[str, Any], labels: tuple[str, ...]) -> str:
    # Without problem_type, transformers decides by the number of labels.
    stated = config.get("problem_type")
    if stated:
        return str(stated)
    return REGRESSION if len(labels) == 1 else SINGLE_LABEL


def _read_config(folder: Path) -> Any:
    try:
        return load_pretrained("AutoConfig", folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{folder / CONFIG}: transformers cannot read it: {first_line(error)}. Copy it again "
            f"from where the checkpoint came."
        ) from error


def _check_complete(loaded: weights.Loaded, checkpoint: HuggingFaceCheckpoint) -> None:
    """Raise CheckpointError if a weight is missing, or its shape differs from config.json."""
    file, classes = checkpoint.weights_file, len(checkpoint.labels)
    for name, found, expected in loaded.mismatched:
        # A first or last dimension of the number of labels: this is the head.
        if tuple(found) != tuple(expected) and classes in (expected[0], expected[-1]):
            raise CheckpointError(
                f"config.json beside {file} gives {classes} labels, and the head's weight {name} "
                f"has the shape {tuple(found)}; {classes} labels need {tuple(expected)}. Correct "
                f"id2label in config.json (or num_labels, if it has no id2label)."
            )
    if loaded.mismatched:
        name, found, expected = loaded.mismatched[0]
        raise CheckpointError(
            f"{file}: {name} has the shape {tuple(found)}; config.json asks for {tuple(expected)}. "
            f"The two do not belong to one checkpoint."
        )
    if loaded.missing:
        class_name = checkpoint.family.tf_class
        raise CheckpointError(
            f"{file} lacks {len(loaded.missing)} of the weights of {class_name}, among them "
            f"{', '.join(sorted(loaded.missing)[:3])}. A model without its fine-tuned head cannot "
            f"classify; expected the checkpoint of a fine-tuned {class_name}."
        )
    if loaded.unexpected:
        raise CheckpointError(
            f"{file} holds {len(loaded.unexpected)} weights that {checkpoint.family.tf_class} has "
            f"no place for, among them {', '.join(loaded.unexpected[:3])}: without them it would "
            f"answer differently from the model that was trained. Expected the checkpoint of a "
            f"{checkpoint.family.tf_class}; convert it to one, or take these weights out of the "
            f"file if the trained model did not use them."
        )
