"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS: who may have it, and the models that it would make wrong.

With the variable set, each oneDNN kernel of a product with a bias keeps the first weights that it
sees, in an order that suits the processor. TensorFlow makes a kernel for each node. Calls of one
function share its kernels unless the function is inlined. Signatures share none, so each one that
is called keeps a copy of the layers' weights.

| process | variable |
|-|-|
| of tfclf, and it only classifies | `assume_if_safe` sets it if all models' manifests allow it |
| of tfclf, and it serves | so too, `many_signatures`: if all models compute in bfloat16 besides |
| TF Serving, started by tfclf | `variables_for`, `many_signatures` |
| of tfclf, and it trains or makes exports | `drop_frozen_weights` removes it |
| of the user | `assume_frozen_weights` sets it; training is then refused |

A value that the operator has set stays, 0 as well. TensorFlow reads it once, when it starts.

Source: TensorFlow 2.21, core/kernels/mkl/mkl_matmul_op_fused.cc, `CacheWeight`.
"""

import logging
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path

from tfclf.errors import InputError, SavedModelError, TfclfError
from tfclf.saved_model.manifest import INT8_BFLOAT16, Manifest
from tfclf.saved_model.processors import is_x86_64
from tfclf.saved_model.versions import list_versions

VARIABLE = "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # by default on for some processors only

_log = logging.getLogger(__name__)

_own_reason = ""  # why tfclf has set the variable in this process; "" if it has not


def assume_frozen_weights() -> bool:
    """Speed up models in a process that only classifies; call it before TensorFlow is imported.

    oneDNN then keeps each weight in the order that suits the processor, in a copy. Small batches
    gain most, and bfloat16 more than float32.

        import tfclf

        tfclf.assume_frozen_weights()
        clf = tfclf.load("saved_models/news")

    It sets TF_ONEDNN_ASSUME_FROZEN_WEIGHTS and TF_ENABLE_ONEDNN_OPTS in the environment, which
    processes that are started later inherit; values that are set already stay. `tfclf.train`, and
    exports of the lean engine by older versions of tfclf, are refused from then on. Other code must
    not train with TensorFlow in this process: its products would stay those of the first step.

    Returns: whether weights count as frozen; not if the environment says 0, nor on a processor
      other than x86-64, where this was not tried.
    Raises: TfclfError if TensorFlow has been imported: it reads the environment only then.
    """
    if _has_tensorflow():
        if is_set():  # by the environment, or by an earlier call
            return True
        raise TfclfError(
            f"tfclf.assume_frozen_weights() was called after TensorFlow had been imported, which "
            f"reads {VARIABLE} only once. Expected the call before `import tensorflow` and before "
            f"the first other use of tfclf, which imports it: write `import tfclf; "
            f"tfclf.assume_frozen_weights()` at the top of the program. Or start the program with "
            f"{VARIABLE}=1 and {ONEDNN}=1 in its environment."
        )
    return _set(_choose_variables(), "tfclf.assume_frozen_weights() was called")


def assume_if_safe(models: Iterable[Path], *, many_signatures: bool = False) -> bool:
    """Set the variables in a process of tfclf's own that runs these models and does nothing else.

    Nothing happens if TensorFlow has been imported, or if the models do not allow it.

    Args:
      models: folders of versions, or base paths, of which each version must allow it: a server may
        load any of them.
      many_signatures: as for `variables_for`.
    Returns: whether weights count as frozen.
    """
    if _has_tensorflow():
        _log.debug("%s stays as it is: TensorFlow has been imported", VARIABLE)
        return is_set()
    variables = variables_for(models, many_signatures=many_signatures)
    return _set(variables, "all models at its start allow it")


def variables_for(models: Iterable[Path], *, many_signatures: bool = False) -> dict[str, str]:
    """Return the variables for a process that runs these models: none if one forbids it.

    Args:
      models: as for `assume_if_safe`.
      many_signatures: whether the process is a server, whose warm-up calls most signatures. Each
        keeps a copy of the weights, and only models in bfloat16 gain enough for that. The operator
        may decide otherwise, by setting the variable.
    """
    obstacle = _find_obstacle(models, bfloat16_only=many_signatures and not is_set())
    if obstacle:
        _log.debug("%s is not set: %s", VARIABLE, obstacle)
        return {}
    return _choose_variables()


def drop_frozen_weights(work: str) -> None:
    """Remove the variable from a process of tfclf's own that must not have it, and log that.

    It is too late once TensorFlow has been imported; `check_training` refuses then.

    Args:
      work: the name of the work, such as 'tfclf train'.
    """
    if is_set() and not _has_tensorflow():
        value = os.environ.pop(VARIABLE)
        _log.warning(
            "%s=%s is for processes that only serve; `%s` runs without it.", VARIABLE, value, work
        )


def check_frozen_weights(folder: Path) -> None:
    """Refuse an export that oneDNN would make answer wrong logits.

    Args:
      folder: a version of any SavedModel. Those that tfclf did not write pass if the operator has
        set the variable, who may know them.
    Raises: SavedModelError.
    """
    if not is_set():
        return
    if _own_reason and _read_manifest(folder) is None:
        raise SavedModelError(
            f"{folder} has no manifest of tfclf that can be read, and {_describe_cause()}: oneDNN "
            f"might use one layer's weights for others. Expected an export whose manifest says "
            f"frozen_weights: true. To serve this one, start again with {VARIABLE}=0 in the "
            f"environment."
        )
    if Manifest.path(folder).is_file():
        check_shared_kernels(Manifest.read(folder), source=folder)


def check_shared_kernels(manifest: Manifest, *, source: Path) -> None:
    """Refuse an export whose layers share kernels, if the variable is set.

    Raises: SavedModelError.
    """
    if is_set() and _shares_kernels(manifest):
        way_out = f"start again with {VARIABLE}=0 in the environment"
        raise SavedModelError(
            f"{source} is an older export of the lean engine, and {_describe_cause()}: oneDNN "
            f"would use the first layer's weights for all layers, and the logits would be wrong. "
            f"Expected an export whose manifest says frozen_weights: true. Export the checkpoint "
            f"again, or {way_out if _own_reason else 'unset the variable'}."
        )


def check_training() -> None:
    """Refuse to train while the variable is set: kernels would keep the weights of the first step.

    Raises: InputError.
    """
    if is_set():
        raise InputError(
            f"{_describe_cause()}, and training changes the weights: oneDNN would compute every "
            f"step with those of the first. Expected the variable not to be set. Train in another "
            f"process, without it; exports may be served with it."
        )


def is_set() -> bool:
    """Tell whether TensorFlow reads the variable as true."""
    return os.environ.get(VARIABLE, "").lower() in ("1", "true")


def _has_tensorflow() -> bool:
    """Tell whether TensorFlow has been imported, and so has read the environment."""
    return "tensorflow" in sys.modules


def _shares_kernels(manifest: Manifest) -> bool:
    """Tell whether one kernel meets the weights of several layers.

    Exports of the lean engine had one traced step for all layers, before their manifest said
    otherwise. A TF class is traced layer by layer.
    """
    return manifest.engine == "lean" and not manifest.frozen_weights


def _find_obstacle(models: Iterable[Path], *, bfloat16_only: bool) -> str:
    """Say why the variable may not be set for these models; "" if it may."""
    models = list(models)
    if not models:
        return "no model is known"
    for model in models:
        versions = list_versions(model)
        if not versions:
            return f"{model} holds no version yet"
        for version in versions:
            manifest = _read_manifest(version)
            if manifest is None:
                return f"{version} has no manifest of tfclf that can be read"
            if _shares_kernels(manifest):
                return f"{version} is an older export, whose layers share kernels"
            if bfloat16_only and manifest.precision not in ("bfloat16", INT8_BFLOAT16):
                return (
                    f"{version} computes in {manifest.precision}, which gains less than a copy of "
                    f"the weights for each signature costs"
                )
    return ""


def _read_manifest(version: Path) -> Manifest | None:
    """Read a manifest; None if it is missing, broken or of another format."""
    try:
        return Manifest.read(version)
    except (SavedModelError, OSError):
        return None


def _choose_variables() -> dict[str, str]:
    """Return both variables, with the operator's values; none if those or the machine forbid it."""
    chosen = {name: os.environ.get(name, "1") for name in (VARIABLE, ONEDNN)}
    if not is_x86_64():
        obstacle = f"it was not tried on {platform.machine()}"
    elif any(value.lower() not in ("1", "true") for value in chosen.values()):
        obstacle = f"the environment says {chosen}"
    else:
        return chosen
    _log.debug("%s is not set: %s", VARIABLE, obstacle)
    return {}


def _set(variables: dict[str, str], reason: str) -> bool:
    global _own_reason
    if variables and not is_set():
        _own_reason = reason
    os.environ.update(variables)
    _log.debug("set in the environment, because %s: %s", reason, variables or "nothing")
    return is_set()


def _describe_cause() -> str:
    setting = f"{VARIABLE}={os.environ.get(VARIABLE, '')}"
    return f"tfclf has set {setting}, because {_own_reason}" if _own_reason else f"{setting} is set"
