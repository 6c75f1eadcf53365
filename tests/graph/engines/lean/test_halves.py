"""Large layers are computed in two halves, and give the original's logits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from samples.checkpoints import tiny_checkpoint
from tests.precisions import mark_precisions, options_of
from tfclf._transformers import transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.families import known
from tfclf.graph.build import build
from tfclf.graph.engines.lean import LeanEngine
from tfclf.graph.serving_graph import ServingGraph
from tfclf.sample_texts import HEADLINES

TEXTS = [*HEADLINES, "", "news " * 80]


@pytest.fixture(scope="module", params=sorted(known()))
def large_checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    sizes: dict[str, Any] = {known()[request.param].config_keys.intermediate_size: 3072}
    return tiny_checkpoint(tmp_path_factory.mktemp("large") / "checkpoint", request.param, **sizes)


@pytest.fixture(scope="module")
def expected(large_checkpoint: Path) -> np.ndarray:
    """Logits of the original class, run eagerly, behind the original tokenizer."""
    tokenizer = transformers().AutoTokenizer.from_pretrained(large_checkpoint)
    inputs = tokenizer(TEXTS, truncation=True, max_length=512, padding=True, return_tensors="tf")
    logits: np.ndarray = open_checkpoint(large_checkpoint).load_model()(dict(inputs)).logits.numpy()
    return logits


@pytest.fixture(scope="module")
def graph(large_checkpoint: Path) -> ServingGraph:
    return _build(large_checkpoint, "float32")


@pytest.mark.sample("distilbert", "albert")
def test_logits_are_those_of_the_class(graph: ServingGraph, expected: np.ndarray) -> None:
    logits = graph.classify_text(tf.constant(TEXTS))["logits"]
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.sample("distilbert")
def test_logits_of_xla_are_those_of_the_class(graph: ServingGraph, expected: np.ndarray) -> None:
    logits = graph.classify_text_xla(tf.constant(TEXTS))["logits"]
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.sample("distilbert", "albert")
@pytest.mark.parametrize("precision", mark_precisions())
def test_every_layer_has_two_halves(large_checkpoint: Path, precision: str) -> None:
    assert _count_parts(_build(large_checkpoint, precision)) == {2}


@pytest.mark.sample("distilbert", "albert")
def test_logits_in_bfloat16_are_near_those_of_the_class(
    large_checkpoint: Path, expected: np.ndarray
) -> None:
    logits = _build(large_checkpoint, "bfloat16").classify_text(tf.constant(TEXTS))["logits"]
    np.testing.assert_allclose(logits, expected, atol=0.05, rtol=0)


@pytest.mark.sample("distilbert")
def test_the_manifest_says_so(large_checkpoint: Path) -> None:
    _, manifest = build(open_checkpoint(large_checkpoint), name="model", engine="lean")
    assert manifest.parts == 2


def test_an_odd_number_of_heads_stays_whole(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint", "distilbert", n_heads=1, hidden_dim=3072)
    assert _count_parts(_build(checkpoint, "float32")) == {1}


def test_a_small_one_stays_whole(checkpoint: Path) -> None:
    assert _count_parts(_build(checkpoint, "float32")) == {1}


def _build(checkpoint: Path, precision: str) -> ServingGraph:
    graph, _ = build(
        open_checkpoint(checkpoint), name="model", engine="lean", **options_of(precision)
    )
    return graph


def _count_parts(graph: ServingGraph) -> set[int]:
    assert isinstance(graph._engine, LeanEngine)
    return {
        len(products)
        for layer in graph._engine.layers
        for products in (layer.attention_output, layer.inner, layer.output)
    }
