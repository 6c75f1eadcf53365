"""Scores beside the figures that a model card has published."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tfclf.catalog.cards import Card
from tfclf.evaluation.scores import Scores

# These depend on the machine and its load, not on the model.
_SPEED_METRICS = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")

_CLASS_METRICS = ("precision", "recall", "f1-score")  # not support, which describes the rows


@dataclass(frozen=True)
class Figure:
    """One metric, here and on the card.

    Attributes:
      difference: here minus published.
    """

    metric: str
    here: float
    published: float
    difference: float


@dataclass(frozen=True)
class Published:
    """A card's figures beside ours.

    Attributes:
      card: its name.
      language: of its texts, ISO 639-1.
      remarks: reasons not to compare the two.
    """

    card: str
    title: str
    language: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the part of `metrics.json` under "card"."""
        return asdict(self)


def compare_with_card(scores: Scores, card: Card) -> Published:
    """Put every metric that both have side by side, in the card's order."""
    ours = scores.metrics()
    figures = [
        _make_figure(name, ours[name], value)
        for name, value in card.metrics.items()
        if name in ours
    ]
    for line in scores.classes:
        published = card.metrics_by_class.get(line.label, {})
        here = line.to_dict()
        figures += [
            _make_figure(f"{line.label}: {name}", here[name], published[name])
            for name in _CLASS_METRICS
            if name in published
        ]
    remarks = tuple(_remarks(scores, card))
    return Published(card.name, card.title, card.language, tuple(figures), remarks)


def _make_figure(name: str, here: float, published: float) -> Figure:
    return Figure(name, here, published, here - published)


def _remarks(scores: Scores, card: Card) -> Iterator[str]:
    rows = card.training.test_rows
    if scores.samples == rows:
        yield (
            f"The card's figures are of {rows:,} rows ({card.training.data_set}), and as many were "
            f"evaluated here. Whether they are the same rows, a number cannot tell."
        )
    else:
        yield (
            f"Other rows: the card's figures are of {rows:,} rows ({card.training.data_set}), and "
            f"{scores.samples:,} were evaluated here. The differences say little."
        )
    if set(scores.labels) != set(card.labels):
        yield (
            f"Other labels: the card has {', '.join(card.labels)}; "
            f"the model has {', '.join(scores.labels)}."
        )
    if any(name in card.metrics for name in _SPEED_METRICS):
        yield "Runtime and rates were measured on other machines."
    if card.notes:
        yield " ".join(card.notes.split())
