"""The files of a checkpoint: the one list of their names, and how its JSON files are read.

The names of tokenizer files are in `tfclf.tokenization.file_names`. Neither module imports
TensorFlow: `tfclf pull` uses both.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfclf.errors import CheckpointError
from tfclf.files import hash_file, hash_files, list_folder, read_json_object
from tfclf.tokenization.file_names import TOKENIZER_FILES

CONFIG = "config.json"

# Weights of a Hugging Face checkpoint: in one file, or in shards that an index lists.
TENSORFLOW_WEIGHTS = ("tf_model.h5", "tf_model.h5.index.json")
SAFETENSORS_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
# In the order of transformers' from_pretrained: the first one that is there is read, and the only
# one that is pulled.
WEIGHTS = (*SAFETENSORS_WEIGHTS, *TENSORFLOW_WEIGHTS)
# Pickles, which only torch reads.
TORCH_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json")
SHARDS = {
    "tf_model.h5.index.json": re.compile(r"tf_model-[0-9]+-of-[0-9]+\.h5"),
    "model.safetensors.index.json": re.compile(r"model-[0-9]+-of-[0-9]+\.safetensors"),
}

# A KerasHub preset of a classifier: task.json marks it.
PRESET_TASK = "task.json"
PRESET_BACKBONE_WEIGHTS = ("model.weights.h5", "model.weights.json")
PRESET_TASK_WEIGHTS = "task.weights.h5"
PRESET_FILES = re.compile(
    r"(config|task|preprocessor|tokenizer|metadata)\.json"
    r"|(model|task)[^/]*\.weights\.(h5|json)"
    r"|assets/.+"
)


def has_config_and_weights(folder: Path) -> bool:
    """Return whether a folder holds config.json and weights, of a checkpoint or of a preset.

    Shards are not looked for: an index of them is enough.
    """
    weights = (*WEIGHTS, *PRESET_BACKBONE_WEIGHTS)
    return (folder / CONFIG).is_file() and any((folder / name).is_file() for name in weights)


def hash_checkpoint(source: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that a checkpoint is read from, by relative path.

    Other files of its folder, such as an export, a README or `.git`, say nothing of the model. A
    Spark NLP model has no others.
    """
    if not (source / CONFIG).is_file():
        return hash_files(source)
    patterns = (PRESET_FILES, *SHARDS.values())
    return {
        name: hash_file(path)
        for path in sorted((*source.glob("*"), *source.glob("assets/**/*")))
        if (name := path.relative_to(source).as_posix())
        and path.is_file()
        and (
            name in (*WEIGHTS, *TOKENIZER_FILES)
            or any(pattern.fullmatch(name) for pattern in patterns)
        )
    }


def list_shards(index: str, names: Iterable[str]) -> list[str]:
    """Return the names that are shards of an index file; none if `index` is no index.

    >>> list_shards("model.safetensors.index.json", ["model-00001-of-00002.safetensors", "x.json"])
    ['model-00001-of-00002.safetensors']
    >>> list_shards("model.safetensors", ["model-00001-of-00002.safetensors"])
    []
    """
    pattern = SHARDS.get(index)
    return [name for name in names if pattern.fullmatch(name)] if pattern else []


def read_json(path: Path, *, required: bool = True) -> dict[str, Any]:
    """Read a JSON object of a checkpoint; {} for a missing file that is not required.

    Raises: CheckpointError.
    """
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
