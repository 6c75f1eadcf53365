"""Texts as Python gives them: containers of other libraries, scalars, tables, missing values."""

import collections
import types
from typing import Any

import numpy as np
import pandas
import pyarrow
import pytest
import tensorflow as tf

from tfclf.errors import InputError
from tfclf.inputs import IndexedTexts, check_texts, count_texts, encode_texts, pair_rows

_TABLE = {"id": [7, 8], "text": ["a", "b"]}


class _PolarsFrame:
    """The part of polars.DataFrame that tells it from a list: polars is no dependency."""

    columns = ("id", "text")

    def __iter__(self) -> Any:
        return iter(())


_PolarsFrame.__name__ = "DataFrame"


@pytest.mark.parametrize(
    ("table", "kind", "advice"),
    [
        (pandas.DataFrame(_TABLE), "DataFrame", r'clf.predict\(df\["text"\]\)'),
        (_PolarsFrame(), "DataFrame", r'clf.predict\(df\["text"\]\)'),
        (_TABLE, "dict", r'clf.predict\(data\["text"\]\)'),
        (types.MappingProxyType(_TABLE), "mappingproxy", r'data\["text"\]'),
        (collections.UserDict(_TABLE), "UserDict", r'data\["text"\]'),
        (pyarrow.table(_TABLE), "Table", r'clf.predict\(data\["text"\]\)'),
        (pyarrow.RecordBatch.from_pydict(_TABLE), "RecordBatch", r'data\["text"\]'),
    ],
    ids=["pandas", "polars", "dict", "mapping proxy", "UserDict", "Arrow table", "Arrow batch"],
)
def test_a_table_is_refused_with_what_to_write_instead(table: Any, kind: str, advice: str) -> None:
    with pytest.raises(InputError, match=f"is a {kind} with the columns 'id', 'text'.*{advice}"):
        check_texts(table)


def test_a_table_without_a_column_text_is_told_of_its_first() -> None:
    with pytest.raises(InputError, match=r'clf.predict\(df\["title"\]\)'):
        check_texts(pandas.DataFrame({"title": ["a"]}))


def test_a_table_without_names_is_told_of_its_first_number() -> None:
    with pytest.raises(InputError, match=r"clf.predict\(df\[0\]\)"):
        check_texts(pandas.DataFrame([["a", "b"]]))


def test_pairs_in_a_table_are_refused() -> None:
    with pytest.raises(InputError, match="pairs is a DataFrame"):
        pair_rows(["a", "b"], pandas.DataFrame(_TABLE))


_CONTAINERS = [
    pandas.Series(["a", "b"], index=[10, 20]),
    pandas.Series(["a", "b"], dtype="category"),
    pandas.Series(["a", "b"], dtype="string[pyarrow]"),
    pandas.Index(["a", "b"]),
    np.array(["a", "b"]),
    np.array([b"a", b"b"]),
    np.array(["a", "b"], dtype=object),
    tf.constant(["a", "b"]),
    pyarrow.array(["a", "b"]),
    pyarrow.array(["a", "b"]).dictionary_encode(),
    pyarrow.chunked_array([["a"], ["b"]]),
    ("a", "b"),
    collections.deque(["a", "b"]),
]


@pytest.mark.parametrize("texts", _CONTAINERS, ids=lambda texts: type(texts).__name__)
def test_a_container_with_a_length_and_an_index_gives_a_list(texts: Any) -> None:
    assert isinstance(texts, IndexedTexts)
    assert count_texts(texts) == 2
    assert list(encode_texts(texts)) == [b"a", b"b"]


@pytest.mark.parametrize(
    "texts",
    [
        (text for text in ("a", "b")),
        iter(["a", "b"]),
        tf.data.Dataset.from_tensor_slices(["a", "b"]),
        {"a": 1, "b": 2}.keys(),
    ],
    ids=["generator", "iterator", "dataset", "keys"],
)
def test_what_is_read_as_it_goes_gives_an_iterator(texts: Any) -> None:
    assert not isinstance(texts, IndexedTexts)
    assert list(encode_texts(texts)) == [b"a", b"b"]


