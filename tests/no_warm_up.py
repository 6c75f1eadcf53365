"""Loading of an export without its warm-up, which takes seconds; not for tests of warm-up."""

from pathlib import Path

from tfclf.saved_model.manifest import Manifest
from tfclf.server.lifecycle import loading, warm_up
from tfclf.server.runtime.servable import Servable


def skip_warm_up_of_exports() -> None:
    """Let servers of this process load exports without a warm-up."""
    vars(loading).update(warm_up=_warm_up_others, warm_up_signatures=lambda _: 0)


def _warm_up_others(servable: Servable, folder: Path, *, runs: int) -> int:
    return 0 if Manifest.path(folder).is_file() else warm_up.warm_up(servable, folder, runs=runs)
