"""Weights files into a TF class: TensorFlow's h5, safetensors of either framework, shards."""

import contextlib
import json
import math
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfclf._transformers import load_pretrained, transformers
from tfclf.checkpoints import formats
from tfclf.checkpoints.arrays import FLOATS, Arrays, read_format
from tfclf.checkpoints.files import SAFETENSORS_WEIGHTS, WEIGHTS
from tfclf.errors import CheckpointError, first_line
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


# Weights of a file that a model does without: buffers of PyTorch, which hold constants, and second
# copies of an embedding. Each class names others in _keys_to_ignore_on_load_unexpected.
_HARMLESS = re.compile(
    r"(^|[./])(position_ids|token_type_ids|masked_bias|inv_freq|num_batches_tracked)$"
    r"|(^|\.)(encoder|decoder)\.embed_tokens\.weight$"
)


@dataclass(frozen=True)
class Loaded:
    """An instance of a TF class, and where it and its file differ.

    Attributes:
      missing: names of weights that are not in the file; they keep their random initial values.
      mismatched: (name, shape in the file, shape by config.json); these are random, too.
      unexpected: names of weights in the file that the class has no place for; they are not used.
    """

    model: Any
    missing: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    unexpected: tuple[str, ...] = ()


def find(folder: Path) -> Path:
    """Find the weights file of a checkpoint: the one that `from_pretrained` would read.

    Raises: CheckpointError if there is none, or only one of a format that is not read.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    for name in formats.list_foreign_files(folder):
        raise CheckpointError(str(formats.describe_file(folder / name)))
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

    It reads h5, and safetensors in TensorFlow's layout only. Raises: CheckpointError.
    """
    file = find(folder)
    return _is_tensorflow_format(file, list_parts(file))


def load_original(folder: Path) -> Any:
    """Load a checkpoint as its users do: transformers picks the class, the config and the file.

    Raises: CheckpointError.
    """
    try:
        return load_pretrained("TFAutoModelForSequenceClassification", folder)
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
        model, report = load_pretrained(
            original,
            file.parent,
            config=config,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            use_safetensors=True,
        )
        mismatched = tuple(
            (name, tuple(ours), tuple(theirs)) for name, ours, theirs in report["mismatched_keys"]
        )
        unexpected = _drop_harmless(model, report["unexpected_keys"])
        return Loaded(model, tuple(report["missing_keys"]), mismatched, unexpected)
    is_sharded = file.name.endswith(".index.json")
    try:
        model = load_pretrained(
            original,
            file.parent,
            config=config,
            ignore_mismatched_sizes=True,
            use_safetensors=False,
        )
    except _LOAD_ERRORS:
        # One missing variable fails the whole load, and the message names none: find it here.
        with contextlib.suppress(*_LOAD_ERRORS):
            model = original(config)
            model.build_in_name_scope()
            loaded = _compare_with_h5(model, parts, is_sharded=is_sharded)
            if loaded.missing:
                return loaded
        raise
    return _compare_with_h5(model, parts, is_sharded=is_sharded)


def _compare_with_h5(model: Any, parts: Sequence[Path], *, is_sharded: bool) -> Loaded:
    """Compare a model with its h5 files, variable by variable.

    transformers itself reports whole layers only, even layers without weights such as dropout.
    """
    import h5py

    stored: dict[str, tuple[int, ...]] = {}
    integers: dict[str, str] = {}
    # In a single file these are the layer and the class that was saved; shards leave them out.
    outer_scopes = 0 if is_sharded else 2

    def record_shape(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            inner = remove_scopes(name, outer_scopes)
            stored[inner] = tuple(item.shape)
            if item.dtype.kind in "iu":
                integers[inner] = item.dtype.name

    for part in parts:
        with h5py.File(part) as file:
            file.visititems(record_shape)
    names = {remove_scopes(weight.name, 1): tuple(weight.shape) for weight in model.weights}
    floating = {remove_scopes(w.name, 1) for w in model.weights if w.dtype.is_floating}
    for name in sorted(integers.keys() & floating):
        raise formats.refuse_numbers(name, integers[name], parts[0])
    return Loaded(
        model,
        tuple(name for name in names if name not in stored),
        tuple(
            (name, stored[name], shape)
            for name, shape in names.items()
            if stored.get(name, shape) != shape
        ),
        _drop_harmless(model, (name for name in stored if name not in names)),
    )


def _drop_harmless(model: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of left-over weights without those that the model does without."""
    known = [re.compile(pattern) for pattern in model._keys_to_ignore_on_load_unexpected or ()]
    harmless = [_HARMLESS, *known]
    return tuple(
        sorted(
            name
            for name in names
            if not any(pattern.search(name.removesuffix(":0")) for pattern in harmless)
        )
    )


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
        arrays = Arrays(files, prefix=f"{model.base_model_prefix}.", stack=stack)
        formats.check_names(arrays, files[0])
        # transformers' ignore_mismatched_sizes does not catch the ValueError that numpy raises.
        for weight in model.weights:
            name, transposed = utilities.convert_tf_weight_name_to_pt_weight_name(
                weight.name, "", weight.shape
            )
            floating = weight.dtype.is_floating
            if name in arrays and floating and arrays.dtype(name) not in FLOATS:
                raise formats.refuse_numbers(name, arrays.dtype(name), files[0])
            if name not in arrays:
                continue
            stored = arrays.shape(name)
            if transposed is not utilities.TransposeType.NO:
                stored = stored[::-1]
            if not _is_same_shape(stored, weight.shape):
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
        _drop_harmless(model, report["unexpected_keys"]),
    )


def _is_same_shape(stored: Sequence[int], expected: Sequence[int]) -> bool:
    """Return whether two shapes differ at most by dimensions of 1, and by the order of a kernel's.

    transformers would put as many numbers of another shape into a weight, in disorder.

    >>> _is_same_shape([1, 8], [8]), _is_same_shape([4, 2], [2, 4])
    (True, False)
    """
    shapes = [[size for size in shape if size != 1] for shape in (stored, expected)]
    if len(expected) > 2:  # a convolution's, whose order each library has for itself
        shapes = [sorted(shape) for shape in shapes]
    return shapes[0] == shapes[1]


def _is_tensorflow_format(file: Path, parts: Sequence[Path]) -> bool:
    """Return whether a TF class wrote the weights: an h5 file always, safetensors by metadata."""
    if file.name not in SAFETENSORS_WEIGHTS:
        return True
    return all(read_format(part) == "tf" for part in parts)
