"""Ranks, thresholds and abstention: the rule alone, and in `predict`."""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import assert_type

import tfclf
from tfclf.decision import Decision, Rule
from tfclf.errors import InputError
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL

LABELS = ("red", "green", "blue")


def decide(
    probabilities: list[float], *, problem_type: str = MULTI_LABEL, **options: Any
) -> Decision:
    best = int(np.argmax(probabilities))
    bound = Rule(**options).bind(LABELS, name="colours", problem_type=problem_type)
    return bound(LABELS[best], probabilities[best], probabilities)


def test_the_likeliest_labels_come_best_first() -> None:
    assert decide([0.2, 0.5, 0.3], top_k=2).top == (("green", 0.5), ("blue", 0.3))


def test_more_ranks_than_labels_list_all_labels() -> None:
    assert len(decide([0.2, 0.5, 0.3], top_k=9).top or ()) == 3


def test_equal_probabilities_keep_the_order_of_the_labels() -> None:
    assert [label for label, _ in decide([0.5, 0.5, 0.5], top_k=3).top or ()] == list(LABELS)


def test_the_predicted_label_is_first_among_equals() -> None:
    bound = Rule(top_k=1).bind(LABELS, name="colours", problem_type=MULTI_LABEL)
    assert bound("blue", 1.0, [1.0, 0.5, 1.0]).top == (("blue", 1.0),)


def test_a_label_at_its_threshold_is_listed() -> None:
    assert decide([0.5, 0.25, 0.49], threshold=0.5).labels == ("red",)


def test_a_threshold_is_compared_as_float32() -> None:
    (nine_tenths,) = struct.unpack("f", struct.pack("f", 0.9))
    assert nine_tenths < 0.9
    assert decide([nine_tenths, 0.0, 0.0], threshold=0.9).labels == ("red",)


def test_each_label_may_have_a_threshold_of_its_own() -> None:
    assert decide([0.4, 0.4, 0.6], threshold={"red": 0.3, "blue": 0.7}).labels == ("red",)


def test_a_label_without_a_threshold_keeps_one_half() -> None:
    assert decide([0.4, 0.6, 0.4], threshold={"red": 0.3}).labels == ("red", "green")


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_thresholds_may_stand_in_the_order_of_the_labels(kind: Any) -> None:
    assert decide([0.4, 0.6, 0.4], threshold=kind([0.3, 0.7, 0.5])).labels == ("red",)


def test_no_label_may_reach_its_threshold() -> None:
    assert decide([0.1, 0.2, 0.3], threshold=0.9).labels == ()


def test_an_unlikely_label_is_withheld_with_the_reason() -> None:
    made = decide([0.2, 0.5, 0.3], problem_type=SINGLE_LABEL, abstain_below=0.6)
    assert made.label is None
    assert made.reason == "the highest probability, 0.5 of 'green', is below 0.6"


def test_a_label_at_the_limit_is_given() -> None:
    made = decide([0.25, 0.5, 0.25], problem_type=SINGLE_LABEL, abstain_below=0.5)
    assert (made.label, made.reason) == ("green", None)


def test_a_probability_that_is_no_number_is_no_label() -> None:
    assert decide([math.nan] * 3, abstain_below=0.5).label is None


@given(
    st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3),
    st.integers(1, 5),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_the_parts_of_a_decision_agree(
    probabilities: list[float], top_k: int, threshold: float, least: float
) -> None:
    made = decide(probabilities, top_k=top_k, threshold=threshold, abstain_below=least)
    top, best = made.top or (), max(probabilities)
    assert [value for _, value in top] == sorted(probabilities, reverse=True)[:top_k]
    assert made.label in (None, top[0][0])
    assert (made.label is None) == (made.reason is not None)
    assert (made.label is None) == (best < np.float32(least))
    chosen = [
        label
        for label, value in zip(LABELS, probabilities, strict=True)
        if made.labels and label in made.labels and value < np.float32(threshold)
    ]
    assert chosen == []


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "3", True, [2]])
def test_a_count_below_one_is_refused(top_k: Any) -> None:
    with pytest.raises(InputError, match=r"top_k is .*expected a whole number above 0"):
        Rule(top_k=top_k)


@pytest.mark.parametrize(
    ("threshold", "found"),
    [
        (1.5, "threshold is 1.5"),
        (-0.1, "threshold is -0.1"),
        (math.nan, "threshold is nan"),
        (True, "threshold is True"),
        ("0.5", "threshold is '0.5'"),
        ({"red": 2}, r"threshold\['red'\] is 2"),
        ([0.5, None], r"threshold\[1\] is None"),
    ],
)
def test_a_threshold_outside_0_to_1_is_refused(threshold: Any, found: str) -> None:
    with pytest.raises(InputError, match=f"{found}; expected a number from 0 to 1"):
        Rule(threshold=threshold)


def test_a_percentage_is_explained() -> None:
    with pytest.raises(InputError, match=r"abstain_below is 80; .* 80 percent is 0\.8\."):
        Rule(abstain_below=80)


def test_a_threshold_of_an_unknown_label_is_refused_with_the_closest_one() -> None:
    with pytest.raises(InputError, match=r"'gren', which colours .* Did you mean 'green'\?"):
        decide([0.1, 0.2, 0.3], threshold={"gren": 0.5})


