"""int8: the products, their ranges, and the encoder of each family."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from samples.checkpoints import short_sizes, tiny_checkpoint
from tests.precisions import CALIBRATION_TEXTS, options_of
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import InputError
from tfclf.families import known
from tfclf.graph.build import build
from tfclf.graph.engines.lean.calibration import RULES, calibrate
from tfclf.graph.engines.lean.engine import LeanEngine
from tfclf.graph.engines.lean.int8 import LARGEST_WEIGHT, OP, InputRange, Int8Dense, Int8Kernel
from tfclf.graph.framing import Frame
from tfclf.sample_texts import HEADLINES
from tfclf.tokenization.compile import Tokenizer

FAMILIES = sorted(known())


def _compute(
    kernel: np.ndarray, bias: np.ndarray, inputs: np.ndarray, one: InputRange, **options: Any
) -> np.ndarray:
    dense = Int8Dense(kernel, bias, one, "product")
    outputs: np.ndarray = tf.function(lambda rows: dense.read()(rows, **options))(inputs).numpy()
    return outputs


def _compute_in_integers(
    kernel: np.ndarray, bias: np.ndarray, inputs: np.ndarray, one: InputRange
) -> np.ndarray:
    """Compute the same in 64-bit integers, which cannot overflow."""
    multipliers = np.ones(len(kernel), np.float32) if one.multipliers is None else one.multipliers
    scaled = inputs.astype(np.float32) * multipliers / np.float32(one.largest)
    whole = np.clip(np.rint(scaled * 127), -127, 127).astype(np.int64)
    rounded = Int8Kernel.of(kernel, one.multipliers)
    sums = whole @ rounded.values.astype(np.int64)
    outputs: np.ndarray = sums * (one.largest / 127) * (rounded.largest / LARGEST_WEIGHT) + bias
    return outputs


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 300), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_products_are_those_of_wide_integers(rows: int, size: int, outputs: int, seed: int) -> None:
    dice = np.random.default_rng(seed)
    kernel, inputs = dice.normal(size=(size, outputs)), dice.normal(size=(rows, size))
    bias, one = dice.normal(size=outputs), InputRange(2.0, dice.uniform(0.5, 2, size).astype("f"))
    arguments = kernel.astype("f"), bias.astype("f"), inputs.astype("f"), one
    found, expected = _compute(*arguments), _compute_in_integers(*arguments)
    # Where float32 rounds a half to the other side, one input differs by one step.
    step = one.largest / 127 * np.abs(kernel).max() * 2
    np.testing.assert_allclose(found, expected, atol=step * 2, rtol=0)
    assert np.mean(np.abs(found - expected) > 1e-3) < 0.2


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums_are_not_clipped(sign: int) -> None:
    """Processors without VNNI add two products in 16 bits."""
    kernel = np.full((768, 8), 0.5 * sign, np.float32)
    inputs = np.full((3, 768), 2.0, np.float32)
    found = _compute(kernel, np.zeros(8, np.float32), inputs, InputRange(2.0))
    np.testing.assert_allclose(found, 768.0 * sign, rtol=1e-6)


def test_inputs_outside_the_range_are_clipped() -> None:
    found = _compute(
        np.eye(4, dtype="f"), np.zeros(4, "f"), np.full((1, 4), 9.0, "f"), InputRange(2.0)
    )
    np.testing.assert_allclose(found, 2.0, rtol=1e-6)


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu", "linear"])
def test_an_activation_follows_the_product(activation: str) -> None:
    from tfclf.graph.engines.lean.activations import FUNCTIONS

    dice = np.random.default_rng(0)
    arguments = (
        dice.normal(size=(16, 8)).astype("f"),
        np.zeros(8, "f"),
        dice.normal(size=(5, 16)).astype("f"),
        InputRange(3.0),
    )
    found = _compute(*arguments, activation=activation)
    expected = FUNCTIONS[activation](tf.constant(_compute(*arguments)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_is_added_comes_before_the_activation() -> None:
    arguments = np.eye(4, dtype="f"), np.zeros(4, "f"), np.ones((2, 4), "f"), InputRange(2.0)
    found = _compute(*arguments, add=tf.fill([2, 4], -3.0), activation="relu")
    np.testing.assert_array_equal(found, np.zeros((2, 4)))


def test_some_columns_of_a_product_are_those_of_the_whole() -> None:
    dice = np.random.default_rng(0)
    dense = Int8Dense(dice.normal(size=(6, 9)), dice.normal(size=9), InputRange(2.0), "product")
    inputs = tf.constant(dice.normal(size=(4, 6)).astype("f"))
    whole, some = tf.function(
        lambda: (dense.read()(inputs), dense.read().take(slice(3, None)).take(slice(1, 4))(inputs))
    )()
    np.testing.assert_array_equal(some, whole[:, 4:7])


@pytest.fixture(scope="module", params=FAMILIES)
def checkpoint_of_family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "checkpoint"
    # ALBERT's layer then serves several passes.
    passes = {"num_hidden_layers": 4} if request.param == "albert" else {}
    return tiny_checkpoint(folder, request.param, **{**short_sizes(request.param), **passes})


@pytest.mark.sample("distilbert", "albert")
def test_logits_stay_near_those_of_the_class(checkpoint_of_family: Path) -> None:
    opened = open_checkpoint(checkpoint_of_family)
    graph, _ = build(opened, name="model", **options_of("int8"))
    encode = opened.load_reference()
    texts = [*HEADLINES, "news " * 60]
    expected = encode.logits(encode.encode(texts))
    found = graph.classify_text(tf.constant(texts))["logits"].numpy()
    assert np.sqrt(np.mean((found - expected) ** 2)) < 0.05 * np.std(expected)


def _measure(folder: Path, **options: Any) -> Any:
    opened = open_checkpoint(folder)
    spec = opened.read_tokenizer()
    tokenizer, frame = Tokenizer(spec), Frame(spec, max_length=opened.max_length)

    def build_engine(make_product: Any) -> LeanEngine:
        return LeanEngine(
            opened.family,
            opened.config,
            opened.load_weights(),
            folder=folder,
            ladder=None,
            make_product=make_product,
        )

    rows = [text for text in CALIBRATION_TEXTS if text.strip()]
    batch = frame.fill_empty_rows(frame.pack(tokenizer(tf.constant(rows))))
    ranges = calibrate(build_engine, [batch], **options)
    return ranges, build_engine(ranges.make_product)(batch).numpy(), build_engine


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_every_product_a_range(rule: str, short_checkpoint: Path) -> None:
    ranges, _, _ = _measure(short_checkpoint, rule=rule, allowed_error=np.inf)
    assert all(0 < one.largest < np.inf for one in ranges.inputs.values())
    assert not ranges.kept


def test_no_range_is_larger_than_the_largest_input(short_checkpoint: Path) -> None:
    largest, _, _ = _measure(short_checkpoint, rule="max", allowed_error=np.inf)
    chosen, _, _ = _measure(short_checkpoint, rule="mse", allowed_error=np.inf)
    assert all(one.largest <= largest.inputs[name].largest for name, one in chosen.inputs.items())


def test_an_error_that_is_not_allowed_keeps_a_quarter_in_float32(short_checkpoint: Path) -> None:
    ranges, _, _ = _measure(short_checkpoint, allowed_error=0.0)
    count = len(ranges.kept) + len(ranges.inputs)
    assert len(ranges.kept) == round(count / 4)


def test_measuring_leaves_functions_traced(short_checkpoint: Path) -> None:
    _measure(short_checkpoint)
    assert not tf.config.functions_run_eagerly()


def test_the_encoder_holds_int8_products(short_checkpoint: Path) -> None:
    graph, manifest = build(open_checkpoint(short_checkpoint), name="m", **options_of("int8"))
    engine: Any = graph._engine
    nodes = engine._encode.get_concrete_function().graph.as_graph_def().node
    record = manifest.quantization
    assert record is not None
    assert sum(node.op == OP for node in nodes) == record["products_in_int8"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"calibration_texts": None}, "none are given"),
        ({"calibration_texts": CALIBRATION_TEXTS[:10]}, "expected 200 or more"),
        ({"calibration_texts": ["", " ", "\n"] * 100}, "0 of them different and not empty"),
        ({"calibration_texts": ["one"] * 300}, "1 of them different"),
        ({"calibration_texts": [*CALIBRATION_TEXTS, 5]}, "a calibration text is 5"),
        ({"precision": "float32"}, "needs none"),
        ({"engine": "original"}, "Use engine='lean'"),
        ({"storage": "bfloat16"}, "computes the rest in float32"),
    ],
)
def test_what_int8_cannot_do_is_refused(
    options: dict[str, Any], says: str, short_checkpoint: Path
) -> None:
    with pytest.raises(InputError, match=says):
        build(open_checkpoint(short_checkpoint), name="m", **{**options_of("int8"), **options})


def test_another_processor_is_refused(
    short_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(InputError, match="this processor is arm64"):
        build(open_checkpoint(short_checkpoint), name="m", **options_of("int8"))
