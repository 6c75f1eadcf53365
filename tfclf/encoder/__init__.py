"""The lean engine: one transformer encoder for every family, weights moved in from the original class."""

from tfclf.encoder.engine import LeanEngine
from tfclf.encoder.sizes import unfit

__all__ = ["LeanEngine", "unfit"]
