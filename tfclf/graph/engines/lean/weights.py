"""Weights of the original class, renamed and fused for the encoder."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfclf.families import Family
from tfclf.families.declaration import Weights
from tfclf.graph.engines.lean.sizes import LayerPlace, Sizes

# Outside the layers: the names have nothing to fill in.
_ONLY = LayerPlace(0)


@dataclass(frozen=True)
class Formats:
    """Number formats: of the large weights as stored, and of the arithmetic.

    Small weights (biases, layer norms, the head) are always stored as float32.
    """

    stored: tf.DType
    compute: tf.DType


class DenseValues(NamedTuple):
    """x @ kernel + bias, in x's number format."""

    kernel: tf.Tensor
    bias: tf.Tensor

    def __call__(self, inputs: tf.Tensor, columns: slice | None = None) -> tf.Tensor:
        """All of the product, or some of its columns."""
        kernel, bias = tf.cast(self.kernel, inputs.dtype), tf.cast(self.bias, inputs.dtype)
        if columns:
            kernel, bias = kernel[:, columns], bias[columns]
        return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)


class Dense(tf.Module):
    """Holds a kernel and a bias."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, formats: Formats, name: str) -> None:
        super().__init__(name=name.replace("/", "_"))
        self.kernel = _variable(kernel, formats.stored, f"{name}/kernel")
        self.bias = _variable(bias, tf.float32, f"{name}/bias")

    def read(self) -> DenseValues:
        """The values as tensors of the graph that is traced."""
        return DenseValues(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias))


class NormShapes:
    """[rows, width] as a batch norm sees it, worked out once for all norms of a graph: each needs a dozen nodes for it.

    TensorFlow's optimizer goes over every node before the first answer, so that nodes are what that waits for.

    Args:
      rows: int32[], of all inputs.
    """

    def __init__(self, rows: tf.Tensor) -> None:
        self._rows = rows
        self._widths: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}

    def of(self, width: int) -> tuple[tf.Tensor, tf.Tensor]:
        """int32[2] and int32[4]: the shape itself, and that of the image with a row for a channel."""
        if width not in self._widths:
            self._widths[width] = tf.stack([self._rows, width]), tf.stack([1, self._rows, width, 1])
        return self._widths[width]


class NormValues(NamedTuple):
    """Normalizes the last axis of [rows, width]."""

    gamma: tf.Tensor
    beta: tf.Tensor

    def fused(self, inputs: tf.Tensor, shapes: NormShapes, *, epsilon: float) -> tf.Tensor:
        """Written as the batch norm that has a row for a channel: grappler turns this pattern, and no other, into
        one oneDNN op. The raw op is called because its Python wrapper raises every epsilon to 1.001e-5.
        """
        flat, image = shapes.of(inputs.shape[1])
        # Not shared: two fills of one size are made one, and only a fill of its own is a part of the pattern.
        rows = tf.shape(inputs)[:1]
        normalized = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(inputs, image),
            scale=tf.fill(rows, 1.0),
            offset=tf.fill(rows, 0.0),
            mean=[],
            variance=[],
            epsilon=epsilon,
            data_format="NCHW",
            is_training=True,
        ).y
        normalized = tf.reshape(normalized, flat)
        normalized.set_shape(inputs.shape)
        return normalized * tf.cast(self.gamma, inputs.dtype) + tf.cast(self.beta, inputs.dtype)

    def plain(self, inputs: tf.Tensor, *, epsilon: float) -> tf.Tensor:
        """The same in plain arithmetic, for XLA: it fuses this by itself, and knows no such pattern."""
        stream = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(stream, [1], keepdims=True)
        normalized = (stream - mean) * tf.math.rsqrt(variance + epsilon)
        return tf.cast(normalized * self.gamma + self.beta, inputs.dtype)


class LayerNorm(tf.Module):
    """Holds a scale and an offset."""

    def __init__(self, gamma: np.ndarray, beta: np.ndarray, name: str) -> None:
        super().__init__(name=name.replace("/", "_"))
        self.gamma = _variable(gamma, tf.float32, f"{name}/gamma")
        self.beta = _variable(beta, tf.float32, f"{name}/beta")

    def read(self) -> NormValues:
        """The values as tensors of the graph that is traced."""
        return NormValues(tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta))


class Embeddings(tf.Module):
    """int32[tokens] of ids, positions and types -> [tokens, width]."""

    def __init__(self, source: "Source", formats: Formats) -> None:
        super().__init__(name="embeddings")
        names = source.names
        self._compute = formats.compute
        self._tables = [
            _variable(source.variables[name], formats.stored, kind)
            for kind, name in (
                ("word_embeddings", names.word_embeddings),
                ("position_embeddings", names.position_embeddings),
                ("token_type_embeddings", names.token_type_embeddings),
            )
            if name is not None
        ]
        self.norm = source.norm(names.embeddings_norm, "embeddings_norm")
        scope = names.embeddings_projection
        self.projection = (
            Dense(*source.dense(scope), formats, "embeddings_projection")
            if scope and f"{scope}/kernel" in source.variables
            else None
        )

    def __call__(
        self, *indices: tf.Tensor, norm: Callable[[NormValues, tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        # A family without token types has one table less: its types are not looked up.
        found = [tf.gather(table, index) for table, index in zip(self._tables, indices)]  # noqa: B905
        stream = norm(self.norm.read(), tf.add_n([tf.cast(rows, tf.float32) for rows in found]))
        stream = tf.cast(stream, self._compute)
        return self.projection.read()(stream) if self.projection else stream


class LayerValues(NamedTuple):
    """What one transformer layer computes with; query, key and value are one product."""

    query_key_value: DenseValues
    attention_output: DenseValues
    attention_norm: NormValues
    inner: DenseValues
    output: DenseValues
    output_norm: NormValues


class Layer(tf.Module):
    """Holds one transformer layer's weights."""

    def __init__(self, index: int, place: LayerPlace, source: "Source", formats: Formats) -> None:
        super().__init__(name=f"layer_{index}")
        names = source.names
        query, key, value = (
            source.dense(name, place) for name in (names.query, names.key, names.value)
        )
        # 1/sqrt(head width) stays out of the weights: they would no longer be values that float16 can hold.
        kernels = (query[0], key[0], value[0])
        biases = (query[1], key[1], value[1])
        self.query_key_value = Dense(
            np.concatenate(kernels, 1),
            np.concatenate(biases, 0),
            formats,
            f"layer_{index}/query_key_value",
        )
        self.attention_output = Dense(
            *source.dense(names.attention_output, place), formats, f"layer_{index}/attention_output"
        )
        self.attention_norm = source.norm(
            names.attention_norm, f"layer_{index}/attention_norm", place
        )
        self.inner = Dense(*source.dense(names.inner, place), formats, f"layer_{index}/inner")
        self.output = Dense(*source.dense(names.output, place), formats, f"layer_{index}/output")
        self.output_norm = source.norm(names.output_norm, f"layer_{index}/output_norm", place)

    def read(self) -> LayerValues:
        """The values as tensors of the graph that is traced."""
        return LayerValues(*(getattr(self, name).read() for name in LayerValues._fields))


