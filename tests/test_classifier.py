"""The Python interface: what it takes, what it gives, what it refuses."""

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pandas
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import tfclf
from samples.checkpoints import LABELS
from tfclf.errors import InputError
from tfclf.sample_texts import HEADLINES, hostile_texts


def test_labels_are_in_the_checkpoints_order(classifier: tfclf.Classifier) -> None:
    assert classifier.labels == LABELS


def test_max_length_is_the_checkpoints(classifier: tfclf.Classifier) -> None:
    assert classifier.max_length == 512


def test_tokens_include_special_ones_and_stop_at_the_limit(classifier: tfclf.Classifier) -> None:
    rows = classifier.tokenize(["the news", "news " * 600])
    assert rows[0].numpy().tolist() == [101, 1996, 2739, 102]
    assert rows.row_lengths().numpy().tolist() == [4, 512]
    assert rows.dtype == tf.int32


def test_a_prediction_is_the_label_of_the_highest_probability(classifier: tfclf.Classifier) -> None:
    for prediction in classifier.predict(HEADLINES):
        assert prediction.probabilities is not None
        assert prediction.label == max(
            prediction.probabilities, key=prediction.probabilities.__getitem__
        )
        assert prediction.score == prediction.probabilities[prediction.label]
        assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-6)
        assert tuple(prediction.probabilities) == LABELS


def test_predictions_come_in_order_whatever_the_batch_size(classifier: tfclf.Classifier) -> None:
    texts = list(hostile_texts(50, seed=7))
    whole = [prediction.score for prediction in classifier.predict(texts, batch_size=50)]
    for size in (1, 7):
        parts = [prediction.score for prediction in classifier.predict(texts, batch_size=size)]
        np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_a_list_gives_a_list(classifier: tfclf.Classifier) -> None:
    assert isinstance(classifier.predict(list(HEADLINES)), list)


def test_an_iterator_is_read_as_it_goes(classifier: tfclf.Classifier) -> None:
    endless = itertools.cycle(HEADLINES)
    assert len(list(itertools.islice(classifier.predict(endless, batch_size=4), 10))) == 10


def _peak_memory(classifier: tfclf.Classifier, rows: int) -> int:
    """Return the peak of Python's own allocations, in bytes, while so many rows are predicted."""
    tracemalloc.start()
    for _ in classifier.predict((f"row {index}" for index in range(rows)), batch_size=256):
        pass
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest


@pytest.mark.parametrize("rows", [20_000, pytest.param(1_000_000, marks=pytest.mark.verify)])
def test_memory_does_not_grow_with_the_rows(classifier: tfclf.Classifier, rows: int) -> None:
    _peak_memory(classifier, 1_000)
    assert _peak_memory(classifier, rows) < _peak_memory(classifier, 1_000) + 1_000_000


@pytest.mark.parametrize(
    ("given_texts", "told"),
    [
        (None, "texts is None"),
        (b"one text", "a bare bytes"),
        (3, r"texts is 3 \(int\)"),
        ([1, 2], r"texts\[0\] is 1 \(int\); expected str"),
        ([["nested"]], r"texts\[0\] is \['nested'\] \(list\)"),
        (["a", None], r"texts\[1\] is None .*missing value"),
        (["a", float("nan")], r"texts\[1\] is nan .*missing value"),
        ({"a": 1}, "expected a list of str"),
    ],
    ids=lambda value: str(value)[:20],
)
@pytest.mark.parametrize("method", ["__call__", "tokenize", "predict"])
def test_what_is_no_text_is_refused(
    classifier: tfclf.Classifier, method: str, given_texts: Any, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        getattr(classifier, method)(given_texts)


@pytest.mark.parametrize("method", ["__call__", "tokenize"])
def test_one_text_is_no_batch(classifier: tfclf.Classifier, method: str) -> None:
    with pytest.raises(
        InputError, match=r"a bare str 'one text'; expected a list of texts: \[text\]"
    ):
        getattr(classifier, method)("one text")


@pytest.mark.parametrize(
    "tensor",
    [
        tf.constant("scalar"),
        tf.constant([["nested"]]),
        tf.constant([1]),
        tf.ragged.constant([["a"]]),
    ],
    ids=["rank 0", "rank 2", "integers", "ragged"],
)
def test_a_tensor_that_is_no_batch_of_strings_is_refused(
    classifier: tfclf.Classifier, tensor: tf.Tensor
) -> None:
    with pytest.raises(InputError, match=r"expected (string\[batch\]|one string per row)"):
        classifier(tensor)


@pytest.mark.parametrize("size", [0, -1, 1.5, "8"])
def test_a_batch_size_is_a_whole_number_above_zero(classifier: tfclf.Classifier, size: Any) -> None:
    with pytest.raises(InputError, match="batch_size is"):
        classifier.predict(["a"], batch_size=size)


@pytest.mark.parametrize(
    "texts", [np.array(["a", "b"]), ("a", "b"), tf.constant(["a", "b"]), [b"a", b"b"]], ids=type
)
def test_arrays_tuples_tensors_and_bytes_are_text(classifier: tfclf.Classifier, texts: Any) -> None:
    np.testing.assert_array_equal(
        classifier(texts)["logits"].numpy(), classifier(["a", "b"])["logits"].numpy()
    )


@pytest.mark.parametrize(
    "text",
    ["", "\0", "a\0", "\ud800", "\u0301", "news " * 2_000_000, "x" * 10_000_000],
    ids=["empty", "NUL", "NUL at the end", "lone surrogate", "lone mark", "10 MB", "10 MB word"],
)
def test_odd_text_gets_an_answer(classifier: tfclf.Classifier, text: str) -> None:
    assert classifier.predict([text])[0].label in LABELS


def test_invalid_utf8_is_read_as_the_replacement_character(classifier: tfclf.Classifier) -> None:
    answers = classifier([b"caf\xe9 news", "caf\ufffd news"])["logits"].numpy()
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=50), st.binary(max_size=50)), max_size=9))
def test_any_batch_of_text_gets_one_finite_answer_a_row(
    classifier: tfclf.Classifier, texts: list[str | bytes]
) -> None:
    logits = classifier(texts)["logits"].numpy()
    assert logits.shape == (len(texts), 4)
    assert np.isfinite(logits).all()


