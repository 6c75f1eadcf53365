"""Every command of `tfclf`, in the order in which --help lists them."""

from collections.abc import Callable
from typing import Any

ALL: tuple[Callable[..., Any], ...] = ()
