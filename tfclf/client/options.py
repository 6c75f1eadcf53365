"""A client's options, checked."""

import math
from dataclasses import dataclass

from tfclf.errors import InputError

# gRPC makes five attempts at most, whatever its service config says; REST keeps to the same.
MOST_RETRIES = 4


@dataclass(frozen=True)
class Options:
    """What holds for every request of a client; `Client` says what each is.

    Attributes:
      version: a number or None.
      label: a version's label or None.
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

    @classmethod
    def checked(
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
    ) -> "Options":
        """Raises: InputError."""
        if model is not None and (not isinstance(model, str) or not model):
            raise InputError(f"model is {model!r}; expected the name that the server has for it.")
        if version is not None and (
            isinstance(version, bool) or not isinstance(version, int | str) or version == ""
        ):
            raise InputError(
                f"version is {version!r}; expected a number, a label such as 'stable', or None: the latest."
            )
        return cls(
            model="default" if model is None else model,
            version=version if isinstance(version, int) else None,
            label=version if isinstance(version, str) else None,
            timeout=checked_timeout(timeout),
            retries=whole(retries, "retries", 0, MOST_RETRIES),
            batch_size=whole(batch_size, "batch_size"),
            batch_bytes=whole(batch_bytes, "batch_bytes"),
            in_flight=whole(in_flight, "in_flight"),
            xla=xla,
        )


def whole(value: int, name: str, least: int = 1, most: int | None = None) -> int:
    """`value`, if it is a whole number in range. Raises: InputError."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < least
        or (most is not None and value > most)
    ):
        expected = f"above {least - 1}" if most is None else f"from {least} to {most}"
        raise InputError(f"{name} is {value!r}; expected a whole number {expected}.")
    return value


def checked_timeout(value: float | None) -> float | None:
    """Raises: InputError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 < value < math.inf):
        raise InputError(f"timeout is {value!r}; expected seconds, above 0, or None: no limit.")
    return float(value)


def checked_seconds(value: float) -> float:
    """As `checked_timeout`, where there must be a limit. Raises: InputError."""
    seconds = checked_timeout(value)
    if seconds is None:
        raise InputError("timeout is None; expected seconds, above 0: a server may never come.")
    return seconds
