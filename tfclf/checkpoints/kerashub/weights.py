"""model.weights.h5 and task.weights.h5 -> variables by the names that `backbones.py` declares.

Keras numbers a model's layers by their class (`transformer_encoder`, `transformer_encoder_1`, ...) and a layer's
variables by their order (`vars/0`, `vars/1`). Attention kernels have an axis for the heads, which comes off here.
Source: Keras 3.15, keras/src/saving/saving_lib.py.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfclf.errors import CheckpointError, MissingExtraError, first_line
from tfclf.families.declaration import Family
from tfclf.files import list_folder

_ENCODER_LAYER = re.compile(r"^transformer_encoder(?:_(\d+))?/")
# What vars/0 and vars/1 are, by the ending of the layer's name; a dense layer's where none fits.
_PARTS = (
    ("norm", ("/gamma", "/beta")),
    ("normalization", ("/gamma", "/beta")),
    ("embedding", ("",)),
)
_DENSE = ("/kernel", "/bias")


def find(folder: Path) -> tuple[tuple[str, Path], ...]:
    """The files that hold the weights, each with the scope of its variables.

    Raises: CheckpointError where one is not there.
    """
    task = folder / "task.weights.h5"
    if not task.is_file():
        raise CheckpointError(
            f"{folder} holds no task.weights.h5, the classifier's own layers: found {list_folder(folder)}. A backbone "
            f"without its fine-tuned head cannot classify; expected what save_to_preset of a text classifier writes."
        )
    return (*(("backbone", file) for file in _backbone_files(folder)), ("task", task))


def _backbone_files(folder: Path) -> list[Path]:
    single, index = folder / "model.weights.h5", folder / "model.weights.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        raise CheckpointError(
            f"{folder} holds no model.weights.h5: found {list_folder(folder)}. Download the preset again with its weights."
        )
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        names = sorted(
            {name for value in listed for name in ([value] if isinstance(value, str) else value)}
        )
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{index} does not list the files of the weights ({error!r}). Download it again."
        ) from error
    for name in names:
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{index} lists {name}, which is not in {folder}. Download it too."
            )
    return [folder / name for name in names]


def load(
    files: tuple[tuple[str, Path], ...], family: Family, config: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Every variable, float32.

    Raises: CheckpointError where a file is broken or a variable is missing, not finite or of another shape.
    """
    in_group = config[family.shared_layers.layers_in_group] if family.shared_layers else 0
    variables: dict[str, np.ndarray] = {}
    for scope, file in files:
        for path, value in _stored(file):
            variables[_renamed(scope, path, in_group)] = value
    places = " and ".join(dict.fromkeys(str(file) for _, file in files))
    found = {name: _without_heads(name, value) for name, value in variables.items()}
    for name, shape in _expected(family, config).items():
        if name not in found:
            raise CheckpointError(
                f"{places}: the variable {name} is missing. Expected the weights of a text classifier with the sizes "
                f"of config.json beside them; download them again."
            )
        if found[name].shape != shape:
            raise CheckpointError(
                f"{places}: {name} has the shape {found[name].shape}; config.json and task.json ask for {shape}. The "
                f"files are not of one preset."
            )
        if not np.isfinite(found[name]).all():
            raise CheckpointError(
                f"{places}: {name} holds values that are no finite numbers; training has diverged."
            )
    return found


def _stored(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(path, value) of everything below `layers`."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "h5py", extra="checkpoints", purpose="reading a KerasHub preset"
        ) from error
    try:
        with h5py.File(file) as opened:
            # The second name is that of files from before Keras 3.
            root = opened.get("layers", opened.get("_layer_checkpoint_dependencies"))
            paths: list[str] = []
            if root is not None:
                root.visititems(
                    lambda path, item: paths.append(path) if hasattr(item, "shape") else None
                )
            for path in paths:
                yield path, _float32(root[path])
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        reason = first_line(error)
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) cannot be read: {reason}. It may be cut short; download it again."
        ) from error


def _float32(stored: Any) -> np.ndarray:
    """A bfloat16 is kept as two bytes without a meaning: the upper half of a float32."""
    value = np.asarray(stored)
    if stored.attrs.get("dtype") == "bfloat16" and value.dtype.itemsize == 2:
        return (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return value.astype(np.float32)


def _renamed(scope: str, path: str, in_group: int) -> str:
    """`transformer_encoder_3/x/vars/0` -> `backbone/transformer_encoder/{group}/{layer}/x/kernel`."""
    layer, _, variable = path.rpartition("/vars/")
    match = _ENCODER_LAYER.match(layer)
    if match:
        group, place = divmod(int(match[1] or 0), in_group) if in_group else (0, int(match[1] or 0))
        layer = f"transformer_encoder/{group}/{place}/{layer[match.end() :]}"
    kind = re.sub(r"_\d+$", "", layer.rpartition("/")[2])
    parts = next((parts for ending, parts in _PARTS if kind.endswith(ending)), _DENSE)
    known = variable.isdecimal() and int(variable) < len(parts)
    return f"{scope}/{layer}{parts[int(variable)]}" if known else f"{scope}/{path}"


def _without_heads(name: str, value: np.ndarray) -> np.ndarray:
    """[width, heads, head width] -> [width, width] for what goes in, [heads, head width, width] for what comes out."""
    if "/_self_attention_layer/" not in name:
        return value
    if name.endswith("/output_dense/kernel"):
        return value.reshape(-1, value.shape[-1])
    return value.reshape(value.shape[0], -1) if name.endswith("/kernel") else value.reshape(-1)


def _expected(family: Family, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """The shape of each variable that the engine reads."""
    names, keys, shared = family.weights, family.config_keys, family.shared_layers
    assert names is not None
    width, inner, classes = (
        int(config[key]) for key in (keys.hidden_size, keys.intermediate_size, "num_classes")
    )
    narrow = int(config.get("embedding_dim", width))
    shapes: dict[str, tuple[int, ...]] = {
        names.word_embeddings: (int(config["vocabulary_size"]), narrow),
        names.position_embeddings: (int(config[keys.positions]), narrow),
    }
    if names.token_type_embeddings:
        shapes[names.token_type_embeddings] = (int(config["num_segments"]), narrow)

    def norm(name: str, size: int) -> None:
        shapes.update({f"{name}/gamma": (size,), f"{name}/beta": (size,)})

    def dense(name: str, before: int, after: int) -> None:
        shapes.update({f"{name}/kernel": (before, after), f"{name}/bias": (after,)})

    norm(names.embeddings_norm, narrow)
    if names.embeddings_projection:
        dense(names.embeddings_projection, narrow, width)
    groups, in_group = (
        (config[shared.groups], config[shared.layers_in_group])
        if shared
        else (1, config[keys.layers])
    )
    for group in range(groups):
        for layer in range(in_group):
            for name in (names.query, names.key, names.value, names.attention_output):
                dense(name.format(group=group, layer=layer), width, width)
            dense(names.inner.format(group=group, layer=layer), width, inner)
            dense(names.output.format(group=group, layer=layer), inner, width)
            for name in (names.attention_norm, names.output_norm):
                norm(name.format(group=group, layer=layer), width)
    pooled = int(config.get("pooled_dim") or width)
    dense(names.head[0], width, pooled)
    dense(names.head[1], pooled, classes)
    return shapes
