"""Effects of words: they are differences of what `predict` sees, and nothing else."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

import tfclf
from samples.checkpoints import DEMO, edit_json, tiny_checkpoint
from tests.explaining.test_words import TEXTS, leave_out_in_python
from tfclf.errors import InputError
from tfclf.explanation import Word
from tfclf.sample_texts import HEADLINES

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def short(short_export: Path) -> tfclf.Classifier:
    """A classifier with the signatures that explain, of 64 tokens."""
    return tfclf.load(short_export)


@pytest.fixture(scope="module")
def older(short: tfclf.Classifier) -> tfclf.Classifier:
    """The same model as an older export holds it."""
    return _make_older(short)


def _make_older(classifier: tfclf.Classifier) -> tfclf.Classifier:
    functions = {
        name: function
        for name, function in classifier._functions.items()
        if not name.startswith("explain")
    }
    return tfclf.Classifier(functions, classifier.manifest, owner=classifier)


@pytest.fixture(scope="module", params=["signature", "composed"])
def either(
    request: pytest.FixtureRequest, short: tfclf.Classifier, older: tfclf.Classifier
) -> tfclf.Classifier:
    return short if request.param == "signature" else older


def check_effects(
    explanation: tfclf.Explanation, classifier: tfclf.Classifier, run: Any = None
) -> None:
    """Compare with the logits of the texts that Python makes."""
    rows = [(explanation.text, explanation.text_pair or "")]
    for word in explanation.words:
        row = list(rows[0])
        row[word.place] = leave_out_in_python(row[word.place], word.start, word.end)
        rows.append((row[0], row[1]))
    texts, pairs = zip(*rows, strict=True)
    if explanation.text_pair is not None:
        logits = classifier.call_pairs(texts, pairs)["logits"].numpy()
    else:
        logits = (run or (lambda texts: classifier(texts)["logits"].numpy()))(texts)
    expected = logits[:1] - logits[1:]
    effects = [list(word.effects.values()) for word in explanation.words]
    np.testing.assert_allclose(
        np.array(effects).reshape(-1, logits.shape[1]), expected, atol=TOLERANCE
    )
    for word in explanation.words:
        assert word.effect == word.effects[explanation.prediction.label]


def test_an_effect_is_the_difference_that_the_word_makes(either: tfclf.Classifier) -> None:
    for explanation in either.explain(list(HEADLINES)):
        assert len(explanation.words) > 3
        check_effects(explanation, either)


@settings(max_examples=15)
@given(TEXTS)
def test_effects_of_any_text_are_differences(short: tfclf.Classifier, text: str) -> None:
    explanation = short.explain(text)
    check_effects(explanation, short)
    assert all(text[word.start : word.end] == word.text for word in explanation.words)


def test_both_texts_of_a_pair_are_explained(either: tfclf.Classifier) -> None:
    first, second = ["A late goal", "", "shares rise"], ["the cup!", "news", ""]
    explanations = either.explain(first, pairs=second)
    for explanation, text, pair in zip(explanations, first, second, strict=True):
        assert (explanation.text, explanation.text_pair) == (text, pair)
        for word in explanation.words:
            assert (text, pair)[word.place][word.start : word.end] == word.text
        check_effects(explanation, either)
    assert [word.text for word in explanations[0].words] == ["A", "late", "goal", "the", "cup", "!"]
    assert [word.place for word in explanations[0].words] == [0, 0, 0, 1, 1, 1]


def test_windows_are_explained(either: tfclf.Classifier) -> None:
    text = " ".join(HEADLINES)

    def run(texts: Sequence[str]) -> Any:
        strides = tf.fill([len(texts)], 5)
        return either._functions["windows"](text=tf.constant(texts), stride=strides)[
            "logits"
        ].numpy()

    explanation = either.explain(text, long="windows", stride=5)
    assert (explanation.prediction.windows or 0) > 1
    assert explanation.prediction.truncated is False
    assert abs(explanation.words[-1].effect) > 0
    check_effects(explanation, either, run)


def test_the_prediction_is_that_of_predict(either: tfclf.Classifier) -> None:
    texts = [*HEADLINES, "news " * 200]
    for explanation, prediction in zip(either.explain(texts), either.predict(texts), strict=True):
        assert explanation.prediction.label == prediction.label
        assert explanation.prediction.score == pytest.approx(prediction.score, abs=TOLERANCE)
        assert explanation.prediction.truncated == prediction.truncated


@pytest.mark.parametrize("text", ["", "   ", "\n", "\0"])
def test_a_text_without_words_has_no_effects(either: tfclf.Classifier, text: str) -> None:
    explanation = either.explain(text)
    assert explanation.words == ()
    assert explanation.complete


def test_a_long_text_is_explained_in_part_and_says_so(either: tfclf.Classifier) -> None:
    few, many = either.explain(["news " * 64, "news " * 65])
    assert (len(few.words), few.complete) == (64, True)
    assert (len(many.words), many.complete) == (64, False)


def test_a_megabyte_is_not_run_once_a_word(either: tfclf.Classifier) -> None:
    explanation = either.explain("late goal " * 100_000)
    assert (len(explanation.words), explanation.complete) == (64, False)
    assert explanation.prediction.truncated
    assert explanation.words[-1].start == 63 // 2 * 10 + 5


def test_a_single_word_of_a_megabyte_is_cut(either: tfclf.Classifier) -> None:
    (explanation,) = either.explain(["x" * 1_000_000])
    assert [(word.start, word.end) for word in explanation.words] == [(0, 32 * 64)]
    assert not explanation.complete


@pytest.fixture(scope="module")
def from_the_end(tmp_path_factory: pytest.TempPathFactory) -> tfclf.Classifier:
    """A classifier that truncates on the left."""
    folder = tmp_path_factory.mktemp("from_the_end")
    checkpoint = tiny_checkpoint(folder, n_layers=1, max_position_embeddings=64)
    edit_json(checkpoint / "tokenizer_config.json", truncation_side="left")
    edit_json(checkpoint / "tokenizer.json", truncation=None)
    return tfclf.load(checkpoint)


@pytest.mark.parametrize("kind", ["signature", "composed"])
def test_the_end_is_explained_if_the_model_reads_the_end(
    from_the_end: tfclf.Classifier, kind: str
) -> None:
    classifier = from_the_end if kind == "signature" else _make_older(from_the_end)
    text = "\u00e9t\u00e9 news " * 1000 + "late goal"
    explanation = classifier.explain(text)
    assert explanation.words[-1].text == "goal"
    assert explanation.words[-1].end == len(text)
    assert all(text[word.start : word.end] == word.text for word in explanation.words)
    assert abs(explanation.words[-1].effect) > 1e-3


def test_invalid_utf8_is_shown_as_python_decodes_it(either: tfclf.Classifier) -> None:
    raw = b"caf\xe9 \xe2\x82 late \xf0\x9f\x98 goal \xff"
    (explanation,) = either.explain([raw])
    assert explanation.text == raw.decode("utf-8", "replace")
    for word in explanation.words:
        assert explanation.text[word.start : word.end] == word.text


def test_lone_surrogates_do_not_crash(either: tfclf.Classifier) -> None:
    explanation = either.explain("late \ud800 goal")
    assert explanation.text == "late \ufffd\ufffd\ufffd goal"
    assert all(explanation.text[word.start : word.end] == word.text for word in explanation.words)


def test_a_regression_is_explained(regression_export: Path) -> None:
    classifier = tfclf.load(regression_export)
    explanation = classifier.explain(HEADLINES[0])
    assert explanation.prediction.probabilities is None
    assert list(explanation.words[0].effects) == ["similarity"]
    check_effects(explanation, classifier)


def test_a_multi_label_model_is_explained(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(
        tmp_path,
        problem_type="multi_label_classification",
        n_layers=1,
        max_position_embeddings=64,
    )
    classifier = tfclf.load(checkpoint)
    check_effects(classifier.explain(HEADLINES[0]), classifier)


def test_a_list_gives_a_list_and_an_iterator_an_iterator(short: tfclf.Classifier) -> None:
    assert isinstance(short.explain(["a"]), list)
    assert isinstance(short.explain(("a",)), list)
    explanations = short.explain(iter(["a goal", "b"]), batch_size=1)
    assert next(explanations).text == "a goal"
    assert short.explain([]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": None}, "texts is None"),
        ({"texts": {"text": ["a"]}}, "expected a list of str"),
        ({"texts": ["a", None]}, r"texts\[1\] is None"),
        ({"texts": ["a"], "pairs": ["b", "c"]}, "1 texts and 2 pairs"),
        ({"texts": "a", "pairs": ["b"]}, "expected one str, too"),
        ({"texts": ["a"], "pairs": ["b"], "long": "windows"}, "windows are for single texts"),
        ({"texts": ["a"], "long": "all"}, "long is 'all'"),
        ({"texts": ["a"], "stride": 3}, "a stride is for long='windows'"),
        ({"texts": ["a"], "long": "windows", "stride": 100}, "stride is 100; expected"),
        ({"texts": ["a"], "batch_size": 0}, "batch_size is 0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_input_is_refused_as_by_predict(
    short: tfclf.Classifier, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        short.explain(**arguments)


@pytest.mark.verify
def test_the_bundled_model_explains_its_headline() -> None:
    classifier = tfclf.load(DEMO)
    check_effects(classifier.explain(HEADLINES[0]), classifier)


def test_its_json_is_plain(short: tfclf.Classifier) -> None:
    explanation = short.explain("A late goal", pairs="the cup")
    content = json.loads(json.dumps(explanation.to_dict()))
    assert content["text_pair"] == "the cup"
    assert [word["text"] for word in content["words"]] == ["A", "late", "goal", "the", "cup"]
    assert content["words"][3]["place"] == 1
    assert content["label"] == explanation.prediction.label


def test_its_page_escapes_the_text(short: tfclf.Classifier) -> None:
    text = "<script>alert('late & goal')</script>\0 \U0001f44d"
    page = short.explain(text)._repr_html_()
    assert "<script" not in page
    assert "\0" not in page
    assert "\U0001f44d" in page
    assert 'title="' in page
    shown = page.split('margin:.3em 0">')[1].split("</p>")[0]
    assert html.unescape(re.sub(r"<[^>]+>", "", shown)) == text.replace("\0", "\ufffd")


def test_its_page_does_not_speak_by_colour_alone() -> None:
    words = (Word("up", 0, 2, 1.0, {}), Word("no", 3, 5, -1, {}))
    page = tfclf.Explanation("up no", None, tfclf.Prediction("a", 1.0, None), words)._repr_html_()
    assert 'title="+1"' in page
    assert 'title="-1"' in page
    assert "2px solid" in page
    assert "2px dotted" in page
