"""TensorFlow's threads, for exports whose layers are divided into parts.

With one thread to an op and two ops at a time, each part of a layer has a core to itself, and the
cores meet twice a layer. By default all cores share each op, and meet at each. On two cores, one
text a call takes 20 to 40 % less time so, and a batch as long (docs/speed.md).
"""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from tfclf.errors import SavedModelError
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.versions import list_versions

INTRA_OP, INTER_OP = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"

_log = logging.getLogger(__name__)


def give_each_part_a_core(models: Iterable[Path], *, cores: int) -> bool:
    """Set TensorFlow's threads in a process of tfclf's own that runs these models.

    Call it before TensorFlow's first op. Nothing happens if the machine has more cores than the
    models have parts, since all others would idle; or if the operator has set one of the variables.

    Args:
      models: folders of versions, or base paths, of which each version must have as many parts.
      cores: that this process may use.
    Returns: whether the threads are set.
    """
    versions = [version for model in models for version in list_versions(model)]
    if cores == 1 or not versions or any(name in os.environ for name in (INTRA_OP, INTER_OP)):
        return False
    if any(_count_parts(version) != cores for version in versions):
        return False
    os.environ.update({INTRA_OP: "1", INTER_OP: str(cores)})
    _log.debug("one thread to an op, %d ops at a time: each part of a layer has a core", cores)
    return True


def _count_parts(version: Path) -> int:
    """Return the number of parts; 1 if the manifest is missing, broken or of another format."""
    try:
        return Manifest.read(version).parts
    except (SavedModelError, OSError):
        return 1
