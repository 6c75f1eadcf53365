"""Ranks, thresholds and abstention: what `predict` decides from a text's probabilities.

| option | what a prediction gets |
|-|-|
| `top_k=3` | `top`: the three likeliest labels with their probabilities |
| `threshold=0.5` | `labels`: of a multi-label model, the labels at or above it |
| `abstain_below=0.8` | `label` None and a `reason`, if the highest probability is below it |

A `Rule` holds the options as the user gave them. `Rule.bind` checks them against a model.
"""

from __future__ import annotations

import difflib
import operator
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, TypeGuard

from tfclf.errors import InputError
from tfclf.problem_types import MULTI_LABEL, REGRESSION

CALIBRATED = "calibrated"
USUAL_THRESHOLD = 0.5  # of a label that a mapping does not name
_MOST_NAMED = 10  # labels in a message

Threshold = float | str | Mapping[str, float] | Sequence[float]


@dataclass(frozen=True)
class Decision:
    """What a rule says of one text; the attributes are those of `Prediction`."""

    label: str | None
    labels: tuple[str, ...] | None = None
    top: tuple[tuple[str, float], ...] | None = None
    reason: str | None = None


Decide = Callable[[str, float, Sequence[float]], Decision]


@dataclass(frozen=True)
class Rule:
    """The options `top_k`, `threshold` and `abstain_below`; None for one that was not given.

    Raises: InputError for a value that no model could take.
    """

    top_k: int | None = None
    threshold: Threshold | None = None
    abstain_below: float | None = None

    def __post_init__(self) -> None:
        # Plain numbers and containers: a job over files writes its rule as JSON.
        plain = {
            "top_k": None if self.top_k is None else _check_count(self.top_k),
            "threshold": _check_threshold(self.threshold),
            "abstain_below": None
            if self.abstain_below is None
            else _check_probability(self.abstain_below, "abstain_below"),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, top_k: Any, threshold: Any, abstain_below: Any) -> Rule | None:
        """Return the rule of a call's arguments; None if all of them are None."""
        if top_k is None and threshold is None and abstain_below is None:
            return None
        return cls(top_k, threshold, abstain_below)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the rule adds to a table: `labels`, `top`, `reason`."""
        given = {"labels": self.threshold, "top": self.top_k, "reason": self.abstain_below}
        return tuple(name for name, option in given.items() if option is not None)

    @property
    def arguments(self) -> dict[str, Any]:
        """The rule as keyword arguments of a call; `of` reverses it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def bind(
        self,
        labels: Sequence[str],
        *,
        name: str,
        problem_type: str,
        calibrated: Mapping[str, float] | None = None,
    ) -> Decide:
        """Check the rule against a model; return the function from a row's outputs to a Decision.

        >>> rule = Rule(top_k=2, threshold={"spam": 0.9}, abstain_below=0.6)
        >>> decide = rule.bind(["spam", "ad"], name="m", problem_type="multi_label_classification")
        >>> decide("ad", 0.55, [0.5, 0.55])
        Decision(label=None, labels=('ad',), top=(('ad', 0.55), ('spam', 0.5)),
                 reason="the highest probability, 0.55 of 'ad', is below 0.6")

        Thresholds are compared as float32, as the model computes: a probability that prints as 0.9
        is at a threshold of 0.9.

        Args:
          labels: the model's, in the order of its probabilities.
          name: the model's name, for messages.
          calibrated: by label, the thresholds that `tfclf calibrate` found; None without any.
        Raises: InputError if the rule does not fit the model.
        """
        if problem_type == REGRESSION:
            given = " and ".join(
                f"{field.name}={getattr(self, field.name)!r}"
                for field in fields(self)
                if getattr(self, field.name) is not None
            )
            raise InputError(
                f"{given} is given, and {name} is a regression: it has no probabilities. "
                f"Compare `score` with a number of your own, and leave the option out."
            )
        thresholds = None
        if self.threshold is not None:
            if problem_type != MULTI_LABEL:
                raise InputError(
                    f"threshold is {self.threshold!r}, and {name} is a single-label model, whose "
                    f"label is always the likeliest one. A threshold is for multi-label models; "
                    f"abstain_below= (--abstain-below) refuses labels that are too unlikely."
                )
            by_label = self._choose_thresholds(labels, name, calibrated)
            thresholds = [_as_float32(value) for value in by_label]
        return _make_decide(tuple(labels), self.top_k, thresholds, self.abstain_below)

    def _choose_thresholds(
        self, labels: Sequence[str], name: str, calibrated: Mapping[str, float] | None
    ) -> list[float]:
        threshold = self.threshold
        if isinstance(threshold, str):
            if not calibrated:
                raise InputError(
                    f"threshold is {threshold!r}, and {name} holds no calibrated thresholds. "
                    f"Expected an export that `tfclf calibrate` made; of servers, only tfclf's "
                    f"sends an export's thresholds. Give numbers; `tfclf show` prints an export's."
                )
            return [calibrated[label] for label in labels]
        if isinstance(threshold, Mapping):
            for label in threshold:
                if label not in labels:
                    raise InputError(
                        f"threshold names the label {label!r}, which {name} does not have."
                        f"{_suggest(label, labels)} It has {_name_some(labels)}."
                    )
            return [threshold.get(label, USUAL_THRESHOLD) for label in labels]
        if _is_sequence(threshold):
            if len(threshold) != len(labels):
                raise InputError(
                    f"threshold has {len(threshold)} numbers, and {name} has {len(labels)} labels: "
                    f"{_name_some(labels)}. Expected one number per label, in that order; or a "
                    f"mapping from label to number."
                )
            return list(threshold)
        one: Any = threshold  # a number, as __post_init__ checked
        return [float(one)] * len(labels)


