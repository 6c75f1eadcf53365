"""KerasHub presets, as `save_to_preset` of a text classifier writes them; read without Keras.

| file | holds |
|-|-|
| config.json | the backbone |
| task.json | the classifier, its preprocessor and tokenizer |
| model.weights.h5, task.weights.h5 | the weights of the backbone and of the head |
| assets/tokenizer/ | the vocabulary |

Reading needs neither KerasHub nor a second Keras beside that of the TF classes, and runs no code
that a config.json names.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfclf.checkpoints import formats
from tfclf.checkpoints.checkpoint import Checkpoint, Reference
from tfclf.checkpoints.files import CONFIG, PRESET_TASK, read_json
from tfclf.checkpoints.kerashub import weights
from tfclf.checkpoints.kerashub.backbones import BACKBONES, Backbone
from tfclf.checkpoints.kerashub.reference import KerasHubReference
from tfclf.errors import CheckpointError, UnknownFamilyError
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from tfclf.tokenization.spec import TokenizerSpec

# KerasHub pads and truncates to this length if the preset states none.
_SEQUENCE_LENGTH = 512
_TRUNCATIONS = ("round_robin", "waterfall")
# KerasHub builds objects from these files; so does the reference of `tfclf verify`.
_SERIALIZED = (CONFIG, PRESET_TASK, "preprocessor.json", "tokenizer.json")
# Python packages whose classes such a file may name.
_KERAS = ("builtins", "keras", "keras_hub", "keras_nlp")
_PROBLEM_TYPES = {"softmax": SINGLE_LABEL, "sigmoid": MULTI_LABEL}


@dataclass(frozen=True, kw_only=True)
class KerasHubCheckpoint(Checkpoint):
    """A KerasHub preset.

    Attributes:
      backbone: the declaration of its class.
      weights_files: each with the scope of its variables.
      tokenizer: the tokenizer's config, from task.json.
      truncation: the way to truncate pairs: "round_robin" or "waterfall".
    """

    backbone: Backbone
    weights_files: tuple[tuple[str, Path], ...]
    tokenizer: dict[str, Any]
    truncation: str

    def load_model(self) -> Any:
        """Refuse: there is no TF class for a preset."""
        raise CheckpointError(
            f"{self.folder} is a KerasHub preset, and the original engine runs Hugging Face TF "
            f"classes only. Use engine='lean', the default."
        )

    def load_weights(self) -> Any:
        """Read the arrays by the names of `family.weights`."""
        return weights.load(self.weights_files, self.family, self.config)

    def read_tokenizer(self) -> TokenizerSpec:
        """Read the tokenizer of the preset's own files."""
        return self.backbone.read_tokenizer(self.tokenizer, self.folder, self.truncation)

    def load_reference(self) -> Reference:
        """Load KerasHub's own classifier; needs the extra `kerashub`."""
        return KerasHubReference(self)


def is_preset(folder: Path) -> bool:
    """Return whether config.json names a KerasHub backbone instead of a model_type."""
    path = folder / CONFIG
    config = read_json(path) if path.is_file() else {}
    return "model_type" not in config and "class_name" in config and "config" in config


def read(folder: Path) -> KerasHubCheckpoint:
    """Read everything but the weights.

    Raises: CheckpointError, UnknownFamilyError, UnknownComponentError.
    """
    formats.refuse_placeholders(folder)
    for name in _SERIALIZED:
        _refuse_own_code(read_json(folder / name, required=False), folder / name)
    described = read_json(folder / CONFIG)
    backbone = _find_backbone(described["class_name"], folder)
    if not isinstance(described["config"], dict):
        raise CheckpointError(
            f"{folder / CONFIG}: config is {described['config']!r}; expected the settings of the "
            f"{backbone.class_name}. Save the preset again."
        )
    task = _read_task(backbone, folder)
    preprocessor, tokenizer = _split_preprocessor(task, folder)
    classes = task.get("num_classes")
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise CheckpointError(
            f"{folder / PRESET_TASK}: num_classes is {classes!r}; expected a whole number above 0."
        )
    config = {
        **described["config"],
        "model_type": backbone.family.model_type,
        "activation": backbone.activation,
        "vocab_size": described["config"].get("vocabulary_size"),
        "num_classes": classes,
        "pooled_dim": task.get("hidden_dim"),
    }
    _check_sizes(config, task, backbone, folder)
    _refuse_quantized(config.get("dtype"), folder / CONFIG)
    positions = int(config[backbone.family.config_keys.positions])
    return KerasHubCheckpoint(
        folder=folder,
        config=config,
        family=backbone.family,
        labels=tuple(f"LABEL_{index}" for index in range(classes)),
        problem_type=_pick_problem_type(task.get("activation"), classes, folder),
        max_length=min(_read_sequence_length(preprocessor, folder), positions),
        max_positions=positions,
        backbone=backbone,
        weights_files=weights.find(folder),
        tokenizer=tokenizer,
        truncation=_read_truncation(preprocessor, folder),
    )


def _refuse_own_code(part: object, path: Path) -> None:
    """Refuse Python code, and classes of other packages, anywhere in a serialized object.

    >>> _refuse_own_code({"module": "keras.layers", "class_name": "Dense"}, Path("task.json"))
    """
    if isinstance(part, dict):
        class_name, module = part.get("class_name"), part.get("module")
        own = isinstance(module, str) and module.partition(".")[0] not in _KERAS
        if class_name in ("Lambda", "__lambda__") or own:
            raise CheckpointError(
                f"{path}: the preset names code of its own ({class_name!r} of {module!r}), which "
                f"tfclf never runs. Expected classes of KerasHub alone; save the preset without "
                f"Lambda layers and without classes of other packages."
            )
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            _refuse_own_code(each, path)


