"""Weights into the original TF class: all of the encoder must be there, a missing head is made anew."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfclf._transformers import transformers
from tfclf.errors import CheckpointError, MissingExtraError
from tfclf.training.base import TENSORFLOW_WEIGHTS, Base


def build(base: Base) -> Any:
    """The original TF class with the base's weights; a head that is missing or of another size is new.

    Raises: CheckpointError where the file cannot be read, or lacks weights of the encoder.
    """
    original = _class(base.config, base.folder)
    file = base.weights_file
    try:
        if file.name == TENSORFLOW_WEIGHTS:
            model = original.from_pretrained(
                base.folder, config=base.config, ignore_mismatched_sizes=True, use_safetensors=False
            )
            missing = _missing_in_h5(model, file)
        else:
            model, missing = _from_safetensors(original, base.config, file)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, AttributeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) cannot be read as weights of "
            f"{original.__name__}: {said}. It may be cut short, or of another model; copy it again."
        ) from error
    _check_encoder(model, missing, file)
    return model


def load_trained(folder: Path) -> Any:
    """The TF class out of a folder that training wrote."""
    config = transformers().AutoConfig.from_pretrained(folder)
    return _class(config, folder).from_pretrained(folder, config=config, use_safetensors=False)


def _class(config: Any, folder: Path) -> Any:
    package = transformers()
    mapping = package.TF_MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    if type(config) not in mapping:
        raise CheckpointError(
            f"{folder} has model_type {config.model_type!r}, which has no TF class for sequence "
            f"classification in transformers {package.__version__}. Start from another checkpoint."
        )
    return mapping[type(config)]


def _missing_in_h5(model: Any, file: Path) -> list[str]:
    """Variable by variable: transformers' own report knows whole layers only."""
    import h5py

    stored: dict[str, tuple[int, ...]] = {}

    def see(name: str, item: Any) -> None:
        # Stored below a layer and the class it was saved from; the model's own names have the class only.
        if isinstance(item, h5py.Dataset):
            stored[_below(name, 2)] = tuple(item.shape)

    with h5py.File(file) as opened:
        opened.visititems(see)
    names = {_below(weight.name, 1): tuple(weight.shape) for weight in model.weights}
    return [name for name, shape in names.items() if stored.get(name) != shape]


def _below(name: str, scopes: int) -> str:
    return "/".join(name.split("/")[scopes:])


def _from_safetensors(original: Any, config: Any, file: Path) -> tuple[Any, list[str]]:
    """PyTorch's format without torch, which transformers 4.54 to 4.57.6 cannot read into a TF class."""
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file
    except ImportError as error:
        raise MissingExtraError("safetensors", extra="checkpoints", purpose=f"reading {file}") from error
    try:
        state = load_file(file)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    model = original(config)
    model.build_in_name_scope()
    prefix = model.base_model_prefix
    if not any(name.startswith(f"{prefix}.") for name in state):
        # A model without a head leaves the prefix out; with it, what is missing has one name either way.
        state = {f"{prefix}.{name}": value for name, value in state.items()}
    _drop_head_of_another_size(model, state)
    load = transformers().modeling_tf_pytorch_utils.load_pytorch_state_dict_in_tf2_model
    model, report = load(model, state, tf_inputs=False, allow_missing_keys=True, output_loading_info=True)
    return model, [name.replace(".", "/") for name in report["missing_keys"]]


def _drop_head_of_another_size(model: Any, state: dict[str, Any]) -> None:
    """The ignore_mismatched_sizes of transformers overlooks the ValueError that numpy raises."""
    rename = transformers().modeling_tf_pytorch_utils.convert_tf_weight_name_to_pt_weight_name
    for weight in model.weights:
        name, _ = rename(weight.name, "", weight.shape)
        of_head = not name.startswith(f"{model.base_model_prefix}.")
        if of_head and name in state and state[name].size != weight.shape.num_elements():
            del state[name]


def _check_encoder(model: Any, missing: Sequence[str], file: Path) -> None:
    # The pooler counts as head: models pretrained without sentence pairs come without it.
    encoder = f"{model.base_model_prefix}/"
    lacking = sorted(name for name in missing if name.startswith(encoder) and "pooler" not in name)
    if lacking:
        raise CheckpointError(
            f"{file} lacks {len(lacking)} weights of the encoder, among them {', '.join(lacking[:3])}. "
            f"Only a head may be missing; copy the checkpoint again."
        )
