"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS, and the models that it would make answer wrong logits.

With the variable set, each oneDNN kernel of a product with a bias keeps the first weights that it
sees, in an order that suits the processor. TensorFlow makes a kernel for each node. Calls of one
function share its kernels unless the function is inlined.

Source: TensorFlow 2.21, core/kernels/mkl/mkl_matmul_op_fused.cc, `CacheWeight`.
"""

import os
from pathlib import Path

from tfclf.errors import InputError, SavedModelError
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
    """Refuse an export whose layers share kernels, if the variable is set.

    Exports of the lean engine had one traced step for all layers, before their manifest said
    otherwise. A TF class is traced layer by layer.

    Raises: SavedModelError.
    """
    if is_set() and manifest.engine == "lean" and not manifest.frozen_weights:
        raise SavedModelError(
            f"{source} is an older export of the lean engine, and {VARIABLE}="
            f"{os.environ[VARIABLE]} is set: oneDNN would use the first layer's weights for all "
            f"layers, and the logits would be wrong. Expected an export whose manifest says "
            f"frozen_weights: true. Export the checkpoint again, or unset the variable."
        )


def check_training() -> None:
    """Refuse to train while the variable is set: kernels would keep the weights of the first step.

    Raises: InputError.
    """
    if is_set():
        raise InputError(
            f"{VARIABLE}={os.environ[VARIABLE]} is set, and training changes the weights: oneDNN "
            f"would compute every step with those of the first. Expected the variable not to be "
            f"set. Unset it to train; exports may be served with it."
        )


def is_set() -> bool:
    """Tell whether TensorFlow reads the variable as true."""
    return os.environ.get(VARIABLE, "").lower() in ("1", "true")
