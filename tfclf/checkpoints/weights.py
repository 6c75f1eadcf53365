"""Weights files into an original TF class: TensorFlow's h5, safetensors of either framework, in one part or several."""

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
from tfclf.errors import CheckpointError, MissingExtraError, first_line
from tfclf.files import list_folder

_TENSORFLOW_FILES = ("tf_model.h5", "tf_model.h5.index.json")
_SAFETENSORS_FILES = ("model.safetensors", "model.safetensors.index.json")
_TORCH_FILES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
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
    ZeroDivisionError,
    tf.errors.OpError,
)


@dataclass(frozen=True)
class Loaded:
    """A TF class instance, and what its weights file did not have for it.

    Attributes:
      missing: names of weights that are not in the file, and so are new.
      mismatched: (name, shape in the file, shape by config.json) of weights that are new, too.
    """

    model: Any
    missing: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


def find(folder: Path) -> Path:
    """The weights file of a checkpoint: TensorFlow's own before another's.

    Raises: CheckpointError where there is none, or only one that takes torch to read.
    """
    for name in (*_TENSORFLOW_FILES, *_SAFETENSORS_FILES):
        if (folder / name).is_file():
            return folder / name
    for name in _TORCH_FILES:
        if (folder / name).is_file():
            raise CheckpointError(
                f"{folder / name} is a pickle that only torch can read, and torch is not used here. Expected "
                f"tf_model.h5 or model.safetensors. Where torch is installed, save the checkpoint again: "
                f"AutoModelForSequenceClassification.from_pretrained(...).save_pretrained(..., safe_serialization=True)"
            )
    raise CheckpointError(
        f"{folder} holds no weights: found {list_folder(folder)}; expected one of "
        f"{', '.join((*_TENSORFLOW_FILES, *_SAFETENSORS_FILES))}. Copy the checkpoint again with its weights."
    )


def parts(file: Path) -> list[Path]:
    """The files that hold the numbers: `file` itself, or those that it lists. Raises: CheckpointError."""
    if not file.name.endswith(".index.json"):
        return [file]
    try:
        names = sorted(set(json.loads(file.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{file} is no list of weights files ({error!r}); expected JSON with a weight_map. Download it again."
        ) from error
    for name in names:
        if not (file.parent / name).is_file():
            raise CheckpointError(
                f"{file} lists {name}, which is not in {file.parent}. Download it too."
            )
    return [file.parent / name for name in names]


def load(original: Any, config: Any, file: Path) -> Loaded:
    """Builds `original`, a TF class, with the numbers of `file`; what is missing is left to the caller to judge.

    Args:
      config: transformers' config, whose sizes count.
      file: as `find` gives it.
    Raises: CheckpointError for a file that cannot be read, or that holds NaN or infinity.
    """
    found = parts(file)
    of_tensorflow = (
        {_is_tensorflow_format(part) for part in found}
        if file.name in _SAFETENSORS_FILES
        else {True}
    )
    try:
        with warnings.catch_warnings():
            # Of transformers' own code: deprecated parts, unseeded initializers.
            warnings.simplefilter("ignore")
            if False in of_tensorflow:
                loaded = _load_torch_format(original, config, found)
            else:
                loaded = _load_tensorflow_format(original, config, file, found)
    except _LOAD_ERRORS as error:
        raise CheckpointError(
            f"{file} ({sum(part.stat().st_size for part in found):,} bytes) cannot be read as weights of "
            f"{original.__name__} with the sizes of config.json beside it: {first_line(error)}. The file may be cut "
            f"short, or the two are not of one checkpoint; download both again."
        ) from error
    for weight in loaded.model.weights:
        if weight.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(weight))):
            count = math.prod(weight.shape)
            broken = count - int(tf.math.count_nonzero(tf.math.is_finite(weight)))
            raise CheckpointError(
                f"{file}: {broken:,} of the {count:,} numbers of {scope_free(weight.name, 1)} are NaN or infinite; "
                f"expected finite ones. The training diverged or the file was damaged; take an earlier checkpoint."
            )
    return loaded