@dataclass(frozen=True)
class Source:
    """The original's variables by name, below its own scope."""

    family: Family
    sizes: Sizes
    variables: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, family: Family, sizes: Sizes, model: Any) -> "Source":
        """Reads a TF class instance, each weight when it is asked for: they are large. Or takes variables by name."""
        if isinstance(model, Mapping):
            return cls(family, sizes, model)
        named = {
            weight.name.split("/", 1)[1].removesuffix(":0"): weight for weight in model.weights
        }
        return cls(family, sizes, _Values(named))

    @property
    def names(self) -> Weights:
        """Where the variables are; `Sizes.of` has refused a family that does not say."""
        assert self.family.weights is not None
        return self.family.weights

    def dense(self, name: str, place: LayerPlace = _ONLY) -> tuple[np.ndarray, np.ndarray]:
        scope = name.format(layer=place.layer, group=place.group)
        return self.variables[f"{scope}/kernel"], self.variables[f"{scope}/bias"]

    def norm(self, name: str, ours: str, place: LayerPlace = _ONLY) -> LayerNorm:
        scope = name.format(layer=place.layer, group=place.group)
        return LayerNorm(self.variables[f"{scope}/gamma"], self.variables[f"{scope}/beta"], ours)


class _Values(Mapping[str, np.ndarray]):
    """Variables as arrays, copied one at a time."""

    def __init__(self, variables: Mapping[str, tf.Variable]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> np.ndarray:
        values: np.ndarray = self._variables[name].numpy()
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def _variable(value: np.ndarray, dtype: tf.DType, name: str) -> tf.Variable:
    return tf.Variable(tf.cast(value, dtype), trainable=False, name=name)
