"""Data frames in, the same kind of table out."""

from typing import Any

import pandas
import polars
import pyarrow
import pytest

import tfclf
from tfclf import nlu
from tfclf.errors import InputError
from tfclf.tables import score

TEXTS = ["Shares jump after earnings", "Late goal wins the cup"]
DATA: dict[str, list[Any]] = {"id": [7, 8], "text": TEXTS}
TABLES = {
    "pandas": pandas.DataFrame(DATA),
    "polars": polars.DataFrame(DATA),
    "arrow": pyarrow.table(DATA),
    "dict": DATA,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_same_kind_of_table_comes_back(classifier: tfclf.Classifier, table: Any) -> None:
    assert type(score(table, classifier)) is type(table)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_predictions_follow_the_columns(classifier: tfclf.Classifier, table: Any) -> None:
    scored = score(table, classifier)
    names = scored.column_names if isinstance(scored, pyarrow.Table) else list(scored)
    if isinstance(scored, polars.DataFrame):
        names = scored.columns
    assert names == ["id", "text", "label", "score", *classifier.labels, "truncated"]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_labels_are_those_of_predict(classifier: tfclf.Classifier, table: Any) -> None:
    labels = [str(label) for label in score(table, classifier)["label"]]
    assert labels == [prediction.label for prediction in classifier.predict(TEXTS)]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_ranks_are_lists_of_labels(classifier: tfclf.Classifier, table: Any) -> None:
    ranks = score(table, classifier, top_k=2)["top"]
    expected = [[label for label, _ in one.top or ()] for one in classifier.predict(TEXTS, top_k=2)]
    assert [list(map(str, labels)) for labels in ranks] == expected


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_withheld_label_has_its_reason_beside_it(
    classifier: tfclf.Classifier, table: Any
) -> None:
    reasons = [str(reason) for reason in score(table, classifier, abstain_below=1.0)["reason"]]
    expected = classifier.predict(TEXTS, abstain_below=1.0)
    assert [each.split(",")[0] for each in reasons] == [
        str(one.reason).split(",")[0] for one in expected
    ]


def test_a_column_reason_is_not_overwritten(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match=r"table has a column 'reason'.*prefix='predicted_'"):
        score({**DATA, "reason": ["a", "b"]}, classifier, abstain_below=0.5)


def test_a_rule_that_does_not_fit_is_refused(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="single-label model"):
        score(DATA, classifier, threshold=0.5)


def test_the_index_of_pandas_is_kept(classifier: tfclf.Classifier) -> None:
    frame = pandas.DataFrame(DATA, index=["b", "a"])
    assert list(score(frame, classifier).index) == ["b", "a"]


def test_an_index_with_equal_entries_is_kept(classifier: tfclf.Classifier) -> None:
    frame = pandas.DataFrame(DATA, index=[1, 1])
    assert list(score(frame, classifier)["id"]) == [7, 8]


def test_the_table_itself_is_not_changed(classifier: tfclf.Classifier) -> None:
    frame = pandas.DataFrame(DATA)
    score(frame, classifier)
    assert list(frame) == ["id", "text"]


def test_a_frame_without_rows_gets_the_columns(classifier: tfclf.Classifier) -> None:
    scored = score(pandas.DataFrame(DATA).iloc[:0], classifier)
    assert (len(scored), list(scored)[2]) == (0, "label")


def test_columns_are_joined_by_a_space(classifier: tfclf.Classifier) -> None:
    split: dict[str, list[Any]] = {"title": ["Late goal"], "body": ["wins the cup"]}
    joined = score(split, classifier, column=["title", "body"])["score"]
    one: dict[str, list[Any]] = {"text": ["Late goal wins the cup"]}
    assert joined == score(one, classifier)["score"]


def test_a_pair_column_is_the_second_text(classifier: tfclf.Classifier) -> None:
    table: dict[str, list[Any]] = {"text": ["Late goal"], "other": ["wins the cup"]}
    scored = score(table, classifier, pair_column="other")["score"]
    assert scored == [classifier.predict("Late goal", pairs="wins the cup").score]


def test_a_missing_column_is_named(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="no column 'body': found id, text"):
        score(pandas.DataFrame(DATA), classifier, column="body")


def test_a_name_that_is_taken_is_refused(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match=r"table has a column 'label'.*prefix='predicted_'"):
        score({**DATA, "label": [1, 2]}, classifier)


def test_a_missing_value_is_named_by_its_index(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match=r"texts\[1\] is None"):
        score({"text": ["a", None]}, classifier)


@pytest.mark.parametrize("table", [["a"], "a", 3, None])
def test_what_is_no_table_is_refused(classifier: tfclf.Classifier, table: Any) -> None:
    with pytest.raises(InputError, match="expected a DataFrame"):
        score(table, classifier)


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ("news", r"table\['text'\] is a str; expected a list"),
        ({"first": "news", "second": "talks"}, r"is a dict; .*to_dict\('list'\)"),
        ({"news"}, "is a set"),
        (iter(["news"]), "is a list_iterator"),
        (["news", "talks"], "differ in length: 'id' has 1, 'text' has 2"),
    ],
    ids=["str", "dict", "set", "iterator", "unequal lengths"],
)
def test_a_dict_of_something_else_than_equal_lists_is_refused(
    classifier: tfclf.Classifier, column: Any, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        score({"id": [1], "text": column}, classifier)


def test_two_columns_of_one_name_are_refused(classifier: tfclf.Classifier) -> None:
    # As many rows as columns: the names of the columns would be classified.
    twice = pandas.DataFrame([["a", "b"], ["c", "d"]], columns=["text", "text"])
    with pytest.raises(InputError, match="2 columns named 'text'"):
        score(twice, classifier)


def test_a_lazy_frame_is_told_to_be_collected(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="collect it"):
        score(polars.LazyFrame({"text": ["a"]}), classifier)


NLU_DATA = {
    "a str": "Late goal wins the cup",
    "a list": ["Late goal wins the cup"],
    "a Series": pandas.Series(["Late goal wins the cup"], index=[7]),
    "a DataFrame": pandas.DataFrame({"id": [3], "text": ["Late goal wins the cup"]}, index=[7]),
}


@pytest.mark.parametrize("data", NLU_DATA.values(), ids=NLU_DATA)
def test_nlu_gives_a_data_frame(classifier: tfclf.Classifier, data: Any) -> None:
    frame = nlu.Pipeline(classifier).predict(data)
    expected = classifier.predict("Late goal wins the cup").label
    assert frame["classified_sequence"].tolist() == [expected]


@pytest.mark.parametrize("kind", ["a Series", "a DataFrame"])
def test_nlu_keeps_the_index(classifier: tfclf.Classifier, kind: str) -> None:
    assert list(nlu.Pipeline(classifier).predict(NLU_DATA[kind]).index) == [7]


def test_nlu_is_an_attribute_of_tfclf() -> None:
    assert tfclf.nlu.load is nlu.load


@pytest.mark.parametrize("data", [DATA, polars.DataFrame(DATA)], ids=["dict", "polars"])
def test_nlu_does_not_classify_the_names_of_columns(
    classifier: tfclf.Classifier, data: Any
) -> None:
    with pytest.raises(InputError, match=r"data is a .* with the columns 'id', 'text'"):
        nlu.Pipeline(classifier).predict(data)


class _Frame(pandas.DataFrame):
    pass


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (pandas.DataFrame([TEXTS[:1], TEXTS[1:]]), 0),
        (pandas.DataFrame({("news", "text"): TEXTS, ("news", "id"): [1, 2]}), ("news", "text")),
        (pandas.DataFrame({"text": TEXTS}, index=[7, 7]), "text"),
        (_Frame({"text": TEXTS}), "text"),
    ],
    ids=["number", "tuple", "equal index", "subclass"],
)
def test_columns_and_frames_of_pandas_are_told_as_pandas_tells_them(
    classifier: tfclf.Classifier, table: Any, column: Any
) -> None:
    scored = score(table, classifier, column=column)
    assert scored["label"].tolist() == [one.label for one in classifier.predict(TEXTS)]
    assert scored.index.equals(table.index)


@pytest.mark.parametrize(
    "other",
    [
        {"names": ["text", "id", "id"], "arrays": [TEXTS, [1, 2], [3, 4]]},
        {"names": ["text", "far"], "arrays": [TEXTS, pyarrow.array([2**62, 1], "timestamp[us]")]},
    ],
    ids=["equal names", "dates that Python lacks"],
)
def test_other_columns_of_arrow_are_not_touched(
    classifier: tfclf.Classifier, other: dict[str, Any]
) -> None:
    table = pyarrow.table(list(map(pyarrow.array, other["arrays"])), names=other["names"])
    assert score(table, classifier).select(range(len(other["names"]))).equals(table)


@pytest.mark.parametrize("options", [{"probabilities": "map"}, {"long": "windows"}, {"top_k": 1}])
def test_polars_gives_an_empty_frame_the_types_of_a_full_one(
    classifier: tfclf.Classifier, options: dict[str, Any]
) -> None:
    full = polars.DataFrame({"text": TEXTS})
    schemas = [score(frame, classifier, **options).schema for frame in (full, full.clear())]
    assert schemas[0] == schemas[1]
