"""KerasHub presets: what `save_to_preset` of a text classifier writes. Read as files, without Keras.

config.json (the backbone), task.json (the classifier, its preprocessor and tokenizer), model.weights.h5,
task.weights.h5, assets/tokenizer/. Reading them here needs neither KerasHub nor a second Keras beside that of the TF
classes, and runs no code that a config.json names.
"""

import difflib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfclf.checkpoints.checkpoint import Checkpoint
from tfclf.checkpoints.huggingface import read_json
from tfclf.checkpoints.kerashub import weights
from tfclf.checkpoints.kerashub.backbones import BACKBONES, Backbone
from tfclf.checkpoints.kerashub.reference import Reference
from tfclf.errors import CheckpointError, UnknownFamilyError
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from tfclf.tokenization.spec import TokenizerSpec

# What KerasHub pads and cuts to where nothing is said.
_SEQUENCE_LENGTH = 512
_TRUNCATIONS = ("round_robin", "waterfall")
_PROBLEM_TYPES = {"softmax": SINGLE_LABEL, "sigmoid": MULTI_LABEL}


def is_preset(folder: Path) -> bool:
    """Whether config.json names a KerasHub backbone, where a Hugging Face checkpoint has a model_type."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    return "model_type" not in config and "class_name" in config and "config" in config


def read(folder: Path) -> Checkpoint:
    """Reads everything but the weights.

    Raises: CheckpointError, UnknownFamilyError, UnknownComponentError.
    """
    described = read_json(folder / "config.json")
    backbone = _backbone(described["class_name"], folder)
    task = _task(backbone, folder)
    preprocessor, tokenizer = _preprocessor(task, folder)
    classes = task.get("num_classes")
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise CheckpointError(
            f"{folder}/task.json: num_classes is {classes!r}; expected a whole number above 0."
        )
    config = {
        **described["config"],
        "model_type": backbone.family.model_type,
        "activation": backbone.activation,
        "vocab_size": described["config"].get("vocabulary_size"),
        "num_classes": classes,
        "pooled_dim": task.get("hidden_dim"),
    }
    _check_sizes(config, backbone, folder)
    files = weights.find(folder)
    positions = int(config[backbone.family.config_keys.positions])
    return Checkpoint(
        folder=folder,
        config=config,
        family=backbone.family,
        labels=tuple(f"LABEL_{index}" for index in range(classes)),
        problem_type=_problem_type(task.get("activation"), classes, folder),
        max_length=min(int(preprocessor.get("sequence_length") or _SEQUENCE_LENGTH), positions),
        max_positions=positions,
        load_model=functools.partial(_no_original, folder),
        load_variables=functools.partial(weights.load, files, backbone.family, config),
        read_tokenizer=functools.partial(
            _read_tokenizer, backbone, tokenizer, _truncation(preprocessor, folder)
        ),
        load_reference=Reference,
    )


def _backbone(class_name: object, folder: Path) -> Backbone:
    if isinstance(class_name, str) and class_name in BACKBONES:
        return BACKBONES[class_name]
    near = difflib.get_close_matches(str(class_name), BACKBONES, n=1)
    did_you_mean = f" Did you mean {near[0]}?" if near else ""
    raise UnknownFamilyError(
        f"{folder}/config.json: the KerasHub preset has a {class_name!r}, which is not among those that can be "
        f"loaded.{did_you_mean} Known: {', '.join(sorted(BACKBONES))}."
    )


def _task(backbone: Backbone, folder: Path) -> dict[str, Any]:
    path = folder / "task.json"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is a KerasHub preset without task.json: a {backbone.class_name} alone, which cannot classify. "
            f"Expected the preset of a {backbone.tasks[0]}, written by its save_to_preset after fine-tuning."
        )
    described = read_json(path)
    if described.get("class_name") not in backbone.tasks or not isinstance(
        described.get("config"), dict
    ):
        raise CheckpointError(
            f"{path}: the preset's task is {described.get('class_name')!r}; expected {backbone.tasks[0]}. Other tasks "
            f"do not classify text."
        )
    task: dict[str, Any] = described["config"]
    return task


def _preprocessor(task: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Its config and its tokenizer's, from task.json: where KerasHub takes them from, too."""
    try:
        preprocessor = task["preprocessor"]["config"]
        return preprocessor, preprocessor["tokenizer"]["config"]
    except (KeyError, TypeError):
        raise CheckpointError(
            f"{folder}/task.json: the classifier was saved without a preprocessor, so that its tokenizer is unknown. "
            f"Give it the one that it was trained behind (preprocessor=...) and call save_to_preset again."
        ) from None


def _check_sizes(config: Mapping[str, Any], backbone: Backbone, folder: Path) -> None:
    keys, shared = backbone.family.config_keys, backbone.family.shared_layers
    needed = [
        keys.layers,
        keys.heads,
        keys.hidden_size,
        keys.intermediate_size,
        keys.positions,
        "vocabulary_size",
    ]
    needed += [shared.groups, shared.layers_in_group, "embedding_dim"] if shared else []
    needed += (
        ["num_segments"]
        if backbone.family.weights and backbone.family.weights.token_type_embeddings
        else []
    )
    for key in needed:
        found = config.get(key)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            raise CheckpointError(
                f"{folder}/config.json: {key} is {found!r}; expected a whole number above 0."
            )
    dtype = config.get("dtype")
    name = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    if name is not None and not str(name).removeprefix("mixed_").startswith(("float", "bfloat")):
        raise CheckpointError(
            f"{folder}/config.json: the weights are quantized ({name!r}). Expected float32, float16 or bfloat16; save "
            f"the preset before it is quantized."
        )


def _problem_type(activation: object, classes: int, folder: Path) -> str:
    """The head's activation says it; without one the logits are those of a softmax, as in KerasHub's own loss."""
    if activation in (None, "linear"):
        return REGRESSION if classes == 1 else SINGLE_LABEL
    if isinstance(activation, str) and activation in _PROBLEM_TYPES:
        return _PROBLEM_TYPES[activation]
    raise CheckpointError(
        f"{folder}/task.json: the classifier's activation is {activation!r}; expected none, 'linear', 'softmax' or "
        f"'sigmoid'."
    )


def _truncation(preprocessor: Mapping[str, Any], folder: Path) -> str:
    found = preprocessor.get("truncate", _TRUNCATIONS[0])
    if found not in _TRUNCATIONS:
        raise CheckpointError(
            f"{folder}/task.json: truncate is {found!r}; expected {' or '.join(_TRUNCATIONS)}."
        )
    return str(found)


def _read_tokenizer(
    backbone: Backbone, tokenizer: dict[str, Any], truncate: str, folder: Path
) -> TokenizerSpec:
    return backbone.read_tokenizer(tokenizer, folder, truncate)


def _no_original(folder: Path) -> Any:
    raise CheckpointError(
        f"{folder} is a KerasHub preset, and the original engine runs Hugging Face TF classes only. Use engine='lean', "
        f"the default."
    )