def _make_decide(
    labels: tuple[str, ...],
    top_k: int | None,
    thresholds: list[float] | None,
    abstain_below: float | None,
) -> Decide:
    least = None if abstain_below is None else _as_float32(abstain_below)

    def decide(label: str, score: float, probabilities: Sequence[float]) -> Decision:
        top = chosen = reason = None
        if top_k is not None:
            # Among equals the predicted label is first: probabilities may round to the same number.
            ranked = sorted(
                zip(labels, probabilities, strict=True), key=lambda row: (-row[1], row[0] != label)
            )
            top = tuple(ranked[:top_k])
        if thresholds is not None:
            rows = zip(labels, probabilities, thresholds, strict=True)
            chosen = tuple(name for name, value, threshold in rows if value >= threshold)
        if least is not None and not score >= least:  # also for NaN
            reason = (
                f"the highest probability, {float(score):.6g} of {label!r}, is below "
                f"{float(abstain_below or 0):.6g}"
            )
        return Decision(label if reason is None else None, chosen, top, reason)

    return decide


def _check_count(top_k: Any) -> int:
    try:
        count = 0 if isinstance(top_k, bool) else operator.index(top_k)
    except TypeError:
        count = 0
    if count < 1:
        raise InputError(
            f"top_k is {top_k!r}; expected a whole number above 0: how many of the likeliest "
            f"labels to name."
        )
    return count


def _check_threshold(threshold: Any) -> Threshold | None:
    if threshold is None:
        return None
    if isinstance(threshold, str):
        if threshold != CALIBRATED:
            raise InputError(
                f"threshold is {threshold!r}; expected a number from 0 to 1, a mapping from "
                f"label to number, or {CALIBRATED!r}."
            )
        return threshold
    if isinstance(threshold, Mapping):
        return {
            label: _check_probability(value, f"threshold[{label!r}]")
            for label, value in threshold.items()
        }
    if _is_sequence(threshold):
        return tuple(
            _check_probability(value, f"threshold[{index}]")
            for index, value in enumerate(threshold)
        )
    return _check_probability(threshold, "threshold")


def _check_probability(value: Any, option: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        hint = ""
        if isinstance(value, Real) and 1 < float(value) <= 100:
            hint = f" {float(value):g} percent is {float(value) / 100:g}."
        raise InputError(f"{option} is {value!r}; expected a number from 0 to 1.{hint}")
    return float(value)


def _is_sequence(value: Any) -> TypeGuard[Sequence[float]]:
    """Tell whether a value is a list, a tuple or an array."""
    return not isinstance(value, str | Mapping) and hasattr(value, "__len__")


def _as_float32(value: float) -> float:
    """Round to the nearest float32.

    >>> _as_float32(0.9)
    0.8999999761581421
    """
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


def _suggest(label: object, labels: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(label), labels, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _name_some(labels: Sequence[str]) -> str:
    more = f", ... ({len(labels)})" if len(labels) > _MOST_NAMED else ""
    return ", ".join(map(repr, labels[:_MOST_NAMED])) + more