def test_predictions_become_a_data_frame(classifier: tfclf.Classifier) -> None:
    frame = tfclf.to_pandas(classifier.predict(HEADLINES))
    assert list(frame.columns) == ["label", "score", *LABELS, "truncated"]
    assert len(frame) == len(HEADLINES)


def test_one_text_gets_one_prediction(classifier: tfclf.Classifier) -> None:
    one = classifier.predict("Late goal wins the cup")
    assert isinstance(one, tfclf.Prediction)
    assert one == classifier.predict(["Late goal wins the cup"])[0]


def test_one_pair_gets_one_prediction(classifier: tfclf.Classifier) -> None:
    assert classifier.predict("a b", pairs="d") == classifier.predict(["a b"], pairs=["d"])[0]
    with pytest.raises(InputError, match="texts is one str and pairs is a list"):
        classifier.predict("a b", pairs=["d"])


def test_one_prediction_becomes_a_row(classifier: tfclf.Classifier) -> None:
    text = "Un café déjà vu à Orléans"
    frame = tfclf.to_pandas(classifier.predict(text), texts=text)
    assert list(frame.columns) == ["text", "label", "score", *LABELS, "truncated"]
    assert frame["text"].tolist() == [text]


def test_no_prediction_keeps_its_columns(classifier: tfclf.Classifier) -> None:
    empty = tfclf.to_pandas(classifier.predict([]), labels=classifier.labels)
    full = tfclf.to_pandas(classifier.predict(["news"]))
    assert empty.empty
    assert (empty.dtypes == full.dtypes).all()
    assert list(empty.columns) == list(full.columns)


def test_windows_have_a_column_where_they_were_counted(classifier: tfclf.Classifier) -> None:
    frame = tfclf.to_pandas(classifier.predict(["news " * 600, "news"], long="windows"))
    assert frame["windows"].tolist() == [2, 1]
    assert frame["truncated"].tolist() == [False, False]


def test_labels_in_french_are_columns() -> None:
    made = tfclf.Prediction("négatif", 0.75, {"négatif": 0.75, "positif": 0.25}, False)
    frame = tfclf.to_pandas([made])
    assert list(frame.columns) == ["label", "score", "négatif", "positif", "truncated"]
    assert frame["négatif"].tolist() == [0.75]


def test_a_label_named_as_a_column_keeps_both() -> None:
    frame = tfclf.to_pandas([tfclf.Prediction("score", 0.75, {"score": 0.75, "label": 0.25}, None)])
    assert list(frame.columns) == [
        "label",
        "score",
        "score (probability)",
        "label (probability)",
        "truncated",
    ]
    assert frame["truncated"].isna().all()


def test_as_many_texts_as_predictions(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="there are 1 predictions and 2 texts"):
        tfclf.to_pandas(classifier.predict(["a"]), texts=["a", "b"])


