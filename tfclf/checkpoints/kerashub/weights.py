"""model.weights.h5 and task.weights.h5 -> variables by the names that `backbones.py` declares.

Keras numbers the layers of a class (`transformer_encoder`, `transformer_encoder_1`, ...) and the
variables of a layer (`vars/0`, `vars/1`). Attention kernels have an axis for the heads; it is
merged here.
Source: Keras 3.15, keras/src/saving/saving_lib.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfclf.checkpoints import formats
from tfclf.checkpoints.files import PRESET_BACKBONE_WEIGHTS, PRESET_TASK_WEIGHTS
from tfclf.errors import CheckpointError, MissingExtraError, first_line
from tfclf.families.declaration import Family
from tfclf.files import list_folder

_ENCODER_LAYER = re.compile(r"^transformer_encoder(?:_(\d+))?/")
# The variables vars/0, vars/1 by the ending of the layer's name; any other layer is a dense one.
_PARTS = (
    ("norm", ("/gamma", "/beta")),
    ("normalization", ("/gamma", "/beta")),
    ("embedding", ("",)),
)
_DENSE = ("/kernel", "/bias")


def find(folder: Path) -> tuple[tuple[str, Path], ...]:
    """Find the weights files, each with the scope of its variables.

    Raises: CheckpointError if one is missing.
    """
    task = folder / PRESET_TASK_WEIGHTS
    if not task.is_file():
        raise CheckpointError(
            f"{folder} holds no {task.name}, the classifier's own layers: found "
            f"{list_folder(folder)}. A backbone without its fine-tuned head cannot classify; "
            f"expected the files that save_to_preset of a text classifier writes."
        )
    return (*(("backbone", file) for file in _find_backbone_files(folder)), ("task", task))


def _find_backbone_files(folder: Path) -> list[Path]:
    single, index = (folder / name for name in PRESET_BACKBONE_WEIGHTS)
    if single.is_file():
        return [single]
    if not index.is_file():
        raise CheckpointError(
            f"{folder} holds no {single.name}: found {list_folder(folder)}. Download the preset "
            f"again with its weights."
        )
    try:
        names: set[str] = set()
        for listed in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values():
            names |= {listed} if isinstance(listed, str) else set(listed)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{index} does not list weights files ({error!r}). Download it again."
        ) from error
    for name in sorted(names):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{index} lists {name}, which is not in {folder}. Download it too."
            )
    return [folder / name for name in sorted(names)]


def load(
    files: tuple[tuple[str, Path], ...], family: Family, config: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Read every variable as float32.

    Raises: CheckpointError for a broken file, and for a variable that is missing, not finite or of
      another shape.
    """
    in_group = config[family.shared_layers.layers_in_group] if family.shared_layers else 0
    variables: dict[str, np.ndarray] = {}
    for scope, file in files:
        for path, value in _read_variables(file):
            name = rename(scope, path, in_group)
            variables[name] = merge_heads(name, value)
    origin = " and ".join(dict.fromkeys(str(file) for _, file in files))
    for name, shape in _expected_shapes(family, config).items():
        if name not in variables:
            raise CheckpointError(
                f"{origin}: the variable {name} is missing. Expected the weights of a text "
                f"classifier with the sizes of config.json beside them; download them again."
            )
        if variables[name].shape != shape:
            raise CheckpointError(
                f"{origin}: {name} has the shape {variables[name].shape}; config.json and "
                f"task.json ask for {shape}. The files do not belong to one preset."
            )
        if not np.isfinite(variables[name]).all():
            raise CheckpointError(
                f"{origin}: {name} holds values that are no finite numbers; training has diverged."
            )
    return variables


def _read_variables(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (path, value) of every variable below `layers`."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "h5py", extra="checkpoints", purpose="reading a KerasHub preset"
        ) from error
    try:
        with h5py.File(file) as opened:
            # Files from before Keras 3 have the second name.
            root = opened.get("layers", opened.get("_layer_checkpoint_dependencies"))
            paths: list[str] = []
            if root is not None:
                root.visititems(
                    lambda path, item: paths.append(path) if hasattr(item, "shape") else None
                )
            for path in paths:
                yield path, _to_float32(root[path], f"{root.name}/{path}", file)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) cannot be read: {first_line(error)}. It may "
            f"be cut short; download it again."
        ) from error


