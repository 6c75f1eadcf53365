"""Consoles for people and pipes."""

import sys
from typing import Any

_WHOLE = 1_000_000  # columns: nothing is that long


def make_console(**options: Any) -> Any:
    """Return a Console of standard output that never cuts or wraps if that is no terminal.

    Rich takes 80 columns for a pipe, which would cut paths and names that `grep` looks for.

    Args:
      **options: those of rich's Console.
    """
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _WHOLE, **options)
