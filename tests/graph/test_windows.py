"""Long texts in windows: the fast tokenizers' boundaries, the mean of the original's logits."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import tfclf
from samples.checkpoints import DEMO_FILES, edit_json, tiny_checkpoint
from tests.conftest import Once
from tests.signatures import few_signatures
from tfclf._transformers import tokenizers, transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import InputError
from tfclf.families import known
from tfclf.graph import serving_graph
from tfclf.graph.build import ENGINES
from tfclf.graph.windows import place_further_windows
from tfclf.sample_texts import HEADLINES

LIMIT = 24
STRIDE = 5
LONG = (
    " ".join(HEADLINES) * 3,
    "",
    "short",
    " ".join(HEADLINES[::-1]),
    "news " * 200,
    HEADLINES[0],
)


def _make_checkpoint(folder: Path, family: str) -> None:
    one_layer: dict[str, Any] = {known()[family].config_keys.layers: 1}
    tiny_checkpoint(folder, family, **one_layer)
    edit_json(folder / "tokenizer_config.json", model_max_length=LIMIT)


@pytest.fixture(scope="module", params=sorted(known()))
def source(request: pytest.FixtureRequest, once: Once) -> Path:
    return once(f"windows_{request.param}", lambda folder: _make_checkpoint(folder, request.param))


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[Path], tfclf.Classifier]]:
    """Load a checkpoint; again, give the classifier that has traced its signatures."""
    yield (loaded := cache(tfclf.load))
    loaded.cache_clear()


@pytest.fixture(scope="module")
def classifier(source: Path, load: Callable[[Path], tfclf.Classifier]) -> tfclf.Classifier:
    return load(source)


@pytest.fixture(scope="module")
def short_checkpoint(once: Once) -> Path:
    return once("windows_distilbert", lambda folder: _make_checkpoint(folder, "distilbert"))


@pytest.fixture(scope="module")
def short(short_checkpoint: Path, load: Callable[[Path], tfclf.Classifier]) -> tfclf.Classifier:
    return load(short_checkpoint)


def _run_reference(folder: Path, texts: Any, *, stride: int) -> tuple[np.ndarray, list[int]]:
    """Run the original class on each overflowing row of the original tokenizer.

    Returns: the mean logits of each text, weighted by tokens of text, and its number of windows.
    """
    checkpoint = open_checkpoint(folder)
    tokenizer = transformers().AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(
        list(texts),
        truncation=True,
        max_length=checkpoint.max_length,
        stride=stride,
        return_overflowing_tokens=True,
        padding=True,
        return_special_tokens_mask=True,
        return_tensors="tf",
    )
    rows = inputs.pop("overflow_to_sample_mapping").numpy()
    weights = (1 - inputs.pop("special_tokens_mask").numpy()).sum(axis=1)
    logits = checkpoint.load_model()(dict(inputs)).logits.numpy()
    means = [
        np.average(logits[rows == row], axis=0, weights=np.maximum(weights[rows == row], 1))
        for row in range(len(texts))
    ]
    return np.stack(means), np.bincount(rows).tolist()


def _run_windows(
    classifier: tfclf.Classifier, texts: Any, *, stride: int
) -> tuple[np.ndarray, list[int]]:
    function = classifier._functions["windows"]
    outputs = function(text=tf.constant(texts), stride=tf.fill([len(texts)], stride))
    return outputs["logits"].numpy(), outputs["windows"].numpy().tolist()


@pytest.mark.sample("distilbert", "roberta")
@pytest.mark.parametrize("stride", [0, STRIDE])
def test_logits_are_the_originals_mean_over_the_originals_windows(
    classifier: tfclf.Classifier, source: Path, stride: int
) -> None:
    expected, counts = _run_reference(source, LONG, stride=stride)
    logits, windows = _run_windows(classifier, LONG, stride=stride)
    assert windows == counts
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.sample("lean")
@pytest.mark.parametrize("engine", ENGINES)
def test_windows_begin_at_the_end_where_truncation_is_on_the_left(
    tmp_path: Path, engine: str
) -> None:
    folder = tiny_checkpoint(tmp_path, n_layers=1)
    edit_json(folder / "tokenizer_config.json", model_max_length=LIMIT, truncation_side="left")
    expected, counts = _run_reference(folder, LONG, stride=STRIDE)
    logits, windows = _run_windows(tfclf.load(folder, engine=engine), LONG, stride=STRIDE)
    assert windows == counts
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.sample("distilbert")
def test_texts_that_fit_get_the_very_same_logits(classifier: tfclf.Classifier) -> None:
    texts = ["the news", "news " * (LIMIT - 2), "a", LONG[0], ""]
    fits = [0, 1, 2, 4]
    logits, _ = _run_windows(classifier, texts, stride=STRIDE)
    np.testing.assert_array_equal(logits[fits], classifier(texts)["logits"].numpy()[fits])


@pytest.mark.sample(3)
@pytest.mark.parametrize("at_once", [3, 1000])
def test_how_many_windows_are_encoded_at_once_does_not_matter(
    short_checkpoint: Path, short: tfclf.Classifier, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    expected, _ = _run_windows(short, LONG, stride=STRIDE)
    monkeypatch.setattr(serving_graph, "_WINDOWS", at_once)
    logits, _ = _run_windows(tfclf.load(short_checkpoint), LONG, stride=STRIDE)
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


def test_no_more_than_so_many_windows_are_encoded_at_once(
    short_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Count the rows that reach the encoder as its graph runs."""
    seen: list[int] = []
    original = serving_graph.ServingGraph.__init__

    def count_rows(rows: tf.Tensor) -> tf.Tensor:
        seen.append(int(rows))
        return rows

    def init_with_spy(self: Any, tokenizer: Any, frame: Any, engine: Any, **options: Any) -> None:
        class Spy(tf.Module):
            encode_dense = engine.encode_dense

            def __call__(self, batch: Any) -> tf.Tensor:
                rows = batch.input_ids.nrows(out_type=tf.int32)
                with tf.control_dependencies([tf.py_function(count_rows, [rows], tf.int32)]):
                    return engine(batch)

        original(self, tokenizer, frame, Spy(), **options)

    monkeypatch.setattr(serving_graph.ServingGraph, "__init__", init_with_spy)
    _, windows = _run_windows(tfclf.load(short_checkpoint), ["news " * 5_000], stride=0)
    assert windows[0] == sum(seen) == -(-5_000 // (LIMIT - 2))
    assert max(seen) == 16


def test_an_export_reads_windows(
    short_checkpoint: Path, short: tfclf.Classifier, tmp_path: Path
) -> None:
    with few_signatures("detail", "windows"):
        exported = tfclf.load(tfclf.export(short_checkpoint, tmp_path / "model"))
    predictions, expected = (one.predict(LONG, long="windows") for one in (exported, short))
    assert [one.windows for one in predictions] == [one.windows for one in expected]
    assert [one.score for one in predictions] == pytest.approx(
        [one.score for one in expected], abs=1e-5
    )


def test_a_prediction_says_how_many_windows_it_read(short: tfclf.Classifier) -> None:
    predictions = short.predict(
        ["news " * 22, "news " * 23, "news " * 39, "news " * 40], long="windows", stride=5
    )
    assert [(one.windows, one.truncated) for one in predictions] == [
        (1, False),
        (2, False),
        (2, False),
        (3, False),
    ]


def test_the_stride_is_a_quarter_of_the_limit_by_default(short: tfclf.Classifier) -> None:
    assert short.predict(LONG, long="windows") == short.predict(
        LONG, long="windows", stride=LIMIT // 4
    )


def test_an_empty_batch_gives_empty_outputs(short: tfclf.Classifier) -> None:
    outputs = short._functions["windows"](
        text=tf.constant([], tf.string), stride=tf.constant([], tf.int32)
    )
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "label": (0,),
        "score": (0,),
        "probabilities": (0, 4),
        "logits": (0, 4),
        "windows": (0,),
    }


