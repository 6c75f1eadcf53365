"""Predictions beside true labels, row by row: numbers are kept of each row, a text only of the worst mistakes."""

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tfclf.data import Row
from tfclf.errors import DataError, InputError
from tfclf.evaluation.mistakes import Mistake, Top, readable
from tfclf.prediction import Prediction

Predict = Callable[[Iterable[str]], Iterable[Prediction]]

# A probability that underflowed to 0 would make the loss of every row infinite; this is float32's smallest.
_SMALLEST_PROBABILITY = 1.17549435e-38


class Tally:
    """What one model has answered so far: about 16 bytes a row.

    Attributes:
      truth, predicted: positions in `labels`, one a row.
      confidence: probability of the predicted label, one a row.
      loss: sum over the rows, in nats.
      mistakes: those with the highest probability of a wrong label.
    """

    def __init__(self, labels: Sequence[str], *, independent: bool, mistakes: int) -> None:
        self.labels = tuple(labels)
        self.truth = array("i")
        self.predicted = array("i")
        self.confidence = array("d")
        self.loss = 0.0
        self.mistakes: Top[Mistake] = Top(mistakes)
        self._index = {label: position for position, label in enumerate(labels)}
        self._independent = independent

    def add(self, row: Row, shares: Mapping[str, float], predicted: str) -> None:
        """Raises: InputError for a probability that is no number."""
        true = row.label or ""
        loss = _loss(shares, true, independent=self._independent)
        number = len(self.truth) + 1
        if math.isnan(loss) or math.isnan(shares[predicted]):
            raise InputError(
                f"predict gave a probability that is no number for text {number}. "
                f"The model's weights are broken; train or export it again."
            )
        self.loss += loss
        self.truth.append(self._index[true])
        self.predicted.append(self._index[predicted])
        self.confidence.append(shares[predicted])
        if predicted != true and self.mistakes.wants(shares[predicted]):
            found = Mistake(
                number, true, predicted, shares[predicted], shares[true], readable(row.text)
            )
            self.mistakes.add(found.probability, found)


def answered(
    predict: Predict, rows: Iterable[Row], labels: Sequence[str]
) -> Iterator[tuple[Row, Prediction]]:
    """Each row with its prediction. Only the rows that `predict` has read and not yet answered are held.

    Raises: DataError for a row whose label is none of `labels`; InputError for fewer predictions than rows, for more,
      for another label, and for a regression, which gives no probabilities.
    """
    waiting: deque[Row] = deque()
    checked = _checked(rows, labels)
    given = 0
    for prediction in predict(_texts(checked, waiting)):
        if not waiting:
            raise InputError(
                f"predict gave prediction {given + 1} after {given} texts; expected one a text, in order."
            )
        if prediction.probabilities is None:
            raise InputError(
                f"predict gave {prediction.label} {prediction.score} and no probabilities: the model is a regression. "
                f"Only classification is measured here; expected a model of two labels or more."
            )
        if prediction.label not in labels:
            raise InputError(
                f"predict gave the label {prediction.label!r}; expected one of {', '.join(labels)}."
            )
        given += 1
        yield waiting.popleft(), prediction
    asked = given + len(waiting) + sum(1 for _ in checked)
    if asked != given:
        raise InputError(
            f"predict gave {given} predictions for {asked} texts; expected one a text."
        )
    if not given:
        raise DataError("There is no row to evaluate on. Expected at least one.")


def shares_of(prediction: Prediction) -> Mapping[str, float]:
    """The probabilities of a prediction that `answered` gave."""
    if prediction.probabilities is None:
        raise AssertionError("`answered` refuses a regression")
    return prediction.probabilities


def _checked(rows: Iterable[Row], labels: Sequence[str]) -> Iterator[Row]:
    known = frozenset(labels)
    for number, row in enumerate(rows, 1):
        if row.label not in known:
            raise DataError(
                f"Row {number} has the label {row.label!r}; expected one of the model's: {', '.join(labels)}. "
                f"`labelled_rows` turns a file's own labels into these."
            )
        yield row


def _texts(rows: Iterable[Row], waiting: deque[Row]) -> Iterator[str]:
    for row in rows:
        waiting.append(row)
        yield row.text


def _loss(shares: Mapping[str, float], true: str, *, independent: bool) -> float:
    """Nats; NaN where a probability that counts is."""
    if not independent:
        return -_log(shares[true])
    logs = [_log(share if label == true else 1 - share) for label, share in shares.items()]
    return -sum(logs) / len(logs)


def _log(share: float) -> float:
    # NaN first: max() gives back the first of its arguments where comparing says no.
    return math.log(max(share, _SMALLEST_PROBABILITY))