def test_a_prediction_says_whether_its_text_was_cut(classifier: tfclf.Classifier) -> None:
    predictions = classifier.predict(["news " * 510, "news " * 511, ""])
    assert [prediction.truncated for prediction in predictions] == [False, True, False]


def test_a_pair_says_whether_it_was_cut(classifier: tfclf.Classifier) -> None:
    predictions = classifier.predict(
        ["news " * 300, "news " * 300], pairs=["news " * 209, "news " * 210]
    )
    assert [prediction.truncated for prediction in predictions] == [False, True]


def test_what_predict_calls_answers_as_the_signatures_of_the_contract_do(
    classifier: tfclf.Classifier,
) -> None:
    scores = [prediction.score for prediction in classifier.predict(HEADLINES)]
    np.testing.assert_allclose(scores, classifier(HEADLINES)["score"].numpy(), atol=1e-6)
    scores = [
        prediction.score for prediction in classifier.predict(HEADLINES, pairs=HEADLINES[::-1])
    ]
    np.testing.assert_allclose(
        scores, classifier.call_pairs(HEADLINES, HEADLINES[::-1])["score"], atol=1e-6
    )


def test_an_export_without_the_newer_signatures_still_predicts(
    classifier: tfclf.Classifier,
) -> None:
    contract = ("serving_default", "classify", "pairs", "tokenize", "encode")
    functions = {name: classifier._functions[name] for name in contract}
    older = tfclf.Classifier(functions, classifier.manifest, owner=classifier)
    predictions = older.predict(["news", "news " * 600])
    assert [prediction.truncated for prediction in predictions] == [False, None]
    assert older.predict(["news"], pairs=["more"])[0].truncated is None
    with pytest.raises(InputError, match="was exported by an older version"):
        older.predict(["news"], long="windows")


def test_pairs_may_be_lists_or_iterators(classifier: tfclf.Classifier) -> None:
    first, second = list(HEADLINES), list(HEADLINES[::-1])
    expected = classifier.predict(first, pairs=second)
    assert classifier.predict(first, pairs=iter(second)) == expected
    assert list(classifier.predict(iter(first), pairs=second)) == expected
    assert list(classifier.predict(iter(first), pairs=iter(second), batch_size=8)) == expected


def test_pairs_are_read_as_they_go(classifier: tfclf.Classifier) -> None:
    endless = classifier.predict(
        itertools.cycle(HEADLINES), pairs=itertools.cycle(["news"]), batch_size=4
    )
    assert len(list(itertools.islice(endless, 10))) == 10


@pytest.mark.parametrize(
    ("texts", "pairs", "told"),
    [
        (["a"], ["b", "c"], "there are 1 texts and 2 pairs"),
        (["a", "b"], [], "there are 2 texts and 0 pairs"),
        (["a", "b"], iter(["c"]), "pairs ended after 1, and texts goes on"),
        (iter(["a"]), ["b", "c"], "texts ended after 1, and pairs goes on"),
        (["a"], "b", "pairs is a bare str"),
        (["a"], [None], r"pairs\[0\] is None"),
        (["a"], 3, r"pairs is 3 \(int\)"),
    ],
    ids=["fewer texts", "no pairs", "pairs end", "texts end", "a string", "None", "a number"],
)
def test_pairs_that_do_not_fit_are_refused(
    classifier: tfclf.Classifier, texts: Any, pairs: Any, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        list(classifier.predict(texts, pairs=pairs))


def test_a_table_is_refused_by_predict_and_by_a_call(classifier: tfclf.Classifier) -> None:
    frame = pandas.DataFrame({"id": ["7"], "text": ["a"]})
    for method in (classifier.predict, classifier, classifier.tokenize):
        with pytest.raises(InputError, match=r'clf.predict\(df\["text"\]\)'):
            method(frame)


def test_series_arrays_and_tensors_give_lists(classifier: tfclf.Classifier) -> None:
    expected = classifier.predict(["a", "b"])
    for texts in (pandas.Series(["a", "b"]), np.array(["a", "b"]), tf.constant(["a", "b"])):
        assert classifier.predict(texts) == expected


def test_a_dataset_of_single_texts_gives_an_iterator(classifier: tfclf.Classifier) -> None:
    predictions = classifier.predict(tf.data.Dataset.from_tensor_slices(["a", "b"]))
    assert not isinstance(predictions, list)
    assert list(predictions) == classifier.predict(["a", "b"])


def test_an_error_in_a_later_batch_counts_from_the_first_text(classifier: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match=r"^texts\[3\] is None"):
        list(classifier.predict(iter(["a", "b", "c", None]), batch_size=2))  # type: ignore[arg-type]