def _to_float32(stored: Any, name: str, file: Path) -> np.ndarray:
    """Convert a stored array; a bfloat16 is stored as raw bytes, the upper half of a float32.

    Raises: CheckpointError for anything but floating-point numbers: quantized weights.
    """
    value = np.asarray(stored)
    if stored.attrs.get("dtype") == "bfloat16" and value.dtype.itemsize == 2:
        return (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if value.dtype.kind != "f":
        raise formats.refuse_numbers(name, str(stored.attrs.get("dtype", value.dtype)), file)
    return value.astype(np.float32)


def rename(scope: str, path: str, in_group: int) -> str:
    """Return the name of a variable that Keras stored under `path`.

    >>> rename("backbone", "transformer_encoder_3/_feedforward_output_dense/vars/1", 0)
    'backbone/transformer_encoder/0/3/_feedforward_output_dense/bias'
    >>> rename("backbone", "transformer_encoder_3/_feedforward_layer_norm/vars/0", 2)
    'backbone/transformer_encoder/1/1/_feedforward_layer_norm/gamma'
    >>> rename("backbone", "reversible_embedding/vars/0", 0)
    'backbone/reversible_embedding'

    Args:
      in_group: layers in a group of shared layers; 0 if no layers are shared.
    """
    layer, _, variable = path.rpartition("/vars/")
    match = _ENCODER_LAYER.match(layer)
    if match:
        number = int(match[1] or 0)
        group, index = divmod(number, in_group) if in_group else (0, number)
        layer = f"transformer_encoder/{group}/{index}/{layer[match.end() :]}"
    kind = re.sub(r"_\d+$", "", layer.rpartition("/")[2])
    parts = next((parts for ending, parts in _PARTS if kind.endswith(ending)), _DENSE)
    known = variable.isdecimal() and int(variable) < len(parts)
    return f"{scope}/{layer}{parts[int(variable)]}" if known else f"{scope}/{path}"


def merge_heads(name: str, value: np.ndarray) -> np.ndarray:
    """Merge the axes of heads and head size of an attention variable; return any other as it is.

    >>> merge_heads("x/_self_attention_layer/query_dense/kernel", np.zeros((8, 2, 4))).shape
    (8, 8)
    >>> merge_heads("x/_self_attention_layer/output_dense/kernel", np.zeros((2, 4, 8))).shape
    (8, 8)
    >>> merge_heads("x/_self_attention_layer/query_dense/bias", np.zeros((2, 4))).shape
    (8,)
    """
    if "/_self_attention_layer/" not in name:
        return value
    if name.endswith("/output_dense/kernel"):
        return value.reshape(-1, value.shape[-1])
    return value.reshape(value.shape[0], -1) if name.endswith("/kernel") else value.reshape(-1)


def _expected_shapes(family: Family, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each variable that the engine reads."""
    names, keys, shared = family.weights, family.config_keys, family.shared_layers
    assert names is not None
    hidden_size, intermediate_size, classes = (
        int(config[key]) for key in (keys.hidden_size, keys.intermediate_size, "num_classes")
    )
    embedding_size = int(config.get("embedding_dim", hidden_size))
    shapes: dict[str, tuple[int, ...]] = {
        names.word_embeddings: (int(config["vocabulary_size"]), embedding_size),
        names.position_embeddings: (int(config[keys.positions]), embedding_size),
    }
    if names.token_type_embeddings:
        shapes[names.token_type_embeddings] = (int(config["num_segments"]), embedding_size)

    def norm(name: str, size: int) -> None:
        shapes.update({f"{name}/gamma": (size,), f"{name}/beta": (size,)})

    def dense(name: str, before: int, after: int) -> None:
        shapes.update({f"{name}/kernel": (before, after), f"{name}/bias": (after,)})

    norm(names.embeddings_norm, embedding_size)
    if names.embeddings_projection:
        dense(names.embeddings_projection, embedding_size, hidden_size)
    groups, in_group = (
        (config[shared.groups], config[shared.layers_in_group])
        if shared
        else (1, config[keys.layers])
    )
    for group in range(groups):
        for layer in range(in_group):
            for name in (names.query, names.key, names.value, names.attention_output):
                dense(name.format(group=group, layer=layer), hidden_size, hidden_size)
            dense(names.inner.format(group=group, layer=layer), hidden_size, intermediate_size)
            dense(names.output.format(group=group, layer=layer), intermediate_size, hidden_size)
            for name in (names.attention_norm, names.output_norm):
                norm(name.format(group=group, layer=layer), hidden_size)
    pooled = int(config.get("pooled_dim") or hidden_size)
    dense(names.head[0], hidden_size, pooled)
    dense(names.head[1], pooled, classes)
    return shapes
