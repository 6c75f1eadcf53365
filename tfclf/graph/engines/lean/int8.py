"""Products of 8-bit integers, by an op of oneDNN that stock TensorFlow has since 2.17.

An input x becomes round(x * multiplier * 127 / range), clipped to -127..127; a column of the kernel
becomes whole numbers too. oneDNN sums their products as 32-bit integers, and scales the sum back.

Weights have 7 bits, -63..63. Processors without VNNI add two neighbouring products in 16 bits:
2 * 255 * 63 = 32,130 fits there, 2 * 255 * 127 = 64,770 does not, and they would clip it without a
word. So the answer is the same on every x86-64 processor.

Source: TensorFlow 2.21, core/kernels/mkl/mkl_matmul_op_fused.cc, `QuantizedFusedMatMulOp`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfclf.graph.engines.lean.activations import FUNCTIONS, LINEAR
from tfclf.graph.engines.lean.weights import make_variable

OP = "_QuantizedMatMul"
LARGEST_INPUT = 127
LARGEST_WEIGHT = 63
# Activations that the op computes by itself.
_FUSED = {"gelu": b"GeluExact", "relu": b"Relu"}


class InputRange(NamedTuple):
    """The range of one product's inputs, measured on calibration texts.

    Attributes:
      largest: of the inputs' absolute values, after multiplying; larger ones are clipped.
      multipliers: float32[inputs], for each input; None for 1. The kernel's rows are divided by
        them, so they move precision from inputs to weights.
    """

    largest: float
    multipliers: np.ndarray | None = None


class Int8Kernel(NamedTuple):
    """A kernel in whole numbers: column j is values[:, j] * largest[j] / LARGEST_WEIGHT.

    Attributes:
      values: int8[inputs, outputs].
      largest: float32[outputs].
    """

    values: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, kernel: np.ndarray, multipliers: np.ndarray | None) -> "Int8Kernel":
        """Round a kernel, each column by its own largest weight.

        >>> rounded = Int8Kernel.of(np.array([[0.5, 2.0], [-0.25, 1.0]]), None)
        >>> rounded.values.tolist(), rounded.largest.tolist()
        ([[63, 63], [-32, 32]], [0.5, 2.0])
        """
        if multipliers is not None:
            kernel = kernel / multipliers[:, np.newaxis]
        largest = np.maximum(np.abs(kernel).max(axis=0), np.finfo(np.float32).tiny)
        values = np.rint(kernel / largest * LARGEST_WEIGHT).astype(np.int8)
        return cls(values, largest.astype(np.float32))

    def to_float(self) -> np.ndarray:
        """Return the float32 kernel that the whole numbers stand for."""
        kernel: np.ndarray = self.values.astype(np.float32) * (self.largest / LARGEST_WEIGHT)
        return kernel


class Int8Values(NamedTuple):
    """x @ kernel + bias with x and kernel in whole numbers; float32 or bfloat16 in and out.

    Attributes:
      kernel: int8[inputs, outputs].
      smallest, largest: float32[outputs], the ends of the range of 255 whole numbers.
      input_largest: float32[].
      multipliers: one float32[inputs], or none.
    """

    kernel: tf.Tensor
    bias: tf.Tensor
    smallest: tf.Tensor
    largest: tf.Tensor
    input_largest: tf.Tensor
    multipliers: tuple[tf.Tensor, ...]

    def __call__(
        self, inputs: tf.Tensor, *, activation: str = LINEAR, add: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Compute activation(product + add)."""
        exact = tf.cast(inputs, tf.float32)
        for multipliers in self.multipliers:
            exact *= multipliers
        whole = tf.raw_ops.QuantizeV2(
            input=exact,
            min_range=-self.input_largest,
            max_range=self.input_largest,
            T=tf.qint8,
            mode="SCALED",
            round_mode="HALF_TO_EVEN",
            narrow_range=True,
        ).output
        fused = [b"BiasAdd"]
        added = []
        if add is not None:
            fused.append(b"Add")
            added.append(add)
        elif activation in _FUSED:
            fused.append(_FUSED[activation])
            activation = LINEAR
        outputs = _multiply(
            [
                whole,
                tf.bitcast(self.kernel, tf.qint8),
                self.bias,
                *added,
                -self.input_largest,
                self.input_largest,
                self.smallest,
                self.largest,
            ],
            fused=[*fused, b"Dequantize"],
            dtype=inputs.dtype,
        )
        outputs.set_shape([inputs.shape[0], self.bias.shape[0]])
        return FUNCTIONS[activation](outputs)

    def take(self, columns: slice) -> "Int8Columns":
        """Return the part that gives some columns of the product."""
        return Int8Columns(self, columns)


