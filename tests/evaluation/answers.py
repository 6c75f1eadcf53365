"""Rows, and models that answer them as a test says."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from tfclf.data import Row
from tfclf.evaluation import Report, evaluate
from tfclf.prediction import Prediction

LABELS = ("neg", "pos")
Predict = Callable[[Iterable[str]], Iterator[Prediction]]


def says(answers: Iterable[str], score: float = 0.75) -> Predict:
    """A `predict` that gives these labels in order, each with the same probability."""
    return gives((label, score) for label in answers)


def gives(answers: Iterable[tuple[str, float]], labels: Sequence[str] = LABELS) -> Predict:
    """A `predict` that gives these labels in order with these probabilities, the rest shared by the others."""
    remaining = iter(answers)

    def predict(texts: Iterable[str]) -> Iterator[Prediction]:
        for _ in texts:
            label, score = next(remaining)
            shares = {
                other: score if other == label else (1 - score) / (len(labels) - 1)
                for other in labels
            }
            yield Prediction(label, score, shares)

    return predict


def rows(labels: Iterable[str]) -> list[Row]:
    return [Row(f"text {number}", label) for number, label in enumerate(labels, 1)]


def report_on(texts: Sequence[str], labels: Sequence[str] = LABELS) -> Report:
    """Every text is of the last label, and the first one is predicted, ever less surely."""
    answers = [(labels[0], 0.9 - 0.001 * number) for number in range(len(texts))]
    data = [Row(text, labels[-1]) for text in texts]
    return evaluate(gives(answers, labels), data, labels, batch_size=2, mistakes=len(texts))
