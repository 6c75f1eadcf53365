"""Weights files into a TF class: TensorFlow's h5, safetensors of either framework, shards."""

import contextlib
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfclf._transformers import transformers
from tfclf.checkpoints.files import SAFETENSORS_WEIGHTS, TENSORFLOW_WEIGHTS, TORCH_WEIGHTS, WEIGHTS
from tfclf.errors import CheckpointError, MissingExtraError, first_line
from tfclf.files import list_folder

# The TF classes refuse impossible sizes with AssertionError, KeyError, TypeError and others.
_LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    AttributeError,
    AssertionError,
    TypeError,
    ZeroDivisionError,
    tf.errors.OpError,
)


@dataclass(frozen=True)
class Loaded:
    """An instance of a TF class, and the weights that its file did not have.

    Attributes:
      missing: names of weights that are not in the file; they keep their random initial values.
      mismatched: (name, shape in the file, shape by config.json); these are random, too.
    """

    model: Any
    missing: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


def find(folder: Path) -> Path:
    """Find the weights file of a checkpoint; TensorFlow's own comes first.

    Raises: CheckpointError if there is none, or only one that torch alone can read.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    for name in TORCH_WEIGHTS:
        if (folder / name).is_file():
            raise CheckpointError(
                f"{folder / name} is a pickle, which only torch can read, and torch is not used "
                f"here. Expected tf_model.h5 or model.safetensors. With torch installed, save the "
                f"checkpoint again: AutoModelForSequenceClassification.from_pretrained(...)"
                f".save_pretrained(..., safe_serialization=True)"
            )
    raise CheckpointError(
        f"{folder} holds no weights: found {list_folder(folder)}; expected one of "
        f"{', '.join(WEIGHTS)}. Copy the checkpoint again with its weights."
    )


def list_parts(file: Path) -> list[Path]:
    """Return the files that hold the numbers: `file`, or the shards that it lists.

    Raises: CheckpointError.
    """
    if not file.name.endswith(".index.json"):
        return [file]
    try:
        names = sorted(set(json.loads(file.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{file} does not list weights files ({error!r}); expected JSON with a weight_map. "
            f"Download it again."
        ) from error
    for name in names:
        if not (file.parent / name).is_file():
            raise CheckpointError(
                f"{file} lists {name}, which is not in {file.parent}. Download it too."
            )
    return [file.parent / name for name in names]


def load(original: Any, config: Any, file: Path) -> Loaded:
    """Build `original`, a TF class, with the numbers of `file`; the caller judges missing ones.

    Args:
      config: transformers' config, which sets the sizes.
      file: as `find` returns it.
    Raises: CheckpointError for an unreadable file, and for NaN or infinity in it.
    """
    parts = list_parts(file)
    try:
        with warnings.catch_warnings():
            # transformers' own code warns of deprecated parts and unseeded initializers.
            warnings.simplefilter("ignore")
            if _is_tensorflow_format(file, parts):
                loaded = _load_tensorflow_format(original, config, file, parts)
            else:
                loaded = _load_torch_format(original, config, parts)
    except _LOAD_ERRORS as error:
        raise CheckpointError(
            f"{file} ({sum(part.stat().st_size for part in parts):,} bytes) cannot be read as "
            f"weights of {original.__name__} with the sizes of config.json beside it: "
            f"{first_line(error)}. The file may be cut short, or the two do not belong to one "
            f"checkpoint; download both again."
        ) from error
    _check_finite(loaded.model, file)
    return loaded


def is_read_by_transformers(folder: Path) -> bool:
    """Return whether `from_pretrained` of a TF class reads the weights file that it picks itself.

    It picks safetensors before h5, and of safetensors it reads TensorFlow's layout only.
    Raises: CheckpointError.
    """
    for name in (*SAFETENSORS_WEIGHTS, *TENSORFLOW_WEIGHTS):
        if (folder / name).is_file():
            return _is_tensorflow_format(folder / name, list_parts(folder / name))
    return False


def load_original(folder: Path) -> Any:
    """Load a checkpoint as its users do: transformers picks the class, the config and the file.

    Raises: CheckpointError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return transformers().TFAutoModelForSequenceClassification.from_pretrained(
                folder, trust_remote_code=False, local_files_only=True
            )
    except _LOAD_ERRORS as error:
        raise CheckpointError(
            f"{folder}: from_pretrained of transformers cannot load the original: "
            f"{first_line(error)}. Expected the files that save_pretrained writes; download or "
            f"save them again."
        ) from error


def _check_finite(model: Any, file: Path) -> None:
    for weight in model.weights:
        if not weight.dtype.is_floating:
            continue
        finite = tf.math.is_finite(weight)
        if not bool(tf.reduce_all(finite)):
            count = math.prod(weight.shape)
            broken = count - int(tf.math.count_nonzero(finite))
            raise CheckpointError(
                f"{file}: {broken:,} of the {count:,} numbers of {remove_scopes(weight.name, 1)} "
                f"are NaN or infinite; expected finite numbers. The training diverged or the file "
                f"was damaged; take an earlier checkpoint."
            )


def remove_scopes(name: str, scopes: int) -> str:
    """Return a variable's name without its outer scopes, which Keras numbers in each process.

    >>> remove_scopes("tf_bert_for_sequence_classification_3/bert/pooler/dense/bias:0", 1)
    'bert/pooler/dense/bias:0'
    """
    return "/".join(name.split("/")[scopes:])


