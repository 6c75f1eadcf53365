"""Predictions beside true labels: numbers of every row, texts only of the worst mistakes."""

import math
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from tfclf.data import Row
from tfclf.data.pairing import pair_with_rows
from tfclf.errors import DataError, InputError
from tfclf.evaluation.mistakes import Mistake, Top, make_readable
from tfclf.prediction import Prediction

Predict = Callable[[Iterable[str]], Iterable[Prediction]]

# The smallest normal float32. A probability that underflowed to 0 would make the loss infinite.
_SMALLEST_PROBABILITY = 1.17549435e-38


class Tally:
    """The predictions of one model so far, in about 16 bytes per row.

    Attributes:
      truth, predicted: positions in `labels`, one per row.
      confidence: probability of the predicted label, one per row.
      loss: sum over the rows, in nats.
      mistakes: those with the highest probability of a wrong label, with their whole texts.
    """

    def __init__(self, labels: Sequence[str], *, independent: bool, mistakes: int) -> None:
        self.labels = tuple(labels)
        self.truth = array("i")
        self.predicted = array("i")
        self.confidence = array("d")
        self.loss = 0.0
        self.mistakes: Top[tuple[Mistake, str]] = Top(mistakes)
        self._index = {label: position for position, label in enumerate(labels)}
        self._independent = independent

    def add(self, row: Row, probabilities: Mapping[str, float], predicted: str) -> None:
        """Count one prediction. Raises: InputError if a probability is NaN."""
        true = row.label or ""
        loss = _loss(probabilities, true, independent=self._independent)
        number = len(self.truth) + 1
        confidence = probabilities[predicted]
        if math.isnan(loss) or math.isnan(confidence):
            raise InputError(
                f"predict gave a probability that is no number for text {number}. "
                f"The model's weights are broken; train or export it again."
            )
        self.loss += loss
        self.truth.append(self._index[true])
        self.predicted.append(self._index[predicted])
        self.confidence.append(confidence)
        if predicted != true and self.mistakes.wants(confidence):
            text = make_readable(row.text)
            mistake = Mistake(number, true, predicted, confidence, probabilities[true], text)
            self.mistakes.add(confidence, (mistake, row.text))


def predict_rows(
    predict: Predict, rows: Iterable[Row], labels: Sequence[str]
) -> Iterator[tuple[Row, Prediction]]:
    """Yield each row with its prediction, both checked against `labels`.

    Raises: DataError without a row, or for a row whose label is none of `labels`; InputError for
      fewer or more predictions than rows, for a label that is none of `labels`, and for a
      regression, which gives no probabilities.
    """
    pairs = pair_with_rows(
        _check_rows(rows, labels), lambda checked: predict(row.text for row in checked)
    )
    empty = True
    for row, prediction in pairs:
        if prediction.probabilities is None:
            raise InputError(
                f"predict gave {prediction.label} {prediction.score} and no probabilities: the "
                f"model is a regression. Only classification is measured here; "
                f"expected a model of two labels or more."
            )
        if prediction.label not in labels:
            raise InputError(
                f"predict gave the label {prediction.label!r}; expected one of {', '.join(labels)}."
            )
        empty = False
        yield row, prediction
    if empty:
        raise DataError("There is no row to evaluate on. Expected at least one.")


def probabilities_of(prediction: Prediction) -> Mapping[str, float]:
    """Return the probabilities of a prediction that `predict_rows` yielded."""
    if prediction.probabilities is None:
        raise AssertionError("`predict_rows` refuses a regression")
    return prediction.probabilities


def _check_rows(rows: Iterable[Row], labels: Sequence[str]) -> Iterator[Row]:
    known = frozenset(labels)
    for number, row in enumerate(rows, 1):
        if row.labels is not None:
            raise DataError(
                f"Row {number} has a set of labels, {row.labels!r}; expected one label. "
                f"`tfclf.evaluation.evaluate_multi_label` measures multi-label models."
            )
        if row.label not in known:
            raise DataError(
                f"Row {number} has the label {row.label!r}; expected one of the model's: "
                f"{', '.join(labels)}. `labelled_rows` turns a file's own labels into these."
            )
        yield row


def _loss(probabilities: Mapping[str, float], true: str, *, independent: bool) -> float:
    """Return the cross entropy in nats; NaN if a probability that counts is.

    >>> _loss({"neg": 0.25, "pos": 0.75}, "pos", independent=False)
    0.2876...
    >>> _loss({"neg": 0.5, "pos": 0.5}, "pos", independent=True)
    0.6931...
    """
    if independent:
        return cross_entropy(probabilities, (true,))
    return -_log(probabilities[true])


def cross_entropy(probabilities: Mapping[str, float], true: Collection[str]) -> float:
    """Return the binary cross entropy in nats, averaged over the labels.

    >>> cross_entropy({"toxic": 0.5, "insult": 0.5}, [])
    0.6931...
    """
    logs = [
        _log(probability if label in true else 1 - probability)
        for label, probability in probabilities.items()
    ]
    return -sum(logs) / len(logs)


def _log(probability: float) -> float:
    # Probability first: max() returns its first argument if the comparison is false, as with NaN.
    return math.log(max(probability, _SMALLEST_PROBABILITY))
