"""Calibration: an export whose probabilities say how often they are right.

| module | what it does |
|-|-|
| `run` | `calibrate`: rows to logits, a fit, a new export, a report |
| `write` | the new export: a copy with another temperature |
| `report` | the figures before and after, as a record that writes itself to disk |
| `measures` | loss, calibration error and F1 of logits at a temperature |
| `fit` | the temperature, and the thresholds of a multi-label model |

A module imports only from lines below its own.
"""

from tfclf.calibrator.report import CalibrationReport
from tfclf.calibrator.run import calibrate

__all__ = ["CalibrationReport", "calibrate"]
