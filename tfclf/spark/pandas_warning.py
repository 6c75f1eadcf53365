"""Silence one warning of PySpark, where it is about nothing that happens here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ignore_pandas_warning() -> Iterator[None]:
    """Silence PySpark 4.3's warning of pandas 3 within the block.

    PySpark warns when it makes a session or a vectorised function, whether pandas is used or not.
    The functions here move Arrow arrays, and use no pandas.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield
