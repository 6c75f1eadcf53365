"""The repr and HTML of a prediction, and the table of several."""

from typing import Any

import numpy as np
import pandas
import pyarrow
import pytest

import tfclf
from tfclf.errors import InputError

_ONE = tfclf.Prediction("World", 0.99123456, {"World": 0.99123456, "Sports": 0.00876544}, False)


def test_its_repr_has_four_digits() -> None:
    assert repr(_ONE) == (
        "Prediction(label='World', score=0.9912, "
        "probabilities={'World': 0.9912, 'Sports': 0.0088}, truncated=False)"
    )


def test_the_repr_of_a_regression_has_no_probabilities() -> None:
    assert repr(tfclf.Prediction("stars", 3.5, None)) == (
        "Prediction(label='stars', score=3.5, truncated=None)"
    )


def test_the_repr_of_many_labels_has_the_six_likeliest() -> None:
    many = tfclf.Prediction("7", 0.7, {str(label): label / 10 for label in range(8)}, False, 2)
    assert "probabilities={'7': 0.7, '6': 0.6, '5': 0.5, '4': 0.4, '3': 0.3, '2': 0.2, ...}" in (
        repr(many)
    )
    assert repr(many).endswith("windows=2)")


def test_predictions_compare_all_digits() -> None:
    other = tfclf.Prediction("World", 0.99123457, _ONE.probabilities, False)
    assert repr(other) == repr(_ONE)
    assert other != _ONE


def test_a_notebook_shows_a_table_with_labels_escaped() -> None:
    shown = tfclf.Prediction("<b>&", 0.75, {"<b>&": 0.75}, True)._repr_html_()
    assert "<td>&lt;b&gt;&amp;</td>" in shown
    assert "<th>P(&lt;b&gt;&amp;)</th><td>0.75</td>" in shown
    assert "<b>" not in shown


def test_the_table_has_the_index_of_the_series() -> None:
    frame = pandas.DataFrame({"id": [7, 8], "text": ["a", "b"]}, index=[10, 20])
    table = tfclf.to_pandas([_ONE, _ONE], texts=frame["text"])
    assert table.index.tolist() == [10, 20]
    assert table["score"].notna().all()
    joined = frame.join(table.drop(columns="text"))
    assert joined["label"].tolist() == ["World", "World"]


@pytest.mark.parametrize(
    "index", [["x", "x"], pandas.MultiIndex.from_tuples([(1, 2), (3, 4)])], ids=["same", "multi"]
)
def test_an_index_of_any_kind_is_kept(index: Any) -> None:
    texts = pandas.Series(["a", "b"], index=index)
    assert tfclf.to_pandas([_ONE, _ONE], texts=texts).index.equals(texts.index)


@pytest.mark.parametrize(
    "texts",
    [["a", "b"], np.array(["a", "b"]), pyarrow.array(["a", "b"]), iter(["a", "b"])],
    ids=["list", "array", "Arrow", "iterator"],
)
def test_texts_without_an_index_are_counted_from_0(texts: Any) -> None:
    table = tfclf.to_pandas([_ONE, _ONE], texts=texts)
    assert table.index.tolist() == [0, 1]
    assert table["text"].tolist() == ["a", "b"]


def test_texts_in_a_table_are_refused() -> None:
    with pytest.raises(InputError, match="texts is a DataFrame"):
        tfclf.to_pandas([_ONE], texts=pandas.DataFrame({"text": ["a"]}))
