"""Arrays of safetensors files by name, without torch."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tfclf.errors import CheckpointError, MissingExtraError, first_line

# The dtypes of weights, as safetensors names them. Integers are buffers, or quantized.
FLOATS = ("F64", "F32", "F16", "BF16")
# torch.compile, FSDP and activation checkpointing put these before the names of what they wrap.
_INNER_WRAPPERS = re.compile(
    r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|_forward_module)\."
)
# DataParallel and Lightning put one of these before every name, also of a model without a head.
_WRAPPERS = ("module.", "model.")


class Arrays(Mapping[str, Any]):
    """Arrays by name, read from safetensors files one at a time, so that memory holds one of them.

    Args:
      prefix: comes before every name, unless the files have it already. A file saved from a model
        without a head lacks it; with it, a missing weight has one name either way.
    """

    def __init__(self, files: Sequence[Path], *, prefix: str, stack: ExitStack) -> None:
        from safetensors import safe_open

        opened = [stack.enter_context(safe_open(file, framework="np")) for file in files]
        stored = {name: file for file in opened for name in file.keys()}  # noqa: SIM118
        names = unwrap(list(stored), prefix=prefix)
        added = "" if any(name.startswith(prefix) for name in names.values()) else prefix
        self._places = {added + names[name]: (file, name) for name, file in stored.items()}

    def shape(self, name: str) -> tuple[int, ...]:
        file, inside = self._places[name]
        return tuple(file.get_slice(inside).get_shape())

    def dtype(self, name: str) -> str:
        """Return the dtype as safetensors names it, e.g. "F32", "BF16", "I8"."""
        file, inside = self._places[name]
        return str(file.get_slice(inside).get_dtype())

    def leave_out(self, name: str) -> None:
        del self._places[name]

    def __getitem__(self, name: str) -> Any:
        file, inside = self._places[name]
        return file.get_tensor(inside)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def unwrap(names: Sequence[str], *, prefix: str) -> dict[str, str]:
    """Return each stored name, and the name without what wrappers of the model put before it.

    >>> unwrap(["module._orig_mod.bert.a", "module._orig_mod.classifier.b"], prefix="bert.")
    {'module._orig_mod.bert.a': 'bert.a', 'module._orig_mod.classifier.b': 'classifier.b'}
    >>> unwrap(["net.bert.a", "net.classifier.b"], prefix="bert.")
    {'net.bert.a': 'bert.a', 'net.classifier.b': 'classifier.b'}

    Args:
      prefix: the model's own; names that begin with it keep it.
    """
    bare = {name: _INNER_WRAPPERS.sub("", name) for name in names}
    while (wrapper := _find_wrapper(bare.values(), prefix)) is not None:
        bare = {name: inner.removeprefix(wrapper) for name, inner in bare.items()}
    return bare


def _find_wrapper(names: Collection[str], prefix: str) -> str | None:
    """Return the scope around the model, if it is a wrapper's: the name of an own attribute, too.

    >>> _find_wrapper(["net.bert.a", "net.classifier.b", "loss.weight"], prefix="bert.")
    'net.'
    >>> _find_wrapper(["bert.a", "bert.b"], "bert."), _find_wrapper(["layer.a", "layer.b"], "bert.")
    (None, None)
    """
    for wrapper in _WRAPPERS:
        if wrapper != prefix and names and all(name.startswith(wrapper) for name in names):
            return wrapper
    scopes = {name.partition(f".{prefix}")[0] for name in names if f".{prefix}" in name}
    wrapper = f"{min(scopes, default='')}."
    # A loss may lie beside the attribute that holds the model: its name stays as it is.
    others = [name for name in names if not name.startswith(wrapper)]
    if len(scopes) != 1 or any(name.startswith(prefix) for name in others):
        return None
    return wrapper


def read_format(file: Path) -> str | None:
    """Return the framework that a safetensors file names. Raises: CheckpointError."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError(
            "safetensors", extra="checkpoints", purpose=f"reading {file}"
        ) from error
    try:
        with safe_open(file, framework="np") as opened:
            return (opened.metadata() or {}).get("format")
    except SafetensorError as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size:,} bytes) is not a whole safetensors file: "
            f"{first_line(error)}. Download it again."
        ) from error
