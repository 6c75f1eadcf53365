"""How often a classifier is right: metrics under the published cards' names, and the confusion matrix."""

from tfclf.evaluation.metrics import evaluate
from tfclf.evaluation.report import ClassMetrics, Report

__all__ = ["ClassMetrics", "Report", "evaluate"]