@pytest.mark.sample("roberta")
def test_words_are_explained_for_every_family(classifier: tfclf.Classifier) -> None:
    text = "late goal wins! " * 10
    for long in ("truncate", "windows"):
        explanation = classifier.explain(text, long=long)
        word = explanation.words[3]
        assert (word.text, word.start) == ("!", 14)
        shorter = text[:14] + text[15:]
        label = explanation.prediction.label
        if long == "truncate":
            logits = classifier([text, shorter])["logits"].numpy()
        else:
            logits, _ = _run_windows(classifier, [text, shorter], stride=LIMIT // 4)
        expected = logits[0] - logits[1]
        np.testing.assert_allclose(list(word.effects.values()), expected, atol=1e-5)
        assert word.effect == word.effects[label]


@pytest.mark.parametrize("stride", [-1, LIMIT - 2, 1.5, True, "5"])
def test_a_stride_leaves_room_for_a_token(short: tfclf.Classifier, stride: Any) -> None:
    with pytest.raises(InputError, match=r"stride is .*; expected a whole number from 0 to 21"):
        short.predict(["a"], long="windows", stride=stride)


@pytest.mark.parametrize("stride", [-1, LIMIT - 2])
def test_the_graph_refuses_a_stride_without_room(short: tfclf.Classifier, stride: int) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="stride must be at least 0 and below"):
        _run_windows(short, ["a"], stride=stride)


def test_windows_of_pairs_are_refused(short: tfclf.Classifier) -> None:
    with pytest.raises(InputError, match="long='windows' and pairs are given"):
        short.predict(["a"], pairs=["b"], long="windows")


@cache
def _bundled_tokenizer() -> Any:
    tokenizer = tokenizers().Tokenizer.from_file(str(DEMO_FILES / "tokenizer.json"))
    tokenizer.no_truncation()
    return tokenizer


def _truncate_with_tokenizers(
    lengths: list[int], budget: int, stride: int, side: str
) -> list[tuple[int, int, int]]:
    """Return (row, start, length) of every window but the first of each row."""
    windows = []
    for row, length in enumerate(lengths):
        encoding = _bundled_tokenizer().encode("news " * length, add_special_tokens=False)
        encoding.truncate(budget, stride, side)
        windows += [
            (row, part.offsets[0][0] // len("news "), len(part.ids))
            for part in encoding.overflowing
        ]
    return windows


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=4), st.integers(1, 20), st.data())
@pytest.mark.parametrize("side", ["right", "left"])
def test_boundaries_are_those_of_tokenizers(
    side: str, lengths: list[int], budget: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(0, budget - 1))
    strides = tf.fill([len(lengths)], stride)
    windows = place_further_windows(
        tf.constant(lengths, tf.int32), budget=budget, stride=strides, from_end=side == "left"
    )
    boundaries = list(zip(*(values.numpy().tolist() for values in windows), strict=True))
    assert boundaries == _truncate_with_tokenizers(lengths, budget, stride, side)
