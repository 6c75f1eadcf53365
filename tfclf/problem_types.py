"""The three problem types of transformers' `config.problem_type`: the one home of their names.

| problem type | labels | probabilities |
|-|-|-|
| `single_label_classification` | one of two or more | softmax of the logits |
| `multi_label_classification` | each by itself | sigmoid of each logit |
| `regression` | one, which names the quantity | none: `score` is the logit |
"""

from collections.abc import Callable
from typing import Any

SINGLE_LABEL = "single_label_classification"
MULTI_LABEL = "multi_label_classification"
REGRESSION = "regression"
CLASSIFICATION = (SINGLE_LABEL, MULTI_LABEL)
PROBLEM_TYPES = (*CLASSIFICATION, REGRESSION)


def activation_of(problem_type: str) -> Callable[[Any], Any] | None:
    """Return the function from logits to probabilities; None for a regression.

    >>> activation_of("regression") is None
    True
    """
    import tensorflow as tf  # this module's names are read where TensorFlow is not

    return {SINGLE_LABEL: tf.nn.softmax, MULTI_LABEL: tf.nn.sigmoid}.get(problem_type)
