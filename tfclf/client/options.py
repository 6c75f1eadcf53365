"""A client's options, checked."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from tfclf.decision import Threshold
from tfclf.errors import InputError
from tfclf.inputs import check_long

# gRPC caps attempts at five, whatever its service config says. REST keeps the same limit.
MAX_RETRIES = 4
_LONGEST_TIMEOUT = 1e9  # seconds, 31 years: gRPC and sockets take no number much above


class PredictOptions(TypedDict, total=False):
    """The options of `predict` on which the type of its result does not depend."""

    top_k: int | None
    threshold: Threshold | None
    batch_size: int | None
    timeout: float | None
    progress: bool


class ExplainOptions(TypedDict, total=False):
    """Those of `explain`."""

    long: str
    stride: int | None
    batch_size: int | None
    timeout: float | None
    progress: bool


@dataclass(frozen=True)
class Options:
    """The options of a client, which hold for each of its requests; `Client` documents them.

    Attributes:
      version: the version's number, or None.
      label: the version's label, or None.
      named: whether the user named the model. If not, it is 'default', or a server's only model.
    """

    model: str
    version: int | None
    label: str | None
    timeout: float | None
    retries: int
    batch_size: int
    batch_bytes: int
    in_flight: int
    xla: bool
    named: bool = True

    @classmethod
    def from_arguments(
        cls,
        *,
        model: str | None,
        version: int | str | None,
        timeout: float | None,
        retries: int,
        batch_size: int,
        batch_bytes: int,
        in_flight: int,
        xla: bool,
    ) -> Options:
        """Check the arguments of `Client`. Raises: InputError."""
        if model is not None and not _is_name(model):
            raise InputError(f"model is {model!r}; expected the name that the server has for it.")
        if version is not None and not (_is_number(version) or _is_name(version)):
            raise InputError(
                f"version is {version!r}; expected a number, a label such as 'stable', "
                f"or None for the latest."
            )
        return cls(
            model="default" if model is None else model,
            version=version if isinstance(version, int) else None,
            label=version if isinstance(version, str) else None,
            timeout=check_timeout(timeout),
            retries=check_whole_number(retries, "retries", 0, MAX_RETRIES),
            batch_size=check_whole_number(batch_size, "batch_size"),
            batch_bytes=check_whole_number(batch_bytes, "batch_bytes"),
            in_flight=check_whole_number(in_flight, "in_flight"),
            xla=xla,
            named=model is not None,
        )

    def to_arguments(self) -> dict[str, Any]:
        """Return the arguments of `Client` that make these options."""
        own = asdict(self)
        named, label = own.pop("named"), own.pop("label")
        own["version"] = own["version"] if label is None else label
        return own | ({} if named else {"model": None})


def _is_name(value: object) -> bool:
    """Whether a value is a str that is not empty and that UTF-8 can hold."""
    return isinstance(value, str) and value.encode("utf-8", "ignore").decode() == value != ""


def _is_number(value: object) -> bool:
    """Whether a value is a whole number of 64 bits, as versions are."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


def check_whole_number(value: int, name: str, least: int = 1, most: int | None = None) -> int:
    """Return `value` if it is a whole number in range.

    >>> check_whole_number(32, "batch_size")
    32
    >>> check_whole_number(5, "retries", 0, 4)
    Traceback (most recent call last):
    tfclf.errors.InputError: retries is 5; expected a whole number from 0 to 4.

    Raises: InputError, also for a bool.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < least
        or (most is not None and value > most)
    ):
        expected = f"above {least - 1}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} is {value!r}; expected a whole number {expected}.")
    return value


def check_timeout(value: float | None) -> float | None:
    """Return seconds above 0, or None for no limit. Raises: InputError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 < value < math.inf):
        raise InputError(f"timeout is {value!r}; expected seconds, above 0, or None for no limit.")
    return float(min(value, _LONGEST_TIMEOUT))


def check_seconds(value: float) -> float:
    """Return seconds above 0, for a wait that must end. Raises: InputError, also for None."""
    seconds = check_timeout(value)
    if seconds is None:
        raise InputError("timeout is None; expected seconds, above 0: a server may never start.")
    return seconds


def check_windows(long: str, stride: int | None, *, has_pairs: bool) -> bool:
    """Return whether long texts are read in windows. Raises: InputError, as `Classifier`."""
    check_long(long, stride, has_pairs=has_pairs)
    if stride is not None:
        check_whole_number(stride, "stride", 0)
    return long == "windows"