def scope_free(name: str, scopes: int) -> str:
    """A variable's name without its outer `scopes`, which Keras numbers anew in each process."""
    return "/".join(name.split("/")[scopes:])


def _load_tensorflow_format(
    original: Any, config: Any, file: Path, found: Sequence[Path]
) -> Loaded:
    if file.name in _SAFETENSORS_FILES:
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
        # One missing variable fails the whole load with a message that names none.
        with contextlib.suppress(*_LOAD_ERRORS):
            model = original(config)
            model.build_in_name_scope()
            loaded = _compared_with_h5(model, found)
            if loaded.missing:
                return loaded
        raise
    return _compared_with_h5(model, found)


def _compared_with_h5(model: Any, found: Sequence[Path]) -> Loaded:
    """Transformers reports whole layers only, dropout among them; this compares variable by variable."""
    import h5py

    stored: dict[str, tuple[int, ...]] = {}

    def see(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            # Below a layer, and below the class that it was saved from.
            stored[scope_free(name, 2)] = tuple(item.shape)

    for part in found:
        with h5py.File(part) as file:
            file.visititems(see)
    names = {scope_free(weight.name, 1): tuple(weight.shape) for weight in model.weights}
    return Loaded(
        model,
        tuple(name for name in names if name not in stored),
        tuple(
            (name, stored[name], shape)
            for name, shape in names.items()
            if stored.get(name, shape) != shape
        ),
    )


class _Archive(Mapping[str, Any]):
    """Arrays by name, read from safetensors files one at a time: the whole is never in memory twice."""

    def __init__(self, files: Sequence[Path], *, prefix: str, stack: ExitStack) -> None:
        from safetensors import safe_open

        opened = [stack.enter_context(safe_open(file, framework="np")) for file in files]
        found = {name: file for file in opened for name in file.keys()}  # noqa: SIM118
        # A model without a head leaves the prefix out; with it, what is missing has one name either way.
        added = "" if any(name.startswith(prefix) for name in found) else prefix
        self._places = {added + name: (file, name) for name, file in found.items()}

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
    """PyTorch's format, without torch.

    transformers 4.54 to 4.57.6 cannot do it by themselves: `from_pretrained` of a TF class fails with
    "'builtins.safe_open' object is not iterable".
    """
    model = original(config)
    model.build_in_name_scope()
    utilities = transformers().modeling_tf_pytorch_utils
    mismatched = []
    with ExitStack() as stack:
        archive = _Archive(files, prefix=f"{model.base_model_prefix}.", stack=stack)
        # The ignore_mismatched_sizes of transformers overlooks the ValueError that numpy raises.
        for weight in model.weights:
            name, transposed = utilities.convert_tf_weight_name_to_pt_weight_name(
                weight.name, "", weight.shape
            )
            if name in archive and math.prod(archive.shape(name)) != math.prod(weight.shape):
                shape = archive.shape(name)
                ours = shape if transposed is utilities.TransposeType.NO else shape[::-1]
                mismatched.append(
                    (scope_free(weight.name, 1).removesuffix(":0"), ours, tuple(weight.shape))
                )
                archive.leave_out(name)
        model, report = utilities.load_pytorch_state_dict_in_tf2_model(
            model,
            archive,
            tf_inputs=False,
            allow_missing_keys=True,
            output_loading_info=True,
            tf_to_pt_weight_rename=getattr(model, "tf_to_pt_weight_rename", None),
        )
    new = {name for name, _, _ in mismatched}
    missing = tuple(name.replace(".", "/") for name in report["missing_keys"])
    return Loaded(
        model, tuple(name for name in missing if not _among(name, new)), tuple(mismatched)
    )


def _among(torch_name: str, names: set[str]) -> bool:
    return torch_name.rpartition("/")[0] in {name.rpartition("/")[0] for name in names}


def _is_tensorflow_format(file: Path) -> bool:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError(
            "safetensors", extra="checkpoints", purpose=f"reading {file}"
        ) from error
    try:
        with safe_open(file, framework="np") as opened:
            return (opened.metadata() or {}).get("format") == "tf"
    except SafetensorError as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is not a whole safetensors file: {first_line(error)}. "
            f"Download it again."
        ) from error
