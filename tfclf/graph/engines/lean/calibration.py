"""Ranges for int8: what the inputs of each product are like, on calibration texts.

1. Run the encoder in float32 and watch the inputs of every product.
2. Where a layer norm makes the inputs, even them out: single channels are far larger than the rest,
   and would take all the steps. `multipliers` shrink those channels and grow the kernel's rows.
3. Choose the range with the least squared error: clipping a few outliers costs less than coarse
   steps for all.
4. Round one product at a time, and measure how far the logits move. Keep the most sensitive
   products in float32, as few as the allowed error needs.

Measured on the bundled model (docs/export.md): each of 2, 3 and 4 lowers the error of the logits.

Source of 2: Xiao et al., SmoothQuant, 2023, equation 4.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tfclf.graph.engines.lean.activations import LINEAR
from tfclf.graph.engines.lean.engine import LeanEngine
from tfclf.graph.engines.lean.int8 import LARGEST_INPUT, InputRange, Int8Dense, Int8Kernel
from tfclf.graph.engines.lean.weights import (
    Dense,
    DenseValues,
    Formats,
    MakeProduct,
    Product,
    ProductModule,
)
from tfclf.graph.framing import Batch

RULES = ("mse", "max", "percentile")
SMOOTHING = 0.5
ALLOWED_ERROR = 0.0075  # of the logits' standard deviation
_LARGEST_KEPT = 1 / 4  # of the products, in float32 for the sake of the error
_PERCENTILE = 0.9999
_BINS = 4096
_SMALLEST = 1e-5
# Products whose inputs come from a layer norm: "inner" of "layer_0/inner" or "layer_0/inner/1".
_AFTER_NORM = ("query_key_value", "query", "key_value", "inner")
# Batches that measure sensitivity: each product costs a run of the encoder.
_SENSITIVITY_BATCHES = 4

BuildEngine = Callable[[MakeProduct], LeanEngine]


@dataclass(frozen=True)
class Ranges:
    """The result: how each product of the encoder's layers is to be computed.

    Attributes:
      inputs: by a product's name, the range of its inputs. Those that are missing stay in float32.
      kept: the names of the products that stay in float32, most sensitive first.
      rows, tokens: that were measured.
    """

    inputs: Mapping[str, InputRange]
    kept: Sequence[str]
    rows: int
    tokens: int

    def make_product(
        self, kernel: np.ndarray, bias: np.ndarray, formats: Formats, name: str
    ) -> ProductModule:
        """Make the variables of a product, as `LeanEngine` asks for them."""
        if name in self.inputs:
            return Int8Dense(kernel, bias, self.inputs[name], name)
        return Dense(kernel, bias, formats, name)


def calibrate(
    build_engine: BuildEngine,
    batches: Sequence[Batch],
    *,
    rule: str = "mse",
    smoothing: float | None = SMOOTHING,
    allowed_error: float = ALLOWED_ERROR,
) -> Ranges:
    """Measure the ranges for int8.

    Args:
      build_engine: builds the encoder in float32, with the products that it is given.
      batches: rows of the calibration texts, at least one token each.
      rule: how a range is chosen: 'mse', the least squared error; 'max', the largest value;
        'percentile', the 99.99th.
      smoothing: the part of the channels' differences that moves to the weights, 0 to 1; None
        moves nothing.
      allowed_error: of the logits, as a part of their standard deviation. As few products as
        possible stay in float32 for that, at most a quarter of them.
    """
    watch = _Watch()
    engine = build_engine(watch.make_product)
    with _run_eagerly():
        largest = _Largest()
        watch.see = largest.add
        tokens = 0
        for batch in batches:
            engine(batch)
            tokens += int(tf.size(batch.input_ids.values))
        multipliers = {
            name: _smooth(found, watch.products[name].weight, smoothing)
            if smoothing is not None and name.split("/")[1] in _AFTER_NORM
            else None
            for name, found in largest.by_name.items()
        }
        histograms = {
            name: _Histogram(_multiply(found, multipliers[name]), multipliers[name])
            for name, found in largest.by_name.items()
        }
        watch.see = lambda name, inputs: histograms[name].add(inputs)
        for batch in batches:
            engine(batch)
        watch.see = None
        inputs = {
            name: InputRange(one.choose(rule), one.multipliers) for name, one in histograms.items()
        }
        sample = batches[:: max(1, len(batches) // _SENSITIVITY_BATCHES)][:_SENSITIVITY_BATCHES]
        exact = [engine(batch).numpy() for batch in sample]
        moved = {
            name: _measure_error(engine, watch, {name: one}, sample, exact)
            for name, one in inputs.items()
        }
    left = choose_kept(moved, allowed=allowed_error * float(np.std(np.concatenate(exact))))
    return Ranges(
        inputs={name: one for name, one in inputs.items() if name not in left},
        kept=left,
        rows=sum(int(batch.input_ids.nrows()) for batch in batches),
        tokens=tokens,
    )


def choose_kept(moved: Mapping[str, float], *, allowed: float) -> list[str]:
    """Choose the products that stay in float32, most sensitive first.

    Errors of several products add up by their squares. Without the first two, sqrt(3^2 + 4^2) = 5:

    >>> moved = {"a": 3.0, "b": 12.0, "c": 4.0, "d": 84.0, "e": 0.0, "f": 0.0, "g": 0.0, "h": 0.0}
    >>> choose_kept(moved, allowed=5.0)
    ['d', 'b']
    >>> choose_kept(moved, allowed=15.0)
    ['d']

    Args:
      moved: by product, how far the logits move if it alone is rounded; root of the mean square.
      allowed: the same for all products that are rounded.
    """
    order = sorted(moved, key=moved.__getitem__, reverse=True)
    for kept in range(max(1, round(len(order) * _LARGEST_KEPT))):
        if sum(moved[name] ** 2 for name in order[kept:]) <= allowed**2:
            return order[:kept]
    return order[: round(len(order) * _LARGEST_KEPT)]


def _measure_error(
    engine: LeanEngine,
    watch: "_Watch",
    rounded: Mapping[str, InputRange],
    batches: Sequence[Batch],
    exact: Sequence[np.ndarray],
) -> float:
    """Return how far the logits move if some products are rounded: root of the mean square."""
    watch.rounded = rounded
    errors = [engine(batch).numpy() - logits for batch, logits in zip(batches, exact, strict=True)]
    watch.rounded = {}
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


@dataclass
class _Watch:
    """Products that show their inputs, and that can be rounded one by one.

    Attributes:
      products: all of them, by name.
      see: is called with a product's name and inputs, float32[rows, inputs].
      rounded: the products that compute as int8 would.
    """

    products: dict[str, "_WatchedDense"] = field(default_factory=dict)
    see: Callable[[str, np.ndarray], None] | None = None
    rounded: Mapping[str, InputRange] = field(default_factory=dict)

    def make_product(
        self, kernel: np.ndarray, bias: np.ndarray, formats: Formats, name: str
    ) -> "_WatchedDense":
        """Make a product that this object watches."""
        self.products[name] = _WatchedDense(self, kernel, bias, formats, name)
        return self.products[name]


class _WatchedDense(tf.Module):
    """A product in float32 that shows its inputs."""

    def __init__(
        self, watch: _Watch, kernel: np.ndarray, bias: np.ndarray, formats: Formats, name: str
    ) -> None:
        super().__init__(name=name.replace("/", "_"))
        self._watch = watch
        self.product = name
        self.dense = Dense(kernel, bias, formats, name)

    @property
    def weight(self) -> np.ndarray:
        """The kernel, float32[inputs, outputs]."""
        kernel: np.ndarray = tf.cast(self.dense.kernel, tf.float32).numpy()
        return kernel

    def read(self) -> "_WatchedValues":
        """Return the values; `calibrate` runs eagerly, so they have numbers."""
        return _WatchedValues(self.product, self._watch, self.dense.read())


@dataclass(frozen=True)
class _WatchedValues:
    product: str
    watch: _Watch
    values: DenseValues

    @property
    def bias(self) -> tf.Tensor:
        return self.values.bias

    def __call__(
        self, inputs: tf.Tensor, *, activation: str = LINEAR, add: tf.Tensor | None = None
    ) -> tf.Tensor:
        if self.watch.see is not None:
            self.watch.see(self.product, inputs.numpy())
        values = self.values
        if self.product in self.watch.rounded:
            chosen = self.watch.rounded[self.product]
            inputs = tf.constant(_round_inputs(inputs.numpy(), chosen))
            kernel = tf.cast(values.kernel, tf.float32).numpy()
            values = DenseValues(
                tf.constant(Int8Kernel.of(kernel, chosen.multipliers).to_float()), values.bias
            )
        return values(inputs, activation=activation, add=add)

    def take(self, columns: slice) -> Product:
        return _WatchedValues(self.product, self.watch, self.values.take(columns))


@dataclass(frozen=True)
class _Largest:
    """The largest absolute input of each channel of each product."""

    by_name: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, inputs: np.ndarray) -> None:
        found = np.abs(inputs).max(axis=0)
        self.by_name[name] = np.maximum(self.by_name.get(name, 0), found)


class _Histogram:
    """The absolute inputs of one product, after multiplying."""

    def __init__(self, largest: np.ndarray, multipliers: np.ndarray | None) -> None:
        self.multipliers = multipliers
        self._edges = np.linspace(0, max(float(largest.max()), _SMALLEST), _BINS + 1)
        self._counts = np.zeros(_BINS)

    def add(self, inputs: np.ndarray) -> None:
        counts, _ = np.histogram(np.abs(_multiply(inputs, self.multipliers)), self._edges)
        self._counts += counts

    def choose(self, rule: str) -> float:
        """Choose the range by a rule of RULES."""
        if rule == "max":
            return float(self._edges[-1])
        if rule == "percentile":
            reached = np.searchsorted(self._counts.cumsum(), _PERCENTILE * self._counts.sum())
            return float(self._edges[min(int(reached), _BINS - 1) + 1])
        return find_least_error(self._counts, self._edges)


def find_least_error(counts: np.ndarray, edges: np.ndarray) -> float:
    """Return the range whose 127 steps, and clipping above it, cost the least squared error.

    Ten thousand values spread over 0 to 1, and one outlier of 10, which is better clipped:

    >>> edges = np.linspace(0, 10, 1001)
    >>> counts = np.where(edges[1:] <= 1, 100, 0)
    >>> counts[-1] = 1
    >>> 1 <= find_least_error(counts, edges) < 10
    True

    Args:
      counts: of absolute values in each bin.
      edges: of the bins, from 0.
    """
    centers = (edges[1:] + edges[:-1]) / 2
    errors = {}
    for part in np.linspace(0.2, 1.0, 41):
        largest = float(edges[-1] * part)
        step = largest / LARGEST_INPUT
        rounded = np.minimum(np.rint(centers / step), LARGEST_INPUT) * step
        errors[largest] = float((counts * (rounded - centers) ** 2).sum())
    return min(errors, key=errors.__getitem__)


def _smooth(largest: np.ndarray, kernel: np.ndarray, smoothing: float) -> np.ndarray:
    """Return the multiplier of each channel, with a geometric mean of 1.

    The second channel is four times as large, and its weights are as large as the first's; half of
    that, in factors, moves to the weights:

    >>> _smooth(np.array([1.0, 4.0]), np.array([[1.0], [1.0]]), 0.5).round(3)
    array([1.414, 0.707], dtype=float32)

    Args:
      largest: float32[inputs], absolute values.
      kernel: float32[inputs, outputs].
    """
    weights = np.maximum(np.abs(kernel).max(axis=1), _SMALLEST)
    logs = (1 - smoothing) * np.log(weights) - smoothing * np.log(np.maximum(largest, _SMALLEST))
    multipliers: np.ndarray = np.exp(logs - logs.mean()).astype(np.float32)
    return multipliers


def _round_inputs(inputs: np.ndarray, chosen: InputRange) -> np.ndarray:
    """Return what int8 makes of inputs, multiplied, as float32."""
    step = chosen.largest / LARGEST_INPUT
    whole = np.rint(_multiply(inputs, chosen.multipliers) / step)
    rounded: np.ndarray = np.clip(whole, -LARGEST_INPUT, LARGEST_INPUT) * step
    return rounded.astype(np.float32)


def _multiply(inputs: np.ndarray, multipliers: np.ndarray | None) -> np.ndarray:
    return inputs if multipliers is None else inputs * multipliers


@contextlib.contextmanager
def _run_eagerly() -> Iterator[None]:
    """Run tf.functions op by op, so that each tensor has numbers."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
