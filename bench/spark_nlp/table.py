"""The result of `bench.spark_nlp` as a Markdown table."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import compare_turns
from bench.peers.engine import Array

_EQUAL = 0.001


def make_figure(seconds: Sequence[float], best: Sequence[float], *, texts: int) -> dict[str, Any]:
    """Return texts per second, and how many times as fast as the best of Spark NLP.

    >>> make_figure([1.0, 2.0, 2.0], [8.0, 8.0, 10.0], texts=10)
    {'texts_per_second': 5.0, 'ratio': 5.0, 'ratio_range': [4.0, 8.0]}

    Args:
      seconds: those of each round.
      best: those of the faster of Spark NLP's turns in each round.
    """
    ratio, spread = compare_turns(best, seconds)
    rate = texts / statistics.median(seconds)
    return {
        "texts_per_second": float(f"{rate:.4g}"),
        "ratio": ratio,
        "ratio_range": list(spread),
    }


def compare_answers(theirs: Array, ours: Array) -> dict[str, Any]:
    """Return on how many texts labels, and probabilities to 0.001, are the same.

    Args:
      theirs, ours: logits, up to a number per text.
    """
    differences = np.abs(_probabilities(theirs) - _probabilities(ours)).max(axis=1)
    return {
        "texts": len(ours),
        "same_label": int((theirs.argmax(axis=1) == ours.argmax(axis=1)).sum()),
        "same_probabilities": int((differences <= _EQUAL).sum()),
        "median_difference": float(f"{np.median(differences):.2g}"),
        "largest_difference": float(f"{differences.max():.2g}"),
    }


def _probabilities(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def render(path: Path) -> str:
    """Return the table of a result."""
    content = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        f"| {content['case']}, float32, {content['texts']} | texts/s | times Spark NLP |",
        "|-|-:|-:|",
    ]
    for one in content["figures"]:
        low, high = one["ratio_range"]
        lines.append(
            f"| {one['name']} | {one['texts_per_second']:.1f} "
            f"| {one['ratio']:.2f} ({low:.2f}-{high:.2f}) |"
        )
    return "\n".join([*lines, "", _describe(content)])


def _describe(content: Mapping[str, Any]) -> str:
    machine, peer, same = content["machine"], content["versions"]["peer"], content["agreement"]
    return (
        f"Measured {content['made'][:10]} on {machine['processor']}, {machine['cores']} cores, "
        f"`{content['master']}`, {content['rounds']} rounds in turn; the ratio is to the faster of "
        f"Spark NLP's two turns in each round: median and range of pairs. Spark NLP "
        f"{peer['spark-nlp']} on Spark {peer['pyspark']} with TensorFlow 2.7.4 for Java, tfclf on "
        f"Spark {content['versions']['spark']['pyspark']} with TensorFlow {machine['tensorflow']}. "
        f"Same label on {same['same_label']} of {same['texts']} texts, probabilities within 0.001 "
        f"on {same['same_probabilities']}: Spark NLP splits texts into other tokens."
    )
