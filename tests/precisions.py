"""Options of an export for each precision."""

from typing import Any

from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.manifest import INT8

CALIBRATION_TEXTS = [*HEADLINES, "news " * 60, *hostile_texts(250)]


def options_of(precision: str) -> dict[str, Any]:
    """Return the arguments of `export` and `build` for a precision."""
    if precision == INT8:
        return {"precision": precision, "calibration_texts": CALIBRATION_TEXTS}
    return {"precision": precision}
