"""What an int8 export needs of the machine that runs it."""

import logging
import os
import platform
from pathlib import Path

from tfclf.errors import InputError, SavedModelError
from tfclf.saved_model.manifest import INT8, INT8_BFLOAT16, INT8_RESTS, Manifest
from tfclf.saved_model.processors import is_x86_64
from tfclf.saved_model.versions import list_versions

_TENSORFLOW = "2.17 or later"
# By precision; others run wherever TensorFlow does.
REQUIRES = {
    INT8: {
        "tensorflow": _TENSORFLOW,
        "processor": "x86-64; fastest with AVX512-VNNI, AVX-VNNI or AMX",
    },
    INT8_BFLOAT16: {
        "tensorflow": _TENSORFLOW,
        "processor": "x86-64 with AVX512-BF16 or AMX",
    },
}
_FIRST_TENSORFLOW = (2, 17)
_FAST_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}
_LIMIT = "ONEDNN_MAX_CPU_ISA"  # an environment variable that oneDNN reads
_WITH_BFLOAT16 = ("BF16", "FP16", "AMX", "DEFAULT")  # parts of its values
_CPU_INFO = Path("/proc/cpuinfo")
_log = logging.getLogger("tfclf")


def check_requirements(manifest: Manifest, *, source: Path, tensorflow: str | None = None) -> None:
    """Refuse an int8 export where its products cannot run; log if they run without speed.

    Args:
      source: the export's version folder.
      tensorflow: the version that would run it; None if that is checked elsewhere.
    Raises: SavedModelError.
    """
    precision = manifest.precision
    if precision not in INT8_RESTS:
        return
    if tensorflow is not None and _parse(tensorflow) < _FIRST_TENSORFLOW:
        found = f"TensorFlow is {tensorflow}"
    elif obstacle := find_obstacle(precision):
        found = obstacle
    else:
        _log_slow_processor(source)
        return
    needs = REQUIRES[precision]
    raise SavedModelError(
        f"{source} is an export in {precision}, and {found}; expected TensorFlow "
        f"{needs['tensorflow']} on {needs['processor']}. {_name_float_export(source)}"
    )


def check_platform(precision: str) -> None:
    """Refuse to make an int8 export on a machine that could not run it. Raises: InputError."""
    if obstacle := find_obstacle(precision):
        raise InputError(
            f"precision={precision!r} needs oneDNN's products for "
            f"{REQUIRES[precision]['processor']}, and {obstacle}. Export on such a machine, or use "
            f"{'int8' if is_x86_64() else 'float32'!r}."
        )


def find_obstacle(precision: str) -> str:
    """Say why products of a precision do not run on this processor; "" if they do."""
    if not is_x86_64():
        return f"this processor is {platform.machine()}"
    if precision != INT8_BFLOAT16:
        return ""
    # Without these instructions oneDNN has no such product, and ends the process.
    flags = _read_flags()
    if flags is None:
        return "this system does not tell what the processor has"
    limit = os.environ.get(_LIMIT, "")
    if limit and not any(name in limit.upper() for name in _WITH_BFLOAT16):
        return f"{_LIMIT}={limit} is set, which leaves both out"
    return "" if flags & _BFLOAT16_FLAGS else "this processor has neither"


def _parse(version: str) -> tuple[int, int]:
    """Return major and minor of a version.

    >>> _parse("2.16.1")
    (2, 16)
    """
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _read_flags() -> set[str] | None:
    """Read the names of the processor's features; None where Linux does not tell."""
    try:
        return set(_CPU_INFO.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return None


def _log_slow_processor(source: Path) -> None:
    flags = _read_flags()
    if flags is not None and not flags & _FAST_FLAGS:
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
        if precision not in INT8_RESTS:
            return f"Use {version} instead, which is {precision}."
    return "Export the checkpoint with precision='float32' (--precision float32) and use that."