def test_a_sequence_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="threshold has 2 numbers, and colours has 3 labels"):
        decide([0.1, 0.2, 0.3], threshold=[0.5, 0.5])


def test_a_threshold_for_a_single_label_model_is_refused() -> None:
    with pytest.raises(InputError, match=r"single-label model.*abstain_below="):
        decide([0.1, 0.2, 0.7], problem_type=SINGLE_LABEL, threshold=0.5)


@pytest.mark.parametrize("options", [{"top_k": 1}, {"threshold": 0.5}, {"abstain_below": 0.5}])
def test_a_regression_takes_no_rule(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))}=.* colours is a regression"):
        Rule(**options).bind(("colours",), name="colours", problem_type=REGRESSION)


def test_calibrated_thresholds_must_be_there() -> None:
    with pytest.raises(InputError, match="colours holds no calibrated thresholds"):
        decide([0.1, 0.2, 0.3], threshold="calibrated")


@pytest.fixture(scope="module")
def colours(multi_label_export: Path) -> tfclf.Classifier:
    return tfclf.load(multi_label_export)


def test_columns_are_decided_as_predict_does(colours: tfclf.Classifier) -> None:
    rule: dict[str, Any] = {"top_k": 2, "threshold": 0.5, "abstain_below": 0.99}
    texts = ["news", "goal"]
    columns, expected = colours.predict_columns(texts, **rule), colours.predict(texts, **rule)
    assert columns["label"].tolist() == [one.label for one in expected]
    assert columns["labels"].tolist() == [list(one.labels or ()) for one in expected]
    assert columns["top"].tolist() == [[label for label, _ in one.top or ()] for one in expected]
    assert [reason.split(",")[0] for reason in columns["reason"]] == [
        str(one.reason).split(",")[0] for one in expected
    ]


def test_columns_of_no_texts_are_those_of_the_rule(colours: tfclf.Classifier) -> None:
    columns = colours.predict_columns([], top_k=1, abstain_below=0.5)
    assert [len(columns[name]) for name in ("label", "top", "reason")] == [0, 0, 0]


def test_predict_lists_ranks(colours: tfclf.Classifier) -> None:
    prediction = colours.predict("news", top_k=2)
    assert prediction.top is not None
    assert prediction.probabilities is not None
    ranked = sorted(prediction.probabilities.items(), key=lambda row: -row[1])
    assert list(prediction.top) == ranked[:2]


def test_predict_lists_labels_above_a_threshold(colours: tfclf.Classifier) -> None:
    (prediction,) = colours.predict(["news"], threshold={"red": 0, "green": 1, "blue": 0})
    assert prediction.labels == ("red", "blue")


def test_type_checkers_meet_none_only_with_abstain_below(colours: tfclf.Classifier) -> None:
    # mypy reads this test; it passes at run time in any case.
    texts = ["news"]
    assert_type(colours.predict("news").label, str)
    assert_type(colours.predict(texts, top_k=1, threshold=0.5), list[tfclf.Prediction])
    assert_type(colours.predict("news", abstain_below=0.5).label, str | None)
    assert_type(colours.predict(texts, abstain_below=0.5), list[tfclf.Prediction[str | None]])


def test_predict_abstains(colours: tfclf.Classifier) -> None:
    predictions = list(colours.predict(iter(["news", "a"]), abstain_below=1.0))
    assert [prediction.label for prediction in predictions] == [None, None]


def test_an_abstention_keeps_score_and_probabilities(colours: tfclf.Classifier) -> None:
    withheld, plain = colours.predict("news", abstain_below=1), colours.predict("news")
    assert (withheld.score, withheld.probabilities) == (plain.score, plain.probabilities)


def test_what_is_not_asked_for_is_not_shown(colours: tfclf.Classifier) -> None:
    plain = colours.predict("news")
    assert list(plain.to_dict()) == ["label", "score", "probabilities", "truncated"]
    assert "labels" not in repr(plain) + plain._repr_html_()


def test_what_is_asked_for_is_shown(colours: tfclf.Classifier) -> None:
    prediction = colours.predict("news", top_k=1, threshold=0.0, abstain_below=1.0)
    assert list(prediction.to_dict())[-3:] == ["labels", "top", "reason"]
    assert "labels=('red', 'green', 'blue'), top=((" in repr(prediction)
    assert "<th>labels</th><td>red, green, blue</td>" in prediction._repr_html_()
    columns = list(tfclf.to_pandas([prediction]).columns)
    assert columns[-3:] == ["labels", "top", "reason"]


def test_a_rule_that_does_not_fit_is_refused_before_a_text_is_read(
    colours: tfclf.Classifier,
) -> None:
    with pytest.raises(InputError, match="Did you mean 'red'"):
        colours.predict(iter(()), threshold={"rad": 0.5})


def test_windows_take_a_rule_too(colours: tfclf.Classifier) -> None:
    prediction = colours.predict("news " * 100, long="windows", top_k=1)
    assert (prediction.windows or 0) > 1
    assert prediction.top == ((prediction.label, prediction.score),)