def _load_tensorflow_format(
    original: Any, config: Any, file: Path, parts: Sequence[Path]
) -> Loaded:
    if file.name in SAFETENSORS_WEIGHTS:
        model, report = original.from_pretrained(
            file.parent,
            config=config,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            use_safetensors=True,
        )
        mismatched = tuple(
            (name, tuple(ours), tuple(theirs)) for name, ours, theirs in report["mismatched_keys"]
        )
        return Loaded(model, tuple(report["missing_keys"]), mismatched)
    try:
        model = original.from_pretrained(
            file.parent, config=config, ignore_mismatched_sizes=True, use_safetensors=False
        )
    except _LOAD_ERRORS:
        # One missing variable fails the whole load, and the message names none: find it here.
        with contextlib.suppress(*_LOAD_ERRORS):
            model = original(config)
            model.build_in_name_scope()
            loaded = _compare_with_h5(model, parts)
            if loaded.missing:
                return loaded
        raise
    return _compare_with_h5(model, parts)


def _compare_with_h5(model: Any, parts: Sequence[Path]) -> Loaded:
    """Compare a model with its h5 files, variable by variable.

    transformers itself reports whole layers only, even layers without weights such as dropout.
    """
    import h5py

    stored: dict[str, tuple[int, ...]] = {}

    def record_shape(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            # The outer scopes are the layer and the class that was saved.
            stored[remove_scopes(name, 2)] = tuple(item.shape)

    for part in parts:
        with h5py.File(part) as file:
            file.visititems(record_shape)
    names = {remove_scopes(weight.name, 1): tuple(weight.shape) for weight in model.weights}
    return Loaded(
        model,
        tuple(name for name in names if name not in stored),
        tuple(
            (name, stored[name], shape)
            for name, shape in names.items()
            if stored.get(name, shape) != shape
        ),
    )


class _Arrays(Mapping[str, Any]):
    """Arrays by name, read from safetensors files one at a time, so that memory holds one of them.

    Args:
      prefix: comes before every name, unless the files have it already. A file saved from a model
        without a head lacks it; with it, a missing weight has one name either way.
    """

    def __init__(self, files: Sequence[Path], *, prefix: str, stack: ExitStack) -> None:
        from safetensors import safe_open

        opened = [stack.enter_context(safe_open(file, framework="np")) for file in files]
        by_name = {name: file for file in opened for name in file.keys()}  # noqa: SIM118
        added = "" if any(name.startswith(prefix) for name in by_name) else prefix
        self._places = {added + name: (file, name) for name, file in by_name.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        file, inside = self._places[name]
        return tuple(file.get_slice(inside).get_shape())

    def leave_out(self, name: str) -> None:
        del self._places[name]

    def __getitem__(self, name: str) -> Any:
        file, inside = self._places[name]
        return file.get_tensor(inside)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _load_torch_format(original: Any, config: Any, files: Sequence[Path]) -> Loaded:
    """Load PyTorch's format, without torch.

    transformers 4.54 to 4.57.6 cannot: `from_pretrained` of a TF class fails with
    "'builtins.safe_open' object is not iterable".
    """
    model = original(config)
    model.build_in_name_scope()
    utilities = transformers().modeling_tf_pytorch_utils
    mismatched = []
    with ExitStack() as stack:
        arrays = _Arrays(files, prefix=f"{model.base_model_prefix}.", stack=stack)
        # transformers' ignore_mismatched_sizes does not catch the ValueError that numpy raises.
        for weight in model.weights:
            name, transposed = utilities.convert_tf_weight_name_to_pt_weight_name(
                weight.name, "", weight.shape
            )
            if name in arrays and math.prod(arrays.shape(name)) != math.prod(weight.shape):
                stored = arrays.shape(name)
                if transposed is not utilities.TransposeType.NO:
                    stored = stored[::-1]
                mismatched.append(
                    (remove_scopes(weight.name, 1).removesuffix(":0"), stored, tuple(weight.shape))
                )
                arrays.leave_out(name)
        model, report = utilities.load_pytorch_state_dict_in_tf2_model(
            model,
            arrays,
            tf_inputs=False,
            allow_missing_keys=True,
            output_loading_info=True,
            tf_to_pt_weight_rename=getattr(model, "tf_to_pt_weight_rename", None),
        )
    # A weight of another shape is missing to transformers, which names it in PyTorch's way.
    layers = {name.rpartition("/")[0] for name, _, _ in mismatched}
    missing = (name.replace(".", "/") for name in report["missing_keys"])
    return Loaded(
        model,
        tuple(name for name in missing if name.rpartition("/")[0] not in layers),
        tuple(mismatched),
    )


def _is_tensorflow_format(file: Path, parts: Sequence[Path]) -> bool:
    """Return whether a TF class wrote the weights: an h5 file always, safetensors by metadata."""
    if file.name not in SAFETENSORS_WEIGHTS:
        return True
    return all(_read_format(part) == "tf" for part in parts)


def _read_format(part: Path) -> str | None:
    """Return the framework that a safetensors file names. Raises: CheckpointError."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError(
            "safetensors", extra="checkpoints", purpose=f"reading {part}"
        ) from error
    try:
        with safe_open(part, framework="np") as opened:
            return (opened.metadata() or {}).get("format")
    except SafetensorError as error:
        raise CheckpointError(
            f"{part} ({part.stat().st_size:,} bytes) is not a whole safetensors file: "
            f"{first_line(error)}. Download it again."
        ) from error
