"""The lean engine: one transformer encoder for every family, with the original class's weights."""

from tfclf.graph.engines.lean.engine import LeanEngine
from tfclf.graph.engines.lean.sizes import explain_not_lean

__all__ = ["LeanEngine", "explain_not_lean"]
