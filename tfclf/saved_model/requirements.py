"""What an int8 export needs of the machine that runs it."""

import logging
import platform
from pathlib import Path

from tfclf.errors import InputError, SavedModelError
from tfclf.saved_model.manifest import INT8, Manifest
from tfclf.saved_model.processors import is_x86_64
from tfclf.saved_model.versions import list_versions

REQUIRES = {
    "tensorflow": "2.17 or later",
    "processor": "x86-64; fastest with AVX512-VNNI, AVX-VNNI or AMX",
}
_FIRST_TENSORFLOW = (2, 17)
_FAST_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
_CPU_INFO = Path("/proc/cpuinfo")
_log = logging.getLogger("tfclf")


def check_requirements(manifest: Manifest, *, source: Path, tensorflow: str | None = None) -> None:
    """Refuse an int8 export where its products cannot run; log if they run without speed.

    Args:
      source: the export's version folder.
      tensorflow: the version that would run it; None if that is checked elsewhere.
    Raises: SavedModelError.
    """
    if manifest.precision != INT8:
        return
    if tensorflow is not None and _parse(tensorflow) < _FIRST_TENSORFLOW:
        found = f"TensorFlow is {tensorflow}"
    elif not is_x86_64():
        found = f"this processor is {platform.machine()}"
    else:
        _log_slow_processor(source)
        return
    raise SavedModelError(
        f"{source} is an int8 export, and {found}; expected TensorFlow {REQUIRES['tensorflow']} on "
        f"x86-64: nothing else has its products. {_name_float_export(source)}"
    )


def check_platform() -> None:
    """Refuse to make an int8 export on a machine that could not run it. Raises: InputError."""
    if not is_x86_64():
        raise InputError(
            f"precision='int8' needs oneDNN's products for x86-64, and this processor is "
            f"{platform.machine()}. Export on an x86-64 machine, or use precision='float32'."
        )


def _parse(version: str) -> tuple[int, int]:
    """Return major and minor of a version.

    >>> _parse("2.16.1")
    (2, 16)
    """
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _log_slow_processor(source: Path) -> None:
    try:
        flags = _CPU_INFO.read_text(encoding="utf-8", errors="replace").split()
    except OSError:  # not Linux
        return
    if not _FAST_FLAGS.intersection(flags):
        _log.info(
            "%s: int8 runs here without AVX512-VNNI, AVX-VNNI or AMX: the answers are the same, "
            "and small batches gain little.",
            source,
        )


def _name_float_export(source: Path) -> str:
    """Name the export to use instead: a version beside it in floats, if there is one."""
    for version in reversed(list_versions(source.parent)):
        try:
            precision = Manifest.read(version).precision
        except SavedModelError:
            continue
        if precision != INT8:
            return f"Use {version} instead, which is {precision}."
    return "Export the checkpoint with precision='float32' (--precision float32) and use that."
