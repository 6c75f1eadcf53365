"""The original class's weights, renamed and fused for the encoder."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from tfclf.families import Family
from tfclf.families.declaration import Weights
from tfclf.graph.engines.lean.activations import FUNCTIONS, LINEAR
from tfclf.graph.engines.lean.sizes import LayerPlace, Sizes

KernelAndBias = tuple[np.ndarray, np.ndarray]
# The least intermediate size for which halves were measured to be faster.
_LEAST_HALVED = 3072

# For variables outside the layers, whose names have no `{layer}` to fill in.
_ONLY = LayerPlace(0)


@dataclass(frozen=True)
class Formats:
    """Number formats of the large weights as stored, and of the arithmetic.

    Small weights (biases, layer norms, the head) are always stored as float32.
    """

    stored: tf.DType
    compute: tf.DType


class Product(Protocol):
    """x @ kernel + bias, by whatever arithmetic."""

    @property
    def bias(self) -> tf.Tensor:
        """The bias, one number for each column of the product."""

    def __call__(
        self, inputs: tf.Tensor, *, activation: str = LINEAR, add: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Compute activation(product + add)."""

    def take(self, columns: slice) -> "Product":
        """Return the part that computes some columns of the product."""


class ProductModule(Protocol):
    """The variables of a product."""

    def read(self) -> Product:
        """Return the values as tensors of the graph that is being traced."""


# (kernel, bias, formats, name) -> the variables. `Dense` is one; calibration and int8 have others.
MakeProduct = Callable[[np.ndarray, np.ndarray, Formats, str], ProductModule]


class DenseValues(NamedTuple):
    """x @ kernel + bias, in x's number format."""

    kernel: tf.Tensor
    bias: tf.Tensor

    def __call__(
        self, inputs: tf.Tensor, *, activation: str = LINEAR, add: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Compute activation(product + add).

        >>> dense = DenseValues(kernel=tf.eye(2), bias=tf.constant([0.0, 1.0]))
        >>> dense(tf.constant([[2.0, 3.0]])).numpy()
        array([[2., 4.]], dtype=float32)
        """
        kernel, bias = tf.cast(self.kernel, inputs.dtype), tf.cast(self.bias, inputs.dtype)
        product = tf.nn.bias_add(tf.matmul(inputs, kernel), bias)
        return FUNCTIONS[activation](product if add is None else product + add)

    def take(self, columns: slice) -> "DenseValues":
        """Return the part that computes some columns of the product.

        >>> dense = DenseValues(kernel=tf.eye(2), bias=tf.constant([0.0, 1.0]))
        >>> dense.take(slice(1, None))(tf.constant([[2.0, 3.0]])).numpy()
        array([[4.]], dtype=float32)
        """
        return DenseValues(self.kernel[:, columns], self.bias[columns])


class Dense(tf.Module):
    """A kernel and a bias as variables."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, formats: Formats, name: str) -> None:
        super().__init__(name=name.replace("/", "_"))
        self.kernel = make_variable(kernel, formats.stored, f"{name}/kernel")
        self.bias = make_variable(bias, tf.float32, f"{name}/bias")

    def read(self) -> DenseValues:
        """Return the values as tensors of the graph that is being traced."""
        return DenseValues(tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias))


class NormShapes:
    """Shapes that view [rows, size] as FusedBatchNorm's NCHW image, computed once.

    Each layer norm would add a dozen nodes to compute its own. Grappler visits every node before
    the first call returns.

    Args:
      rows: int32[], of all inputs.
    """

    def __init__(self, rows: tf.Tensor) -> None:
        self._rows = rows
        self._shapes: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}

    def of(self, size: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return int32[2] and int32[4]: the shape itself, and the image's with rows as channels.

        >>> flat, image = NormShapes(tf.constant(5)).of(8)
        >>> flat.numpy().tolist(), image.numpy().tolist()
        ([5, 8], [1, 5, 8, 1])
        """
        if size not in self._shapes:
            self._shapes[size] = tf.stack([self._rows, size]), tf.stack([1, self._rows, size, 1])
        return self._shapes[size]


class NormValues(NamedTuple):
    """A layer norm's scale and offset; normalizes the last axis of [rows, size]."""

    gamma: tf.Tensor
    beta: tf.Tensor

    def apply_fused(self, inputs: tf.Tensor, shapes: NormShapes, *, epsilon: float) -> tf.Tensor:
        """Normalize by a batch norm that has a row for each channel.

        Grappler turns this pattern, and no other, into one oneDNN op. The raw op is called because
        its Python wrapper raises every epsilon to 1.001e-5.

        >>> ones = NormValues(gamma=tf.ones([2]), beta=tf.zeros([2]))
        >>> rows = tf.constant([[1.0, 3.0], [7.0, 5.0]])
        >>> ones.apply_fused(rows, NormShapes(tf.constant(2)), epsilon=0.0).numpy().round(3)
        array([[-1.,  1.],
               [ 1., -1.]], dtype=float32)
        """
        flat, image = shapes.of(inputs.shape[1])
        # Not taken from `shapes`: Grappler merges equal fills of several norms into one, and the
        # pattern matches only a fill that a single norm uses.
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

    def apply_plain(self, inputs: tf.Tensor, *, epsilon: float) -> tf.Tensor:
        """Normalize in plain arithmetic, for XLA, which fuses it by itself.

        >>> ones = NormValues(gamma=tf.ones([2]), beta=tf.zeros([2]))
        >>> ones.apply_plain(tf.constant([[1.0, 3.0], [7.0, 5.0]]), epsilon=0.0).numpy().round(3)
        array([[-1.,  1.],
               [ 1., -1.]], dtype=float32)
        """
        values = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(values, [1], keepdims=True)
        normalized = (values - mean) * tf.math.rsqrt(variance + epsilon)
        return tf.cast(normalized * self.gamma + self.beta, inputs.dtype)


class LayerNorm(tf.Module):
    """A scale and an offset as variables."""

    def __init__(self, gamma: np.ndarray, beta: np.ndarray, name: str) -> None:
        super().__init__(name=name.replace("/", "_"))
        self.gamma = make_variable(gamma, tf.float32, f"{name}/gamma")
        self.beta = make_variable(beta, tf.float32, f"{name}/beta")

    def read(self) -> NormValues:
        """Return the values as tensors of the graph that is being traced."""
        return NormValues(tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta))


