"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS, and the models that it would make answer wrong logits."""

import os
from pathlib import Path

from tfclf.errors import SavedModelError
from tfclf.saved_model.manifest import Manifest

VARIABLE = "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"


def check_frozen_weights(folder: Path) -> None:
    """Refuse an export that oneDNN would make answer wrong logits.

    Args:
      folder: a version of any SavedModel; those that tfclf did not write pass.
    Raises: SavedModelError.
    """
    if is_set() and Manifest.path(folder).is_file():
        check_shared_kernels(Manifest.read(folder), source=folder)


def check_shared_kernels(manifest: Manifest, *, source: Path) -> None:
    """Refuse a model whose layers share kernels, if the variable is set.

    With the variable set, a oneDNN kernel keeps the first weights that it sees. In the lean engine,
    one traced step serves all layers.

    Raises: SavedModelError.
    """
    if is_set() and manifest.engine == "lean":
        raise SavedModelError(
            f"{source} runs on the lean engine, and {VARIABLE}={os.environ[VARIABLE]} is set: "
            f"oneDNN would use the first layer's weights for all layers, and the logits would be "
            f"wrong. Expected the variable not to be set. Unset it, or take engine='original'."
        )


def is_set() -> bool:
    """Tell whether TensorFlow reads the variable as true."""
    return os.environ.get(VARIABLE, "").lower() in ("1", "true")
