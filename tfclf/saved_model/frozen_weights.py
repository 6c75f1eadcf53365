"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS, and the exports that it would make answer wrong logits."""

import os
from pathlib import Path

from tfclf.errors import SavedModelError
from tfclf.saved_model.manifest import Manifest

VARIABLE = "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"


def check_frozen_weights(folder: Path) -> None:
    """Refuse an export that oneDNN would make answer wrong logits.

    With the variable set, a oneDNN kernel keeps the first weights that it sees. In lean exports
    made before manifests had the key `frozen_weights`, all layers share their kernels.

    Args:
      folder: a version of any SavedModel; those that tfclf did not write pass.
    Raises: SavedModelError.
    """
    value = os.environ.get(VARIABLE, "")
    if value.lower() not in ("1", "true"):  # as TensorFlow reads it
        return
    if not Manifest.path(folder).is_file():
        return
    manifest = Manifest.read(folder)
    if manifest.engine == "lean" and not getattr(manifest, "frozen_weights", False):
        raise SavedModelError(
            f"{folder} was exported by an older version of tfclf, and {VARIABLE}={value} is set: "
            f"oneDNN would use the first layer's weights for all layers, and the logits would be "
            f"wrong. Expected the variable not to be set, or an export whose manifest has "
            f"frozen_weights. Unset the variable, or export the model again."
        )
