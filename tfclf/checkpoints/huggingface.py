"""Hugging Face checkpoint folders: config.json, weights in any format that TF classes load, tokenizer files."""

import contextlib
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfclf._transformers import tf_class, transformers
from tfclf.checkpoints.record import Checkpoint
from tfclf.errors import CheckpointError, MissingExtraError
from tfclf.families import Family, family_of
from tfclf.folders import listing

_TENSORFLOW_FILES = ("tf_model.h5", "tf_model.h5.index.json")
_SAFETENSORS_FILES = ("model.safetensors", "model.safetensors.index.json")
# Among them AssertionError, KeyError and TypeError: how the TF classes refuse sizes that make no sense.
_LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    AttributeError,
    AssertionError,
    TypeError,
)
_TORCH_FILES = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def read(folder: Path) -> Checkpoint:
    """Reads everything but the weights.

    Raises: CheckpointError, UnknownFamilyError.
    """
    config = read_json(folder / "config.json")
    family = family_of(config.get("model_type"), source=folder)
    # Sizes that the file leaves out are those of transformers' own class for it.
    complete = transformers().AutoConfig.for_model(family.model_type).to_dict() | config
    weights_file = _weights_file(folder)
    tokenizer_config = read_json(folder / "tokenizer_config.json", required=False)
    labels = _labels(config, folder / "config.json")
    positions = _rows_that_fit(complete.get(family.config_keys.positions), family)
    return Checkpoint(
        folder=folder,
        config=complete,
        family=family,
        labels=labels,
        problem_type=_problem_type(config, labels),
        max_length=_max_length(
            tokenizer_config.get("model_max_length", tokenizer_config.get("max_len")), positions, folder
        ),
        max_positions=int(positions) if isinstance(positions, int) else 0,
        load_model=functools.partial(_load_model, folder, weights_file, family.tf_class, len(labels)),
    )


