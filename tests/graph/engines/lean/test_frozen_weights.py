"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS=1: exports answer as without it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from samples.checkpoints import OTHERS, ROOT, other_checkpoint, tiny_checkpoint
from tests.graph.engines.lean.frozen_weights import (
    SIZES,
    keeps_weights,
    list_logits,
    pick_texts,
)
from tests.precisions import RUNNABLE, mark_precisions, options_of
from tests.signatures import few_signatures
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.families import known
from tfclf.graph.build import build
from tfclf.graph.engines.lean import LeanEngine
from tfclf.graph.engines.lean.int8 import OP
from tfclf.saved_model.frozen_weights import VARIABLE
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.signature_names import ENCODE, PAIRS, TOKENIZE

FAMILIES = sorted(known())
# By precision: float32 sums in another order, bfloat16 rounds at other places.
# In int8 such a sum may become the next whole number: 0.07 at most was measured, and 0.005 in the
# mean, where int8 is 0.15 and 0.04 from float32. Another layer's weights move logits by about 1.
TOLERANCES = {"float32": 1e-5, "bfloat16": 0.05, "int8": 0.15, "int8_bfloat16": 0.15}
# As large as this, layers are divided into parts.
_SIZES = {"hidden_size": 64, "intermediate_size": 3072, "layers": 4}
# Each group serves three passes.
_OF_FAMILY: Mapping[str, Mapping[str, Any]] = {
    "albert": {"num_hidden_layers": 6, "num_hidden_groups": 2}
}
Logits = Mapping[str, Sequence[Sequence[float]]]


def _make_checkpoint(folder: Path, family: str) -> Path:
    keys = known()[family].config_keys
    sizes: dict[str, Any] = {getattr(keys, name): size for name, size in _SIZES.items()}
    return tiny_checkpoint(folder, family, **{**sizes, **_OF_FAMILY.get(family, {})})


def _answer_frozen(exports: Sequence[Path]) -> list[Logits]:
    """Return the logits of a process with the variable set, and oneDNN on wherever it can be."""
    command = [sys.executable, "-m", "tests.graph.engines.lean.frozen_weights", *map(str, exports)]
    environment = {**os.environ, VARIABLE: "1", "TF_ENABLE_ONEDNN_OPTS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=600
    )
    answer = json.loads(done.stdout)
    if not answer["keeps"]:
        pytest.skip("this TensorFlow runs without oneDNN, whose kernels would keep weights")
    return list(answer["logits"])


def _compare(frozen: Logits, export: Path, *, atol: float) -> None:
    usual = list_logits(str(export))
    usual["session"] = usual["texts"]
    for name, logits in usual.items():
        np.testing.assert_allclose(frozen[name], logits, atol=atol, rtol=0, err_msg=name)


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint_of_family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return _make_checkpoint(tmp_path_factory.mktemp(request.param) / "checkpoint", request.param)


@pytest.fixture(scope="module")
def exports(
    checkpoint_of_family: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return an export by precision, with the signatures that `list_logits` calls."""
    folder = tmp_path_factory.mktemp("exports")
    with few_signatures(PAIRS, TOKENIZE, ENCODE):
        return {
            precision: tfclf.export(
                checkpoint_of_family, folder / precision, **options_of(precision)
            )
            for precision in RUNNABLE
        }


@pytest.fixture(scope="module")
def frozen(exports: dict[str, Path]) -> dict[str, Logits]:
    """Return the frozen process' logits by precision."""
    return dict(zip(exports, _answer_frozen(list(exports.values())), strict=True))


def test_this_process_keeps_no_weights() -> None:
    assert not keeps_weights()


@pytest.mark.sample("distilbert")
@pytest.mark.parametrize("precision", mark_precisions())
def test_logits_stay_if_weights_are_said_to_be_frozen(
    precision: str, exports: dict[str, Path], frozen: dict[str, Logits]
) -> None:
    _compare(frozen[precision], exports[precision], atol=TOLERANCES[precision])


@pytest.mark.sample("distilbert")
def test_logits_are_those_of_the_class_if_weights_are_said_to_be_frozen(
    checkpoint_of_family: Path, exports: dict[str, Path], frozen: dict[str, Logits]
) -> None:
    model = open_checkpoint(checkpoint_of_family).load_model()
    classifier = tfclf.load(exports["float32"])
    expected = []
    for size in SIZES:
        ids = classifier.tokenize(pick_texts(size))
        mask = tf.sequence_mask(ids.row_lengths(), dtype=tf.int32)
        inputs = {"input_ids": ids.to_tensor(), "attention_mask": mask}
        expected.append(model(inputs, training=False).logits.numpy())
    np.testing.assert_allclose(
        frozen["float32"]["texts"], np.concatenate(expected), atol=1e-5, rtol=0
    )


@pytest.mark.verify
@pytest.mark.parametrize("model_type", [*FAMILIES, *OTHERS])
def test_logits_of_the_original_engine_stay(model_type: str, tmp_path: Path) -> None:
    make = _make_checkpoint if model_type in FAMILIES else other_checkpoint
    checkpoint = make(tmp_path / "checkpoint", model_type)
    export = tfclf.export(checkpoint, tmp_path / "export", engine="original")
    (frozen,) = _answer_frozen([export])
    _compare(frozen, export, atol=1e-5)


@pytest.mark.sample("float32", "albert")
@pytest.mark.parametrize("precision", mark_precisions())
def test_no_product_meets_two_weights(checkpoint_of_family: Path, precision: str) -> None:
    """On any processor, whether its kernels keep weights or not."""
    opened = open_checkpoint(checkpoint_of_family)
    graph, _ = build(opened, name="model", engine="lean", **options_of(precision))
    assert isinstance(graph._engine, LeanEngine)
    encode: Any = graph._engine._encode
    encoder = encode.get_concrete_function().graph.as_graph_def()
    with_products = {
        function.signature.name
        for function in encoder.library.function
        if any(node.op in ("MatMul", OP) for node in function.node_def)
    }
    nodes = {node.name: node for node in encoder.node}
    weights: dict[str, set[tuple[str, ...]]] = {}
    for node in encoder.node:
        function = node.attr["f"].func.name
        if function in with_products:
            variables = tuple(_find_variable(source, nodes) for source in node.input)
            weights.setdefault(function, set()).add(variables)
    assert set(weights) == with_products  # none is called from another function
    assert all(len(calls) == 1 for calls in weights.values())
    # ALBERT's groups have a function each, and other families' layers have none.
    assert len(weights) == (2 if opened.family.shared_layers else 0)


def _find_variable(source: str, nodes: Mapping[str, Any]) -> str:
    """Return the name of the variable that a tensor is read from; "" if it is none."""
    node = nodes[source.removeprefix("^").partition(":")[0]]
    while node.op in ("Identity", "Cast", "ReadVariableOp"):
        if node.op == "ReadVariableOp":
            return str(node.input[0])
        node = nodes[node.input[0].partition(":")[0]]
    return ""


def test_an_export_states_that_its_weights_may_be_frozen(exported: Path) -> None:
    assert Manifest.read(exported).frozen_weights
