"""Two models on the same rows, and McNemar's test against sums over the binomial distribution."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.answers import LABELS, Predict, gives, rows, says
from tfclf.data import Row
from tfclf.errors import DataError, InputError
from tfclf.evaluation import Comparison, Subject, compare
from tfclf.evaluation.mcnemar import mcnemar
from tfclf.evaluation.pages import verdict


def subject(
    name: str, predict: Predict, labels: tuple[str, ...] = LABELS, *, independent: bool = False
) -> Subject:
    return Subject(name, predict, labels, independent=independent)


@pytest.fixture(scope="module")
def found() -> Comparison:
    truth = ["neg", "neg", "neg", "pos", "pos", "pos"]
    first = gives(
        [("neg", 0.9), ("neg", 0.8), ("pos", 0.7), ("pos", 0.9), ("pos", 0.9), ("neg", 0.6)]
    )
    second = gives(
        [("neg", 0.9), ("pos", 0.6), ("pos", 0.7), ("pos", 0.5), ("neg", 0.7), ("neg", 0.6)]
    )
    # The second's labels are in another order.
    two = subject("b", second, ("pos", "neg"))
    return compare(subject("a", first), two, rows(truth), batch_size=4, mistakes=1)


def test_each_has_metrics_of_its_own(found: Comparison) -> None:
    assert found.first.accuracy == pytest.approx(4 / 6)
    assert found.second.accuracy == pytest.approx(2 / 6)


def test_both_reports_have_the_labels_in_the_firsts_order(found: Comparison) -> None:
    assert found.first.labels == found.second.labels == LABELS
    assert found.second.confusion_matrix == ((1, 2), (2, 1))


def test_rows_are_counted_by_who_is_right(found: Comparison) -> None:
    one_alone = (found.mcnemar.only_first_right, found.mcnemar.only_second_right)
    assert (found.both_right, *one_alone, found.both_wrong) == (2, 2, 0, 2)


def test_every_row_with_two_labels_is_listed(found: Comparison) -> None:
    assert [(one.row, one.true, one.first, one.second) for one in found.disagreements] == [
        (2, "neg", "neg", "pos"),
        (5, "pos", "pos", "neg"),
    ]
    assert found.agreement == pytest.approx(4 / 6)


def test_texts_are_kept_of_those_that_differ_most(found: Comparison) -> None:
    assert [(one.row, one.text) for one in found.shown] == [(5, "text 5")]
    assert [one.get("text") for one in found.to_dict()["disagreements"]] == [None, "text 5"]


def test_the_largest_difference_of_a_probability_is_found_with_its_row(found: Comparison) -> None:
    assert found.largest_probability_difference == pytest.approx(0.6)
    assert found.its_row == 5
    assert found.mean_probability_difference == pytest.approx((0 + 0.4 + 0 + 0.4 + 0.6 + 0) / 6)


def test_differences_are_second_less_first(found: Comparison) -> None:
    assert found.differences()["eval_accuracy"] == pytest.approx(-2 / 6)


def test_rows_are_read_once_and_not_held() -> None:
    taken = 0

    def lazy() -> Iterator[Row]:
        nonlocal taken
        for row in rows(["neg"] * 4):
            taken += 1
            yield row

    answers = says(["neg"] * 4)

    def watching(texts: Iterator[str]) -> Iterator[object]:
        for answered, prediction in enumerate(answers(texts), 1):
            assert taken == answered
            yield prediction

    compare(subject("a", watching), subject("b", says(["pos"] * 4)), lazy())  # type: ignore[arg-type]
    assert taken == 4


def test_other_labels_are_refused_and_both_are_shown() -> None:
    other = subject("b", says([]), ("bad", "good"))
    with pytest.raises(InputError, match=r"a has neg, pos; b has bad, good\. Expected the same"):
        compare(subject("a", says([])), other, rows(["neg"]))


def test_a_multi_label_model_is_not_compared_with_a_single_label_one() -> None:
    with pytest.raises(InputError, match=r"b is a multi-label model, .* and a is not"):
        compare(subject("a", says([])), subject("b", says([]), independent=True), rows(["neg"]))


def test_no_row_is_refused() -> None:
    with pytest.raises(DataError, match="no row to evaluate on"):
        compare(subject("a", says([])), subject("b", says([])), [])


@given(first=st.integers(0, 40), second=st.integers(0, 40))
def test_few_rows_get_the_exact_test(first: int, second: int) -> None:
    count = first + second
    tail = sum(math.comb(count, k) for k in range(min(first, second) + 1)) / 2**count
    found = mcnemar(first, second)
    assert found.method == "exact binomial"
    assert found.p_value == pytest.approx(min(1.0, 2 * tail), abs=1e-12)


@given(first=st.integers(0, 3_000), second=st.integers(1_001, 3_000))
def test_many_rows_get_chi_squared_with_continuity_correction(first: int, second: int) -> None:
    found = mcnemar(first, second)
    statistic = max(abs(first - second) - 1, 0) ** 2 / (first + second)
    assert found.method == "chi-squared with continuity correction"
    assert found.statistic == pytest.approx(statistic)
    # Of one degree of freedom: the square of a normal variable.
    assert found.p_value == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-9)


@pytest.mark.parametrize("first", [430, 450, 470, 490, 500])
def test_where_the_one_test_gives_way_to_the_other_they_agree(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = mcnemar(first, 1_000 - first)
    monkeypatch.setattr("tfclf.evaluation.mcnemar._MOST_EXACT", 999)
    approximate = mcnemar(first, 1_000 - first)
    assert (exact.statistic is None, approximate.statistic is None) == (True, False)
    assert exact.p_value == pytest.approx(approximate.p_value, abs=1e-3)


def test_models_that_never_differ_have_p_1() -> None:
    assert mcnemar(0, 0).p_value == 1.0


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (0, 0, "right on the same rows"),
        (0, 12, "b is right more often, and chance hardly explains it"),
        (12, 0, "a is right more often, and chance hardly explains it"),
        (3, 4, "may well be chance"),
    ],
)
def test_the_verdict_says_what_the_test_found(first: int, second: int, words: str) -> None:
    truth = ["neg"] * (first + second + 1)
    a = ["neg"] * first + ["pos"] * second + ["neg"]
    b = ["pos"] * first + ["neg"] * second + ["neg"]
    assert words in verdict(compare(subject("a", says(a)), subject("b", says(b)), rows(truth)))