def _rows_that_fit(positions: object, family: Family) -> object:
    return family.rows_of(positions) if isinstance(positions, int) else positions


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise CheckpointError(
            f"{path.parent} has no {path.name}. Expected the folder of a Hugging Face checkpoint; "
            f"found {listing(path.parent)}."
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON ({error}). Copy it again from where the checkpoint came.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a JSON {type(content).__name__}; expected an object.")
    return content


def _weights_file(folder: Path) -> Path:
    for name in (*_TENSORFLOW_FILES, *_SAFETENSORS_FILES, *_TORCH_FILES):
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(
        f"{folder} holds no weights: found {listing(folder)}; expected one of "
        f"{', '.join((*_TENSORFLOW_FILES, *_SAFETENSORS_FILES, *_TORCH_FILES))}. "
        f"Download the checkpoint again with its weights."
    )


def _labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{index}" for index in range(config.get("num_labels", 2)))
    if not isinstance(named, dict) or not named:
        raise CheckpointError(f"{path}: id2label is {named!r}; expected an object of index to label.")
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
        raise CheckpointError(f"{path}: id2label names {', '.join(twice)} more than once; expected distinct labels.")
    return labels


def _problem_type(config: Mapping[str, Any], labels: tuple[str, ...]) -> str:
    # transformers picks by number of labels where problem_type is absent.
    stated = config.get("problem_type")
    return str(stated) if stated else ("regression" if len(labels) == 1 else "single_label_classification")


def _load_model(folder: Path, weights_file: Path, class_name: str, classes: int) -> Any:
    """Builds the original TF class with the folder's weights; every weight must be there."""
    original = tf_class(class_name)
    try:
        if weights_file.name in _TENSORFLOW_FILES:
            model, report = original.from_pretrained(
                folder, output_loading_info=True, ignore_mismatched_sizes=True, use_safetensors=False
            )
        else:
            model, report = _load_torch_weights(original, folder, weights_file)
    except _LOAD_ERRORS as error:
        if weights_file.suffix == ".h5":
            with contextlib.suppress(*_LOAD_ERRORS):
                # One missing variable fails the whole load with a message that names none.
                built = original(original.config_class.from_pretrained(folder))
                built.build_in_name_scope()
                _check_complete([], _missing_in_h5(built, weights_file), weights_file, class_name, classes)
        raise CheckpointError(
            f"{weights_file} ({weights_file.stat().st_size:,} bytes) cannot be read as weights of {class_name} "
            f"with the sizes of config.json beside it: {_first_line(error)}. The file may be cut short, or the two "
            f"are not of one checkpoint; download both again."
        ) from error
    missing = report.get("missing_keys") or []
    if weights_file.suffix == ".h5":
        missing = _missing_in_h5(model, weights_file)
    _check_complete(report.get("mismatched_keys") or [], missing, weights_file, class_name, classes)
    return model


def _missing_in_h5(model: Any, weights_file: Path) -> list[str]:
    """Transformers reports whole layers only, dropout among them; this compares variable by variable."""
    import h5py

    stored: set[str] = set()
    with h5py.File(weights_file) as file:
        file.visititems(lambda name, item: stored.add(_scope_free(name, 2)) if hasattr(item, "shape") else None)
    return [name for weight in model.weights if (name := _scope_free(weight.name, 1)) not in stored]


def _scope_free(name: str, scopes: int) -> str:
    return "/".join(name.split("/")[scopes:])


def _load_torch_weights(original: Any, folder: Path, weights_file: Path) -> tuple[Any, Mapping[str, Any]]:
    """PyTorch-format files, without torch.

    transformers 4.54 to 4.57.6 cannot do it by themselves: `from_pretrained` of a TF class fails with
    "'builtins.safe_open' object is not iterable".
    """
    if weights_file.name in _TORCH_FILES:
        raise CheckpointError(
            f"{weights_file} is a pickle that only torch can read, and torch is not used here. Expected "
            f"tf_model.h5 or model.safetensors. Where torch is installed, save the checkpoint again with "
            f"AutoModelForSequenceClassification.from_pretrained(...).save_pretrained(..., safe_serialization=True)."
        )
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtraError("safetensors", extra="checkpoints", purpose="reading a checkpoint") from error
    package = transformers()
    files = [weights_file]
    if weights_file.name.endswith(".index.json"):
        names = sorted(set(read_json(weights_file)["weight_map"].values()))
        files = [folder / name for name in names]
    state: dict[str, Any] = {}
    for file in files:
        if not file.is_file():
            raise CheckpointError(f"{weights_file} lists {file.name}, which is not in {folder}. Download it too.")
        try:
            state |= load_file(file)
        except Exception as error:  # safetensors_rust.SafetensorError derives from Exception alone
            raise CheckpointError(
                f"{file} ({file.stat().st_size:,} bytes) is not a whole safetensors file: {_first_line(error)}. "
                f"Download it again."
            ) from error
    if _is_tensorflow_format(files[0]):
        loaded: tuple[Any, Mapping[str, Any]] = original.from_pretrained(
            folder, output_loading_info=True, ignore_mismatched_sizes=True, use_safetensors=True
        )
        return loaded
    model = original(original.config_class.from_pretrained(folder))
    model.build_in_name_scope()
    model, report = package.modeling_tf_pytorch_utils.load_pytorch_state_dict_in_tf2_model(
        model,
        state,
        tf_inputs=False,
        allow_missing_keys=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    return model, report


def _is_tensorflow_format(file: Path) -> bool:
    from safetensors import safe_open

    with safe_open(file, framework="np") as opened:
        return (opened.metadata() or {}).get("format") == "tf"


def _check_complete(
    mismatched: Sequence[tuple[str, Any, Any]],
    missing: Sequence[str],
    weights_file: Path,
    class_name: str,
    classes: int,
) -> None:
    for name, found, expected in mismatched:
        if tuple(found) != tuple(expected) and classes in (expected[0], expected[-1]):
            raise CheckpointError(
                f"config.json beside {weights_file} gives {classes} labels, and the head's weight {name} has the shape "
                f"{tuple(found)}, where {classes} labels need {tuple(expected)}. Correct id2label in config.json."
            )
    if mismatched:
        name, found, expected = mismatched[0]
        raise CheckpointError(
            f"{weights_file}: {name} has the shape {tuple(found)}; config.json asks for {tuple(expected)}. "
            f"The two are not of one checkpoint."
        )
    if missing:
        raise CheckpointError(
            f"{weights_file} lacks {len(missing)} of the weights of {class_name}, among them "
            f"{', '.join(sorted(missing)[:3])}. A model without its fine-tuned head cannot classify; "
            f"expected the checkpoint of a fine-tuned {class_name}."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
