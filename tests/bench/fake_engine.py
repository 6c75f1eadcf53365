"""An engine for `bench.peers.worker` that needs no package: logits from the texts' lengths."""

import os
import signal
from collections.abc import Sequence

import numpy as np

from bench.peers.engine import Array, Classify, Material, Unavailable

LABELS = 3


def logits_of(texts: Sequence[str], *, error: float = 0.0) -> Array:
    lengths = np.array([[len(text)] for text in texts], np.float64)
    return np.sin(lengths + np.arange(LABELS)) + error * np.eye(LABELS)[:1]


def prepare(material: Material, *, fault: str = "", error: float = 0.0) -> None:
    if fault == "unavailable":
        raise Unavailable("the processor lacks an instruction")
    if fault == "missing":
        import a_package_that_nobody_has  # type: ignore[import-not-found]  # noqa: F401


def load(material: Material, *, fault: str = "", error: float = 0.0) -> Classify:
    print("libraries print to standard output, too")  # noqa: T201
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGILL)
    if fault == "raises":
        raise ValueError("no such model")
    return lambda texts: logits_of(texts, error=error)
