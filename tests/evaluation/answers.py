"""Rows, and stub models whose predictions a test chooses."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tfclf.data import Row
from tfclf.evaluation import Report, evaluate
from tfclf.prediction import Prediction

LABELS = ("neg", "pos")
Predict = Callable[[Iterable[str]], Iterator[Prediction]]


def says(answers: Iterable[str], score: float = 0.75) -> Predict:
    """Return a `predict` that gives these labels in order, each with the same probability."""
    return gives((label, score) for label in answers)


def gives(answers: Iterable[tuple[str, float]], labels: Sequence[str] = LABELS) -> Predict:
    """Return a `predict` that gives these labels with these probabilities, in order.

    The other labels share the rest of the probability equally.
    """
    remaining = iter(answers)

    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        for _ in texts:
            label, score = next(remaining)
            probabilities = {
                other: score if other == label else (1 - score) / (len(labels) - 1)
                for other in labels
            }
            yield Prediction(label, score, probabilities)

    return predict


def rows(labels: Iterable[str]) -> list[Row]:
    return [Row(f"text {number}", label) for number, label in enumerate(labels, 1)]


def report_on(texts: Sequence[str], labels: Sequence[str] = LABELS) -> Report:
    """Evaluate texts of the last label, predicted as the first with falling probability."""
    answers = [(labels[0], 0.9 - 0.001 * number) for number in range(len(texts))]
    data = [Row(text, labels[-1]) for text in texts]
    return evaluate(gives(answers, labels), data, labels, batch_size=2, mistakes=len(texts))