def _find_backbone(class_name: object, folder: Path) -> Backbone:
    if isinstance(class_name, str) and class_name in BACKBONES:
        return BACKBONES[class_name]
    near = difflib.get_close_matches(str(class_name), BACKBONES, n=1)
    did_you_mean = f" Did you mean {near[0]}?" if near else ""
    raise UnknownFamilyError(
        f"{folder / CONFIG}: the KerasHub preset has a {class_name!r}, which is not among the "
        f"backbones that can be loaded.{did_you_mean} Known: {', '.join(sorted(BACKBONES))}."
    )


def _read_task(backbone: Backbone, folder: Path) -> dict[str, Any]:
    path = folder / PRESET_TASK
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is a KerasHub preset without task.json: a {backbone.class_name} alone, "
            f"which cannot classify. Expected the preset of a {backbone.tasks[0]}, written by its "
            f"save_to_preset after fine-tuning."
        )
    described = read_json(path)
    class_name, task = described.get("class_name"), described.get("config")
    if class_name not in backbone.tasks or not isinstance(task, dict):
        raise CheckpointError(
            f"{path}: the preset's task is {class_name!r}; expected {backbone.tasks[0]}. Other "
            f"tasks do not classify text."
        )
    return task


def _split_preprocessor(
    task: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the configs of preprocessor and tokenizer, from task.json as in KerasHub itself."""
    try:
        preprocessor = task["preprocessor"]["config"]
        tokenizer = preprocessor["tokenizer"]["config"]
    except (KeyError, TypeError):
        preprocessor = tokenizer = None
    if not isinstance(tokenizer, dict):
        raise CheckpointError(
            f"{folder / PRESET_TASK}: the classifier was saved without a preprocessor, so its "
            f"tokenizer is unknown. Give it the preprocessor of its training (preprocessor=...) "
            f"and call save_to_preset again."
        )
    return preprocessor, tokenizer


def _read_sequence_length(preprocessor: Mapping[str, Any], folder: Path) -> int:
    length = preprocessor.get("sequence_length")
    if length is None:
        return _SEQUENCE_LENGTH
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise CheckpointError(
            f"{folder / PRESET_TASK}: the preprocessor's sequence_length is {length!r}; expected a "
            f"whole number above 0."
        )
    return length


def _check_sizes(
    config: Mapping[str, Any], task: Mapping[str, Any], backbone: Backbone, folder: Path
) -> None:
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
    if backbone.has_token_types:
        needed.append("num_segments")
    for key in needed:
        size = config.get(key)
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise CheckpointError(
                f"{folder / CONFIG}: {key} is {size!r}; expected a whole number above 0."
            )
    pooled = task.get("hidden_dim")
    if pooled is not None and (isinstance(pooled, bool) or not isinstance(pooled, int)):
        raise CheckpointError(
            f"{folder / PRESET_TASK}: hidden_dim is {pooled!r}; expected a whole number above 0."
        )
    # KerasHub builds the classifier from task.json, and no shape shows the number of heads.
    repeated = task.get("backbone")
    sizes = repeated.get("config") if isinstance(repeated, dict) else None
    if not isinstance(sizes, dict):
        return
    for key in needed:
        if (size := sizes.get(key, config[key])) != config[key]:
            raise CheckpointError(
                f"{folder / CONFIG}: {key} is {config[key]}, and {PRESET_TASK} says {size!r} for "
                f"the same backbone. The files do not belong to one preset; download or save it "
                f"again."
            )


def _refuse_quantized(dtype: object, path: Path) -> None:
    """Refuse the dtype policy of a quantized model, or a map with such a policy for a layer.

    >>> _refuse_quantized({"class_name": "DTypePolicy", "config": {"name": "float16"}}, Path())
    """
    if isinstance(dtype, str):
        # Policies of quantized weights are named like "int8_from_float32".
        if "_from_" in dtype or not dtype.removeprefix("mixed_").startswith(("float", "bfloat")):
            raise _explain_quantized(dtype, path)
    elif isinstance(dtype, dict):
        settings = dtype.get("config")
        settings = settings if isinstance(settings, dict) else {}
        if (mode := settings.get("mode")) is not None:
            raise _explain_quantized(mode, path)
        policies = settings.get("policy_map")
        of_layers = list(policies.values()) if isinstance(policies, dict) else []
        for policy in (settings.get("name"), settings.get("default_policy"), *of_layers):
            _refuse_quantized(policy, path)


def _explain_quantized(mode: object, path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path}: the weights are quantized ({mode!r}). Expected float32, float16 or bfloat16; "
        f"save the preset before it is quantized."
    )


def _pick_problem_type(activation: object, classes: int, folder: Path) -> str:
    """Read it off the head's activation; KerasHub's own loss takes none for a softmax."""
    if activation in (None, "linear"):
        return REGRESSION if classes == 1 else SINGLE_LABEL
    if isinstance(activation, str) and activation in _PROBLEM_TYPES:
        return _PROBLEM_TYPES[activation]
    raise CheckpointError(
        f"{folder / PRESET_TASK}: the classifier's activation is {activation!r}; expected none, "
        f"'linear', 'softmax' or 'sigmoid'."
    )


def _read_truncation(preprocessor: Mapping[str, Any], folder: Path) -> str:
    truncation = preprocessor.get("truncate", _TRUNCATIONS[0])
    if truncation not in _TRUNCATIONS:
        raise CheckpointError(
            f"{folder / PRESET_TASK}: truncate is {truncation!r}; expected "
            f"{' or '.join(_TRUNCATIONS)}."
        )
    return str(truncation)
