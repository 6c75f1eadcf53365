"""Both engines of each family give the original's logits (transformers 4.57, tf-keras 2.21)."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from samples.checkpoints import tiny_checkpoint
from tests.graph.engines.lengths import compare_lengths
from tfclf._transformers import transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.families import known
from tfclf.graph.build import ENGINES
from tfclf.sample_texts import HEADLINES, hostile_texts

TOLERANCE = 1e-5
FAMILIES = sorted(known())
Logits = Callable[[Sequence[str]], np.ndarray]


@pytest.fixture(scope="module", params=FAMILIES)
def family_checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp(request.param) / "checkpoint", request.param)


@pytest.fixture(scope="module")
def reference(family_checkpoint: Path) -> Logits:
    """A function from texts to logits: the original class behind the original tokenizer."""
    run_original = cache(_load_reference(family_checkpoint))
    return lambda texts: run_original(tuple(texts))


def _load_reference(folder: Path) -> Logits:
    model = open_checkpoint(folder).load_model()
    tokenizer = transformers().AutoTokenizer.from_pretrained(folder)

    def run_original(texts: Sequence[str]) -> np.ndarray:
        parts = []
        for start in range(0, len(texts), 25):
            inputs = tokenizer(
                list(texts[start : start + 25]),
                truncation=True,
                max_length=512,
                padding=True,
                return_tensors="tf",
            )
            parts.append(model(dict(inputs)).logits.numpy())
        return np.concatenate(parts)

    return run_original


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, family_checkpoint: Path) -> Any:
    return tfclf.load(family_checkpoint, engine=request.param)


def _compute_logits(
    classifier: tfclf.Classifier, texts: Sequence[str], *, batch: int = 32
) -> np.ndarray:
    parts = [
        classifier(list(texts[start : start + batch]))["logits"].numpy()
        for start in range(0, len(texts), batch)
    ]
    return np.concatenate(parts)


# tests/families compares every family's engine with the original; these differ in more than names.
@pytest.mark.sample(
    "distilbert", ("albert", "lean"), ("bert", "lean"), ("electra", "lean"), ("roberta", "lean")
)
def test_logits_equal_on_real_rows_of_mixed_length(
    engine: tfclf.Classifier, reference: Logits, mixed_rows: list[str]
) -> None:
    rows = [*mixed_rows[:6], *mixed_rows[-3:]]
    assert len(set(map(len, rows))) == len(rows)
    np.testing.assert_allclose(
        _compute_logits(engine, rows), reference(rows), atol=TOLERANCE, rtol=0
    )


@pytest.mark.verify
def test_logits_equal_on_500_real_rows_of_mixed_length(
    engine: tfclf.Classifier, reference: Logits, many_mixed_rows: list[str]
) -> None:
    assert len(many_mixed_rows) == 500
    np.testing.assert_allclose(
        _compute_logits(engine, many_mixed_rows), reference(many_mixed_rows), atol=TOLERANCE, rtol=0
    )


@pytest.mark.sample("distilbert", ("roberta", "lean"))
def test_rows_of_1_to_512_tokens_equal_the_class_run_eagerly(
    engine: tfclf.Classifier, family_checkpoint: Path
) -> None:
    compare_lengths(engine, open_checkpoint(family_checkpoint).load_model())


@pytest.mark.sample("distilbert")
@pytest.mark.parametrize("batch", [1, 8, 33])
def test_logits_equal_whatever_the_batch_size(
    engine: tfclf.Classifier, reference: Logits, batch: int
) -> None:
    texts = ["", *HEADLINES, "news " * 600, *hostile_texts(24, seed=5)]
    np.testing.assert_allclose(
        _compute_logits(engine, texts, batch=batch), reference(texts), atol=TOLERANCE, rtol=0
    )


@pytest.mark.sample("distilbert")
@pytest.mark.parametrize(
    "neighbours", [["x"], ["news " * 600], list(HEADLINES), [""] * 20], ids=["1", "long", "8", "20"]
)
def test_a_row_answers_the_same_whatever_else_is_in_its_batch(
    engine: tfclf.Classifier, neighbours: list[str]
) -> None:
    text = "Parliament votes to dissolve itself"
    alone = engine([text])["logits"].numpy()[0]
    for place in (0, len(neighbours)):
        batch = [*neighbours[:place], text, *neighbours[place:]]
        np.testing.assert_allclose(
            engine(batch)["logits"].numpy()[place], alone, atol=TOLERANCE, rtol=0
        )


@pytest.mark.sample("distilbert")
def test_an_empty_batch_gives_empty_outputs(engine: tfclf.Classifier) -> None:
    shapes = {
        name: tuple(value.shape) for name, value in engine(tf.constant([], tf.string)).items()
    }
    assert shapes == {"label": (0,), "score": (0,), "probabilities": (0, 4), "logits": (0, 4)}


@pytest.mark.sample("distilbert", ("bert", "lean"), ("roberta", "lean"))
def test_pairs_equal_the_original(engine: tfclf.Classifier, family_checkpoint: Path) -> None:
    model = open_checkpoint(family_checkpoint).load_model()
    tokenizer = transformers().AutoTokenizer.from_pretrained(family_checkpoint)
    first, second = list(HEADLINES), ["", *HEADLINES[2:], "news " * 600]
    inputs = tokenizer(
        first, second, truncation=True, max_length=512, padding=True, return_tensors="tf"
    )
    expected = model(dict(inputs)).logits.numpy()
    logits = engine.call_pairs(first, second)["logits"].numpy()
    np.testing.assert_allclose(logits, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.sample("distilbert")
def test_bfloat16_stays_near_float32(family_checkpoint: Path, reference: Logits) -> None:
    logits = _compute_logits(tfclf.load(family_checkpoint, precision="bfloat16"), HEADLINES)
    np.testing.assert_allclose(logits, reference(HEADLINES), atol=0.1, rtol=0)


@pytest.mark.sample("distilbert_tiny_pytorch")
@pytest.mark.parametrize("name", ["distilbert_tiny_pytorch", "roberta_tiny_pytorch"])
def test_pytorch_safetensors_give_pytorchs_own_logits(shared: Path, name: str) -> None:
    """expected.json: torch 2.15.0, transformers 4.57.6."""
    folder = shared / "checkpoints" / name
    rows = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["rows"]
    classifier = tfclf.load(folder)
    logits = classifier([row["text"] for row in rows])["logits"].numpy()
    np.testing.assert_allclose(logits, [row["logits"] for row in rows], atol=TOLERANCE, rtol=0)
    assert classifier.tokenize([row["text"] for row in rows]).to_list() == [
        row["input_ids"] for row in rows
    ]


def test_narrow_embeddings_are_projected(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path, "electra", embedding_size=16)
    expected = _load_reference(folder)(HEADLINES)
    logits = _compute_logits(tfclf.load(folder), HEADLINES)
    np.testing.assert_allclose(logits, expected, atol=TOLERANCE, rtol=0)