class Embeddings(tf.Module):
    """int32[tokens] of ids, positions and types -> [tokens, hidden_size]."""

    def __init__(self, source: "Source", formats: Formats) -> None:
        super().__init__(name="embeddings")
        names = source.names
        self._compute = formats.compute
        self._tables = [
            make_variable(source.variables[name], formats.stored, kind)
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
        # A family without token types has one table less; zip then drops the types.
        parts = [tf.gather(table, index) for table, index in zip(self._tables, indices)]  # noqa: B905
        hidden = norm(self.norm.read(), tf.add_n([tf.cast(part, tf.float32) for part in parts]))
        hidden = tf.cast(hidden, self._compute)
        return self.projection.read()(hidden) if self.projection else hidden


class LayerValues(NamedTuple):
    """The values that one transformer layer computes with; query, key and value are one product.

    All products are there part by part, see `split_columns`.
    """

    query_key_value: tuple[Product, ...]
    attention_output: tuple[Product, ...]
    attention_norm: NormValues
    inner: tuple[Product, ...]
    output: tuple[Product, ...]
    output_norm: NormValues


class LastLayerValues(NamedTuple):
    """Those of the last layer, which computes queries for fewer tokens than keys and values."""

    query: tuple[Product, ...]
    key_value: tuple[Product, ...]
    attention_output: tuple[Product, ...]
    attention_norm: NormValues
    inner: tuple[Product, ...]
    output: tuple[Product, ...]
    output_norm: NormValues


class Layer(tf.Module):
    """One transformer layer's weights as variables.

    Args:
      is_last: whether the layer runs as the last one and nowhere else. Then it keeps queries apart:
        to cut them out of one kernel would copy the kernel at each call, 4 ms of a core for a
        hidden size of 768.
      parts: into how many the products are divided, see `split_columns`.
      make_product: makes the variables of each product.
    """

    def __init__(
        self,
        index: int,
        place: LayerPlace,
        source: "Source",
        formats: Formats,
        *,
        is_last: bool = False,
        parts: int = 1,
        make_product: MakeProduct,
    ) -> None:
        super().__init__(name=f"layer_{index}")
        names = source.names
        query, key, value = (
            source.dense(name, place) for name in (names.query, names.key, names.value)
        )

        endings = [f"/{part}" for part in range(parts)] if parts > 1 else [""]

        def make(name: str, *dense: Sequence[KernelAndBias]) -> list[ProductModule]:
            """Make the parts of products that stand side by side."""
            return [
                make_product(*_join(part), formats, f"layer_{index}/{name}{ending}")
                for *part, ending in zip(*dense, endings, strict=True)
            ]

        def split(dense: KernelAndBias) -> list[KernelAndBias]:
            return split_columns(dense, parts)

        # 1/sqrt(head size) stays out of the weights: their products with it are inexact in float16.
        if is_last:
            self.query = make("query", split(query))
            self.key_value = make("key_value", split(key), split(value))
        else:
            self.query_key_value = make("query_key_value", split(query), split(key), split(value))
        self.attention_output = make(
            "attention_output", split_rows(source.dense(names.attention_output, place), parts)
        )
        self.attention_norm = source.norm(
            names.attention_norm, f"layer_{index}/attention_norm", place
        )
        self.inner = make("inner", split(source.dense(names.inner, place)))
        self.output = make("output", split_rows(source.dense(names.output, place), parts))
        self.output_norm = source.norm(names.output_norm, f"layer_{index}/output_norm", place)

    def read(self) -> LayerValues:
        """Return the values as tensors of the graph that is being traced."""
        return LayerValues(_read(self.query_key_value), *self._read_rest())

    def read_last(self) -> LastLayerValues:
        """Return the values for the last pass, in which only first tokens have queries."""
        if hasattr(self, "query"):
            queries, keys_values = _read(self.query), _read(self.key_value)
        else:
            joined = _read(self.query_key_value)
            size = joined[0].bias.shape[0] // 3
            queries = tuple(part.take(slice(size)) for part in joined)
            keys_values = tuple(part.take(slice(size, None)) for part in joined)
        return LastLayerValues(queries, keys_values, *self._read_rest())

    def _read_rest(self) -> tuple[Any, ...]:
        """Return the fields that LayerValues and LastLayerValues share, in their order."""
        return (
            _read(self.attention_output),
            self.attention_norm.read(),
            _read(self.inner),
            _read(self.output),
            self.output_norm.read(),
        )


@dataclass(frozen=True)
class Source:
    """The original class's variables by name, without its own scope in front."""

    family: Family
    sizes: Sizes
    variables: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, family: Family, sizes: Sizes, model: Any) -> "Source":
        """Take variables by name, or read a TF class instance's one by one: they are large."""
        if isinstance(model, Mapping):
            return cls(family, sizes, model)
        named = {
            weight.name.split("/", 1)[1].removesuffix(":0"): weight for weight in model.weights
        }
        return cls(family, sizes, _Values(named))

    @property
    def names(self) -> Weights:
        """The variables' names; `Sizes.of` has refused a family that declares none."""
        assert self.family.weights is not None
        return self.family.weights

    def dense(self, name: str, place: LayerPlace = _ONLY) -> KernelAndBias:
        """Return the kernel and bias of a dense layer."""
        scope = name.format(layer=place.layer, group=place.group)
        return self.variables[f"{scope}/kernel"], self.variables[f"{scope}/bias"]

    def norm(self, name: str, ours: str, place: LayerPlace = _ONLY) -> LayerNorm:
        """Return a layer norm of the original, named `ours` here."""
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