class Int8Columns(NamedTuple):
    """Some columns of a product. All are computed: a kernel cut anew would be ordered anew."""

    values: Int8Values
    columns: slice

    @property
    def bias(self) -> tf.Tensor:
        """The bias of these columns."""
        return self.values.bias[self.columns]

    def __call__(
        self, inputs: tf.Tensor, *, activation: str = LINEAR, add: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Compute the columns of the product, then activation(columns + add)."""
        outputs = self.values(inputs)[:, self.columns]
        return FUNCTIONS[activation](outputs if add is None else outputs + add)

    def take(self, columns: slice) -> "Int8Columns":
        """Return some of these columns."""
        places = range(self.values.bias.shape[0])[self.columns][columns]
        return Int8Columns(self.values, slice(places.start, places.stop, places.step))


class Int8Dense(tf.Module):
    """A kernel in whole numbers, a bias and the ranges as variables."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, inputs: InputRange, name: str) -> None:
        super().__init__(name=name.replace("/", "_"))
        rounded = Int8Kernel.of(kernel, inputs.multipliers)
        # The op divides its range by 127; the weights use 63 of those steps.
        end = rounded.largest * (LARGEST_INPUT / LARGEST_WEIGHT)
        self.kernel = make_variable(rounded.values, tf.int8, f"{name}/kernel")
        self.bias = make_variable(bias, tf.float32, f"{name}/bias")
        # Variables, not constants: oneDNN looks its kernels up by the addresses of these.
        self.smallest = make_variable(-end, tf.float32, f"{name}/smallest")
        self.largest = make_variable(end, tf.float32, f"{name}/largest")
        self.input_largest = make_variable(inputs.largest, tf.float32, f"{name}/input_largest")
        self.multipliers = (
            []
            if inputs.multipliers is None
            else [make_variable(inputs.multipliers, tf.float32, f"{name}/multipliers")]
        )

    def read(self) -> Int8Values:
        """Return the values as tensors of the graph that is being traced."""
        return Int8Values(
            tf.convert_to_tensor(self.kernel),
            tf.convert_to_tensor(self.bias),
            tf.convert_to_tensor(self.smallest),
            tf.convert_to_tensor(self.largest),
            tf.convert_to_tensor(self.input_largest),
            tuple(map(tf.convert_to_tensor, self.multipliers)),
        )


def _multiply(inputs: Sequence[tf.Tensor], *, fused: Sequence[bytes], dtype: tf.DType) -> tf.Tensor:
    """Add the op's node to the graph: tf.raw_ops has no op whose name begins with `_`.

    Weights count as constant, so oneDNN orders them once; each node must meet only one kernel.
    """
    graph = tf.compat.v1.get_default_graph()
    attribute, values = tf.compat.v1.AttrValue, tf.compat.v1.AttrValue.ListValue
    types = [tensor.dtype.as_datatype_enum for tensor in inputs]
    whole, bias = tf.qint8.as_datatype_enum, tf.float32.as_datatype_enum
    real = dtype.as_datatype_enum  # of what is added, and of the result
    node = graph.create_op(
        OP,
        list(inputs),
        [dtype],
        name=graph.unique_name("int8_product"),
        attrs={
            "Tdevice_inputs": attribute(list=values(type=types)),
            "Thost_inputs": attribute(list=values()),
            "Tdevice_outputs": attribute(list=values(type=[real])),
            "Thost_outputs": attribute(list=values()),
            "T1": attribute(type=whole),
            "T2": attribute(type=whole),
            "Tbias": attribute(type=bias),
            "U": attribute(type=real),
            "Tout": attribute(type=real),
            "transpose_a": attribute(b=False),
            "transpose_b": attribute(b=False),
            "is_weight_const": attribute(b=True),
            "is_bias_const": attribute(b=True),
            "fused_ops": attribute(list=values(s=fused)),
            "input_quant_mode": attribute(s=b"SCALED"),
            "output_quant_mode": attribute(s=b"SCALED"),
        },
    )
    return node.outputs[0]
