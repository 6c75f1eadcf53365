"""The start of TensorFlow, for every command that needs it."""

import importlib
from pathlib import Path

from tfclf._tensorflow import count_cores, quiet_start
from tfclf.catalog import resolve
from tfclf.errors import SourceError
from tfclf.saved_model.frozen_weights import assume_if_safe, drop_frozen_weights
from tfclf.saved_model.threads import give_each_part_a_core
from tfclf.saved_model.versions import saved_model_folder


def start_tensorflow(*packages: str) -> None:
    """Import TensorFlow, and packages that greet as it does, without their greetings.

    Call it before the first import of a module that imports TensorFlow. What is printed later,
    such as a warning of ours, reaches the user. Errors while importing are shown in full.
    """
    with quiet_start():
        for package in packages:
            importlib.import_module(package)


def start_to_predict(*sources: str) -> None:
    """Start TensorFlow in a process that loads these models and classifies, and does nothing else.

    Weights count as frozen if every source is an export that allows it. A checkpoint has no
    manifest that could say so. A source that is not there is for `tfclf.load` to refuse.
    """
    try:
        versions = [_find_version(source) for source in sources]
    except (SourceError, OSError):
        versions = [None]
    exports = [version for version in versions if version is not None]
    if len(exports) == len(versions):
        assume_if_safe(exports)
        give_each_part_a_core(exports, cores=count_cores())
    start_tensorflow()


def start_to_make(command: str) -> None:
    """Start TensorFlow for a command that trains, or makes or proves exports.

    Args:
      command: its name, such as 'tfclf train'.
    """
    drop_frozen_weights(command)
    start_tensorflow()


def _find_version(source: str) -> Path | None:
    """Find the version that `tfclf.load` takes, without a word; None for a checkpoint."""
    return saved_model_folder(resolve.find(source).path, passed_over=lambda _: None)
