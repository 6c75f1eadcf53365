"""Differences between families beyond names: positions, shared layers, default sizes."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from samples.checkpoints import tiny_checkpoint, tiny_config, tiny_model
from tests.signatures import few_signatures
from tfclf._transformers import tf_class, transformers
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.families import known
from tfclf.graph.engines.lean import LeanEngine
from tfclf.graph.engines.lean.sizes import Sizes
from tfclf.graph.framing import Batch
from tfclf.saved_model.buckets import Ladder

TOLERANCE = 1e-5
FAMILIES = sorted(known())
WITH_PADDING_POSITIONS = sorted(
    name for name in FAMILIES if known()[name].position_padding_id is not None
)
# Ids 0 and 1 stand inside rows, too: one of them is the padding id in RoBERTa and its kin.
ROWS = [[101, 7, 1, 0, 9, 102], [101, 102], [101, 1, 1, 1, 8, 8, 1, 102], [1, 0, 5]]


@cache
def _make_pair(family: str, **changes: Any) -> tuple[LeanEngine, Any]:
    config = tiny_config(family, **changes)
    model = tiny_model(config)
    engine = LeanEngine(
        known()[family],
        model.config.to_dict(),
        model,
        folder=Path(family),
        ladder=Ladder.up_to(512),
    )
    return engine, model


def _run_original(model: Any, rows: Sequence[Sequence[int]]) -> np.ndarray:
    logits = [model({"input_ids": np.array([row], np.int32)}).logits.numpy()[0] for row in rows]
    return np.array(logits)


@pytest.mark.sample(1)
@pytest.mark.parametrize("pad_token_id", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_padding_tokens_inside_a_row_are_placed_as_in_the_original(
    family: str, pad_token_id: int
) -> None:
    engine, model = _make_pair(family, pad_token_id=pad_token_id)
    ids = tf.ragged.constant(ROWS, tf.int32, row_splits_dtype=tf.int32)
    logits = engine(Batch(ids, tf.zeros_like(ids), tf.fill([len(ROWS)], False)))
    np.testing.assert_allclose(logits, _run_original(model, ROWS), atol=TOLERANCE, rtol=0)


@pytest.mark.sample(1)
@pytest.mark.parametrize("pad_token_id", [0, 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_dense_rows_are_placed_as_in_the_original(family: str, pad_token_id: int) -> None:
    engine, model = _make_pair(family, pad_token_id=pad_token_id)
    input_ids = tf.ragged.constant(ROWS, tf.int32).to_tensor(0)
    # The first row's third column is masked; the original decides whether it counts.
    mask = np.array(
        [[1, 1, 0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0], [1] * 8, [1, 1, 1, 0, 0, 0, 0, 0]],
        np.int32,
    )
    expected = model({"input_ids": input_ids, "attention_mask": mask}).logits
    np.testing.assert_allclose(
        engine.encode_dense(input_ids, mask), expected, atol=TOLERANCE, rtol=0
    )


@pytest.mark.sample("distilbert", "roberta")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_row_takes_the_last_position(family: str, tmp_path: Path) -> None:
    reserved = 40 - known()[family].usable_positions(40)
    changes: dict[str, Any] = {known()[family].config_keys.positions: 40}
    folder = tiny_checkpoint(tmp_path, family, **changes)
    classifier = tfclf.load(folder)
    assert classifier.max_length == 40 - reserved
    long = ["news " * 100, "news"]
    model = open_checkpoint(folder).load_model()
    expected = _run_original(model, classifier.tokenize(long).to_list())
    np.testing.assert_allclose(classifier(long)["logits"], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("family", WITH_PADDING_POSITIONS)
def test_roberta_and_its_kin_keep_two_positions_for_themselves(family: str) -> None:
    assert known()[family].usable_positions(514) == 512


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_that_config_json_leaves_out_are_those_of_transformers(
    family: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "{family}"}}', encoding="utf-8")
    (tmp_path / "tf_model.h5").touch()
    declared, theirs = known()[family], transformers().AutoConfig.for_model(family)
    config = open_checkpoint(tmp_path).config
    sizes = Sizes.of(declared, config, folder=tmp_path)
    keys = declared.config_keys
    assert (
        len(sizes.passes),
        sizes.heads,
        sizes.hidden_size,
        sizes.intermediate_size,
        sizes.activation,
    ) == tuple(
        getattr(theirs, key)
        for key in (
            keys.layers,
            keys.heads,
            keys.hidden_size,
            keys.intermediate_size,
            keys.activation,
        )
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_of_the_original_is_moved_once(family: str) -> None:
    """A weight left behind is one that the original does not use, or a mistake."""
    engine, model = _make_pair(family, pad_token_id=1)
    assert _count_elements(engine.variables) == _count_elements(model.weights)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 5, "num_hidden_groups": 2},
        {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2},
        pytest.param({"num_hidden_layers": 3, "inner_group_num": 3}, marks=pytest.mark.verify),
    ],
    ids=["unequal groups", "two layers in each of two groups", "three layers in one group"],
)
def test_albert_shares_layers_as_its_config_says(changes: Mapping[str, int]) -> None:
    engine, model = _make_pair("albert", **changes)
    ids = tf.ragged.constant(ROWS, tf.int32, row_splits_dtype=tf.int32)
    logits = engine(Batch(ids, tf.zeros_like(ids), tf.fill([len(ROWS)], False)))
    np.testing.assert_allclose(logits, _run_original(model, ROWS), atol=TOLERANCE, rtol=0)
    layers = changes.get("num_hidden_groups", 1) * changes.get("inner_group_num", 1)
    assert len({id(layer) for layer in engine.layers}) == layers


def test_an_export_of_albert_stores_its_layer_once(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "checkpoint", "albert", num_hidden_layers=4)
    with few_signatures():
        version = tfclf.export(folder, tmp_path / "export")
    stored = sum(
        math.prod(shape)
        for _, shape in tf.train.list_variables(str(version / "variables" / "variables"))
    )
    weights = _count_elements(open_checkpoint(folder).load_model().weights)
    # Besides the weights: the save counter and the object graph.
    assert stored == pytest.approx(weights, abs=10)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_declared_class_is_transformers_own_for_the_model_type(family: str) -> None:
    config = transformers().AutoConfig.for_model(family)
    assert (
        tf_class(known()[family].tf_class)
        is (transformers().TF_MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)])
    )


def _count_elements(variables: Sequence[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)
