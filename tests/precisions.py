"""Options of an export for each precision, and the precisions that run on this machine."""

from typing import Any

import pytest

from tfclf.graph.build import PRECISIONS
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.manifest import INT8_RESTS
from tfclf.saved_model.requirements import find_obstacle

CALIBRATION_TEXTS = [*HEADLINES, "news " * 60, *hostile_texts(250)]
RUNNABLE = [precision for precision in PRECISIONS if not find_obstacle(precision)]


def mark_precisions(*left_out: str) -> list[Any]:
    """Return the precisions as cases of a test; those that do not run here skip, and say why."""
    return [
        pytest.param(
            precision,
            marks=[
                pytest.mark.skipif(
                    precision not in RUNNABLE,
                    reason=f"{precision} does not run here: {find_obstacle(precision)}",
                )
            ],
        )
        for precision in PRECISIONS
        if precision not in left_out
    ]


def options_of(precision: str) -> dict[str, Any]:
    """Return the arguments of `export` and `build` for a precision."""
    if precision in INT8_RESTS:
        return {"precision": precision, "calibration_texts": CALIBRATION_TEXTS}
    return {"precision": precision}
