"""How often a classifier is right: metrics under the published cards' names, how sure it is, and where it errs.

writing             the files of a report: JSON, Markdown, HTML, plots
pages, plot         a report as text, and as pictures
side_by_side        two models on the same rows -> Comparison
metrics             one model -> Report
published, about    a card's figures; what was evaluated
tally               answers beside the truth, row by row
comparison, report, mcnemar, calibration, mistakes, files
"""

from tfclf.evaluation.comparison import Comparison
from tfclf.evaluation.metrics import evaluate
from tfclf.evaluation.report import ClassMetrics, Report
from tfclf.evaluation.side_by_side import Subject, compare

__all__ = ["ClassMetrics", "Comparison", "Report", "Subject", "compare", "evaluate"]