def test_a_dataset_without_an_end_has_no_count() -> None:
    assert count_texts(tf.data.Dataset.from_tensors("a").repeat()) is None
    assert next(pair_rows(tf.data.Dataset.from_tensors("a").repeat(), ["b"]))[1] == "b"


@pytest.mark.parametrize(
    "scalar",
    [
        "é",
        "é".encode(),
        np.str_("é"),
        np.bytes_("é".encode()),
        np.array("é"),
        tf.constant("é"),
        pyarrow.scalar("é"),
        pyarrow.scalar("é", pyarrow.large_string()),
    ],
    ids=lambda scalar: type(scalar).__name__,
)
def test_a_scalar_that_holds_a_text_is_text(scalar: Any) -> None:
    assert list(encode_texts([scalar])) == ["é".encode()]


@pytest.mark.parametrize(
    "missing",
    [
        None,
        float("nan"),
        np.float32("nan"),
        pandas.NA,
        pandas.NaT,
        np.ma.masked,
        pyarrow.scalar(None),
        pyarrow.scalar(None, pyarrow.string()),
    ],
    ids=lambda missing: type(missing).__name__,
)
def test_a_missing_value_is_named_with_its_index(missing: Any) -> None:
    with pytest.raises(InputError, match=r"texts\[1\] is .*missing value"):
        list(encode_texts(["a", missing]))


@pytest.mark.parametrize(
    "dtype", ["object", "string", "str", "string[pyarrow]"], ids=lambda dtype: str(dtype)
)
def test_a_missing_value_in_a_series_is_named_with_its_position(dtype: str) -> None:
    with pytest.raises(InputError, match=r"texts\[1\] is .*missing value"):
        list(encode_texts(pandas.Series(["a", None], index=[10, 20], dtype=dtype)))


@pytest.mark.parametrize(
    "row",
    [["b"], ("b", "c"), np.array(["b", "c"]), tf.constant(["b"]), pyarrow.scalar(["b"])],
    ids=lambda row: type(row).__name__,
)
def test_a_nested_row_is_named_with_its_index_and_how_to_flatten_it(row: Any) -> None:
    with pytest.raises(InputError, match=r"texts\[1\] is .*one text per row.*unbatch"):
        list(encode_texts(["a", row]))


def test_a_batched_dataset_is_told_to_unbatch() -> None:
    batched = tf.data.Dataset.from_tensor_slices(["a", "b"]).batch(2)
    with pytest.raises(InputError, match=r"texts\[0\] is .*dataset.unbatch\(\)"):
        list(encode_texts(batched))


def test_a_row_of_a_table_is_told_to_give_its_text() -> None:
    with pytest.raises(InputError, match=r'texts\[0\] is .*\(row\["text"\] for row in rows\)'):
        list(encode_texts([{"text": "a"}]))


@pytest.mark.parametrize(
    "texts",
    [np.array([["a"]]), tf.constant([["a"]]), tf.ragged.constant([["a"]])],
    ids=["array", "tensor", "ragged"],
)
def test_an_array_of_two_dimensions_is_refused_at_once(texts: Any) -> None:
    with pytest.raises(InputError, match=r"has 2 dimensions .* of shape \[1, "):
        check_texts(texts)


@pytest.mark.parametrize("text", [np.array("a"), tf.constant("a")], ids=["array", "tensor"])
def test_a_single_value_is_no_list(text: Any) -> None:
    with pytest.raises(InputError, match=r"texts is a single value, .* list of texts: \[text\]"):
        check_texts(text)


def test_a_number_keeps_its_own_error() -> None:
    with pytest.raises(InputError, match=r"texts\[1\] is 2 \(int64\); expected str\.$"):
        list(encode_texts(["a", np.int64(2)]))
