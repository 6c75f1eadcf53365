"""A report beside the figures that a model card has published."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tfclf.catalog.cards import Card
from tfclf.evaluation.report import Report

# Of the machine and what else it did, not of the model.
_OF_SPEED = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")

_OF_CLASS = ("precision", "recall", "f1-score")  # support is of the rows


@dataclass(frozen=True)
class Figure:
    """One metric, here and on the card.

    Attributes:
      difference: here less published.
    """

    metric: str
    here: float
    published: float
    difference: float


@dataclass(frozen=True)
class Published:
    """A card's figures and ours.

    Attributes:
      card: its name.
      language: of its texts, ISO 639-1.
      remarks: what speaks against comparing the two.
    """

    card: str
    title: str
    language: str
    figures: tuple[Figure, ...]
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As `metrics.json` has it."""
        return asdict(self)


def beside_card(report: Report, card: Card) -> Published:
    """Every figure that both have, in the card's order."""
    ours = report.metrics()
    figures = [
        _figure(name, ours[name], figure) for name, figure in card.metrics.items() if name in ours
    ]
    for line in report.classes:
        of_class = card.metrics_by_class.get(line.label, {})
        mine = line.to_dict()
        figures += [
            _figure(f"{line.label}: {name}", mine[name], of_class[name])
            for name in _OF_CLASS
            if name in of_class
        ]
    return Published(
        card.name, card.title, card.language, tuple(figures), tuple(_remarks(report, card))
    )


def _figure(name: str, here: float, published: float) -> Figure:
    return Figure(name, here, published, here - published)


def _remarks(report: Report, card: Card) -> Iterator[str]:
    rows = card.training.test_rows
    if report.samples == rows:
        yield (
            f"The card's figures are of {rows:,} rows ({card.training.data_set}), and as many were evaluated here. "
            f"Whether they are the same rows, a number cannot tell."
        )
    else:
        yield (
            f"Other rows: the card's figures are of {rows:,} rows ({card.training.data_set}), and "
            f"{report.samples:,} were evaluated here. The differences say little."
        )
    if set(report.labels) != set(card.labels):
        yield f"Other labels: the card has {', '.join(card.labels)}; the model has {', '.join(report.labels)}."
    if any(name in card.metrics for name in _OF_SPEED):
        yield "Runtime and rates are of other machines."
    if card.notes:
        yield " ".join(card.notes.split())
