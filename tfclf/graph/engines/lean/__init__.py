"""The lean engine: one transformer encoder for every family, weights moved in from the original class."""

from tfclf.graph.engines.lean.engine import LeanEngine
from tfclf.graph.engines.lean.sizes import unfit

__all__ = ["LeanEngine", "unfit"]
