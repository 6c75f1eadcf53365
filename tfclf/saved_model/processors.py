"""The processor of this machine, as far as exports depend on it."""

import platform


def is_x86_64() -> bool:
    """Tell whether this machine runs x86-64, for which TensorFlow has oneDNN's kernels."""
    return platform.machine().lower() in ("x86_64", "amd64")
