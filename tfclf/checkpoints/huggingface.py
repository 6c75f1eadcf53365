"""Hugging Face checkpoint folders: config.json, weights in any format that TF classes load, tokenizer files."""

import contextlib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfclf._transformers import tf_class, transformers
from tfclf.checkpoints import weights
from tfclf.checkpoints.checkpoint import UNLIMITED, Checkpoint
from tfclf.errors import CheckpointError, first_line
from tfclf.families import Family, family_of
from tfclf.files import list_folder, read_json_object
from tfclf.problem_types import REGRESSION, SINGLE_LABEL


def read(folder: Path) -> Checkpoint:
    """Reads everything but the weights.

    Raises: CheckpointError, UnknownFamilyError.
    """
    config = read_json(folder / "config.json")
    family = family_of(config.get("model_type"), source=folder)
    # Sizes that the file leaves out are those of transformers' own class for it.
    complete = transformers().AutoConfig.for_model(family.model_type).to_dict() | config
    _check_num_labels(config, folder / "config.json")
    weights_file = weights.find(folder)
    tokenizer_config = read_json(folder / "tokenizer_config.json", required=False)
    labels = _labels(config, folder / "config.json")
    positions = _rows_that_fit(complete.get(family.config_keys.positions, UNLIMITED), family)
    return Checkpoint(
        folder=folder,
        config=complete,
        family=family,
        labels=labels,
        problem_type=_problem_type(config, labels),
        max_length=_max_length(
            tokenizer_config.get("model_max_length", tokenizer_config.get("max_len")),
            positions,
            folder,
        ),
        max_positions=int(positions) if isinstance(positions, int) else 0,
        load_model=functools.partial(
            _load_model, folder, weights_file, family.tf_class, len(labels)
        ),
    )


def _rows_that_fit(positions: object, family: Family) -> object:
    """XLNet and the like have no positions to run out of, and no such key."""
    return (
        family.usable_positions(positions)
        if isinstance(positions, int) and positions != UNLIMITED
        else positions
    )


def _max_length(limit: object, positions: object, folder: Path) -> int:
    # Tokenizers without a limit carry null, or 1e30 ("very large integer").
    asked = positions if limit is None else limit
    for found in (asked, positions):
        if isinstance(found, bool) or not isinstance(found, int | float) or found < 1:
            raise CheckpointError(
                f"{folder}: rows may hold {found!r} tokens by tokenizer_config.json (model_max_length) or config.json "
                f"(positions); expected a number above 0."
            )
    return int(min(asked, positions))  # type: ignore[call-overload]


def read_json(path: Path, *, required: bool = True) -> dict[str, Any]:
    """A JSON object; {} for a file that is not there and not required. Raises: CheckpointError."""
    try:
        return read_json_object(
            path, error=CheckpointError, again="Copy it again from where the checkpoint came."
        )
    except FileNotFoundError:
        if not required:
            return {}
        raise CheckpointError(
            f"{path.parent} has no {path.name}. Expected the folder of a Hugging Face checkpoint; "
            f"found {list_folder(path.parent)}."
        ) from None


def _check_num_labels(config: Mapping[str, Any], path: Path) -> None:
    stated, named = config.get("num_labels"), config.get("id2label")
    if stated is None:
        return
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        raise CheckpointError(f"{path}: num_labels is {stated!r}; expected a whole number above 0.")
    if isinstance(named, dict) and len(named) != stated:
        raise CheckpointError(
            f"{path}: num_labels is {stated} and id2label names {len(named)}; expected as many. Take num_labels out, "
            f"or correct id2label."
        )


def _labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{index}" for index in range(config.get("num_labels", 2)))
    if not isinstance(named, dict) or not named:
        raise CheckpointError(
            f"{path}: id2label is {named!r}; expected an object of index to label."
        )
    found: dict[int, str] = {}
    for key, label in named.items():
        with contextlib.suppress(ValueError):
            found[int(key)] = str(label)
    if sorted(found) != list(range(len(named))):
        raise CheckpointError(
            f"{path}: id2label has the indices {', '.join(named)}; expected 0 to {len(named) - 1} without gaps."
        )
    labels = tuple(found[index] for index in range(len(found)))
    if len(set(labels)) != len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise CheckpointError(
            f"{path}: id2label names {', '.join(twice)} more than once; expected distinct labels."
        )
    return labels


def _problem_type(config: Mapping[str, Any], labels: tuple[str, ...]) -> str:
    # transformers picks by number of labels where problem_type is absent.
    stated = config.get("problem_type")
    return str(stated) if stated else (REGRESSION if len(labels) == 1 else SINGLE_LABEL)


def _load_model(folder: Path, weights_file: Path, class_name: str, classes: int) -> Any:
    """Builds the original TF class with the folder's weights; every weight must be there."""
    try:
        config = transformers().AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{folder}/config.json: transformers cannot read it: {first_line(error)}. Copy it again from "
            f"where the checkpoint came."
        ) from error
    loaded = weights.load(tf_class(class_name), config, weights_file)
    for name, found, expected in loaded.mismatched:
        if tuple(found) != tuple(expected) and classes in (expected[0], expected[-1]):
            raise CheckpointError(
                f"config.json beside {weights_file} gives {classes} labels, and the head's weight {name} has the shape "
                f"{tuple(found)}, where {classes} labels need {tuple(expected)}. Correct id2label in config.json "
                f"(or num_labels, where it has no id2label)."
            )
    if loaded.mismatched:
        name, found, expected = loaded.mismatched[0]
        raise CheckpointError(
            f"{weights_file}: {name} has the shape {tuple(found)}; config.json asks for {tuple(expected)}. "
            f"The two are not of one checkpoint."
        )
    if loaded.missing:
        raise CheckpointError(
            f"{weights_file} lacks {len(loaded.missing)} of the weights of {class_name}, among them "
            f"{', '.join(sorted(loaded.missing)[:3])}. A model without its fine-tuned head cannot classify; "
            f"expected the checkpoint of a fine-tuned {class_name}."
        )
    return loaded.model
