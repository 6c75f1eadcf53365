"""Measures of a classifier: accuracy, calibration and mistakes, under the cards' metric names.

| module | what it does |
|-|-|
| `multi_label` | a multi-label model -> MultiLabelReport |
| `side_by_side` | two models on the same rows -> Comparison |
| `metrics`, `comparison` | one model -> Report; the public record of two models |
| `report` | the public record of one model; like `comparison`, it adds writing |
| `writing` | the files of a report: JSON, Markdown, HTML, plots |
| `pages` | a report as HTML and as Markdown |
| `plot`, `published`, `provenance` | pictures; a card's figures; what was evaluated |
| `tally` | predictions beside true labels |
| `pair_scores`, `scores` | plain records: scores of two models, and of one |
| `calibration`, `mcnemar`, `mistakes` | parts of them |

A module imports only from lines below its own.
"""

from tfclf.evaluation.comparison import Comparison
from tfclf.evaluation.metrics import evaluate
from tfclf.evaluation.multi_label import MultiLabelReport, evaluate_multi_label
from tfclf.evaluation.report import Report
from tfclf.evaluation.scores import ClassMetrics
from tfclf.evaluation.side_by_side import Subject, compare

__all__ = [
    "ClassMetrics",
    "Comparison",
    "MultiLabelReport",
    "Report",
    "Subject",
    "compare",
    "evaluate",
    "evaluate_multi_label",
]