def count_parts(*, heads: int, intermediate_size: int) -> int:
    """Return into how many parts the products of a layer should be divided: 2 or 1.

    Parts run side by side, each on a core of its own if TensorFlow's threads are set so, and meet
    twice a layer. Several cores on one product meet at each. Smaller layers gain nothing
    (docs/speed.md).

    >>> [count_parts(heads=12, intermediate_size=size) for size in (1536, 2048, 3072, 3073)]
    [1, 1, 2, 1]
    >>> count_parts(heads=7, intermediate_size=3072)
    1
    """
    is_even = heads % 2 == 0 and intermediate_size % 2 == 0
    return 2 if is_even and intermediate_size >= _LEAST_HALVED else 1


def split_columns(dense: KernelAndBias, parts: int) -> list[KernelAndBias]:
    """Divide a product into parts that each compute some columns of the result.

    A part of queries, keys and values has some of the heads; a part of the inner product of a
    feed-forward has some of its channels. Both go on by themselves, up to the product behind, of
    which `split_rows` gives each part the rows for its columns.

    >>> kernel, bias = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([5.0, 6.0, 7.0, 8.0])
    >>> [(kernel.tolist(), bias.tolist()) for kernel, bias in split_columns((kernel, bias), 2)]
    [([[1.0, 2.0]], [5.0, 6.0]), ([[3.0, 4.0]], [7.0, 8.0])]

    Args:
      dense: kernel [inputs, outputs], and bias.
      parts: divides the number of outputs.
    """
    kernel, bias = dense
    return list(zip(np.split(kernel, parts, axis=1), np.split(bias, parts), strict=True))


def split_rows(dense: KernelAndBias, parts: int) -> list[KernelAndBias]:
    """Divide a product into parts that each take some of the inputs.

    The whole is the first part, which has the bias, less the others, whose signs are turned:
    Grappler fuses an addition into the product behind it, which would then wait for the product
    before it; a subtraction it leaves alone.

    >>> kernel, bias = np.array([[5.0], [6.0], [7.0], [8.0]]), np.array([9.0])
    >>> [(kernel.tolist(), bias.tolist()) for kernel, bias in split_rows((kernel, bias), 2)]
    [([[5.0], [6.0]], [9.0]), ([[-7.0], [-8.0]], [0.0])]

    Args:
      dense: kernel [inputs, outputs], and bias.
      parts: divides the number of inputs.
    """
    kernel, bias = dense
    first, *others = np.split(kernel, parts)
    return [(first, bias), *((-other, np.zeros_like(bias)) for other in others)]


def _read(products: Iterable[ProductModule]) -> tuple[Product, ...]:
    return tuple(product.read() for product in products)


def _join(parts: Sequence[KernelAndBias]) -> KernelAndBias:
    """Put the kernels and biases of several dense layers side by side."""
    kernels, biases = zip(*parts, strict=True)
    return np.concatenate(kernels, 1), np.concatenate(biases, 0)


def make_variable(value: np.ndarray | float, dtype: tf.DType, name: str) -> tf.Variable:
    """Make a variable that is not trained, with the value cast to `dtype`."""
    return tf.Variable(tf.cast(value, dtype), trainable=False, name=name)
