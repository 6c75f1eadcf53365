"""The packed layout: padding to a few shapes changes no answer."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.precisions import options_of
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.graph.build import build
from tfclf.graph.engines.lean import engine as engines
from tfclf.graph.engines.lean import packed
from tfclf.graph.engines.lean.weights import DenseValues

HEADS, HEAD_SIZE = 2, 4


def _attend(lengths: list[int], **multiples: int) -> np.ndarray:
    """Attend to random rows of these lengths; the same rows for any multiples."""
    row_splits = tf.constant(np.cumsum([0, *lengths]), tf.int32)
    values = np.random.default_rng(0).normal(size=(sum(lengths), 3 * HEADS * HEAD_SIZE))
    multiple = multiples.get("token_multiple", 1)
    padded = packed.pad_tokens(tf.constant(values, tf.float32), row_splits, multiple=multiple)
    packing = packed.plan(
        row_splits, heads=HEADS, head_size=HEAD_SIZE, dtype=tf.float32, **multiples
    )
    context: np.ndarray = packed.attend(padded, packing).numpy()
    assert len(context) == len(padded)
    return context[: sum(lengths)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 32), st.integers(1, 32)
)
def test_padding_changes_no_context(lengths: list[int], tokens: int, length: int) -> None:
    found = _attend(lengths, token_multiple=tokens, length_multiple=length)
    np.testing.assert_allclose(found, _attend(lengths), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("precision", "multiple"), [("bfloat16", 16), ("float32", 1)])
def test_products_see_whole_tiles_of_tokens_in_bfloat16(
    precision: str, multiple: int, short_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """oneDNN builds a kernel for each number of tokens."""
    rows = []
    compute = DenseValues.__call__

    def watch(self: DenseValues, inputs: tf.Tensor, **options: object) -> tf.Tensor:
        rows.append(int(inputs.shape[0]))
        return compute(self, inputs, **options)  # type: ignore[arg-type]

    opened = open_checkpoint(short_checkpoint)
    graph, _ = build(opened, name="model", engine="lean", **options_of(precision))
    assert isinstance(graph._engine, engines.LeanEngine)
    monkeypatch.setattr(DenseValues, "__call__", watch)
    tokens = tf.ones([37], tf.int32)
    tf.config.run_functions_eagerly(True)
    try:
        graph._engine._encode_rows(tokens, tokens, tf.zeros_like(tokens), tf.constant([0, 30, 37]))
    finally:
        tf.config.run_functions_eagerly(False)
    assert max(rows) == -(-37 // multiple) * multiple
