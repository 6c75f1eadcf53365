"""The sizes and choices of a model, read from its variables' shapes and its graph.

An archive has no config.json. Nothing is guessed: a graph that computes in an unknown way is an
error that says so.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from tfclf.checkpoints.spark_nlp.graph_def import Graph, Operation
from tfclf.errors import CheckpointError
from tfclf.families import Family
from tfclf.families.declaration import Weights

Shapes = Mapping[str, tuple[int, ...]]

_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2")
_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SUMS = ("Add", "AddV2")
# Operations between a kernel's variable and the matrix product that uses it.
_REARRANGED = ("Reshape", "Transpose", "Cast")
_MOST_REARRANGED = 5
# Operations of a dense layer on three dimensions, and of any formula: they tell nothing about the
# activation.
_PLAIN = {
    *("Const", "Shape", "Prod", "Pack", "ConcatV2", "GatherV2", "Transpose", "Reshape", "Cast"),
    *("StridedSlice", "ExpandDims", "Squeeze", "VarHandleOp", "Placeholder", "BiasAdd", "Einsum"),
    *("MatMul", "BatchMatMul", "BatchMatMulV2", "Mul", "Add", "AddV2", "Sub", "RealDiv", "Neg"),
    *("Square", "Sqrt"),
}
_GELU_TERM, _QUICK_GELU_FACTOR = 0.044715, 1.702


def read_config(family: Family, shapes: Shapes, graph: Graph, *, origin: object) -> dict[str, Any]:
    """Return the config that transformers needs to rebuild the family's TF class; without labels.

    Args:
      shapes: of the variables, by their names in the TF class, below its own scope.
      origin: how errors name the archive.
    Raises: CheckpointError for a graph that the family's TF class does not make.
    """
    names, keys = family.weights, family.config_keys
    assert names is not None
    model = _Model(family, names, shapes, graph, origin)
    layers, groups, in_group = model.count_layers()
    config: dict[str, Any] = {
        "model_type": family.model_type,
        "vocab_size": model.shape(names.word_embeddings, 2)[0],
        keys.positions: model.shape(names.position_embeddings, 2)[0],
        keys.layers: layers,
        keys.heads: model.count_heads(),
        keys.hidden_size: model.hidden_size,
        keys.intermediate_size: model.kernel_shape(_name_first(names.inner))[1],
        keys.activation: model.find_activation(),
    }
    if names.token_type_embeddings:
        config["type_vocab_size"] = model.shape(names.token_type_embeddings, 2)[0]
    if names.embeddings_projection:
        config["embedding_size"] = model.shape(names.word_embeddings, 2)[1]
    if family.shared_layers:
        config |= {
            family.shared_layers.groups: groups,
            family.shared_layers.layers_in_group: in_group,
        }
    epsilon = model.find_epsilon()
    if keys.layer_norm_epsilon:
        config[keys.layer_norm_epsilon] = epsilon
    elif epsilon != family.layer_norm_epsilon:
        raise model.refuse(
            f"its layer norms have an epsilon of {epsilon:g}, and {family.tf_class} has "
            f"{family.layer_norm_epsilon:g}"
        )
    model.check_positions()
    model.check_head()
    return config


def count_classes(family: Family, shapes: Shapes, *, origin: object) -> int:
    """Return the number of values that the head gives. Raises: CheckpointError."""
    assert family.weights is not None
    return _find_shape(shapes, f"{family.weights.head[-1]}/kernel", 2, origin)[1]


def _name_first(name: str) -> str:
    return name.format(group=0, layer=0)


def _find_shape(shapes: Shapes, name: str, rank: int, origin: object) -> tuple[int, ...]:
    shape = shapes.get(name)
    if shape is None or len(shape) != rank or not all(shape):
        flaw = "is missing"
        if shape is not None:
            flaw = f"has the shape {list(shape)}; expected {rank} dimensions"
        raise CheckpointError(
            f"{origin}: the variable {name} {flaw}. Expected the weights of a fine-tuned text "
            f"classifier; copy or download the model again."
        )
    return shape


class _Model:
    """The variables and the graph of one archive."""

    def __init__(
        self, family: Family, names: Weights, shapes: Shapes, graph: Graph, origin: object
    ) -> None:
        self._family, self._names, self._shapes = family, names, shapes
        self._graph, self._origin = graph, origin
        self._products = self._find_products()

    def refuse(self, reason: str) -> CheckpointError:
        return CheckpointError(
            f"{self._origin}: {reason}. Expected the graph of {self._family.tf_class}, unchanged: "
            f"no other can be rebuilt. Load the Hugging Face checkpoint that the archive was made "
            f"from, if there is one."
        )

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        return _find_shape(self._shapes, name, rank, self._origin)

    def kernel_shape(self, name: str) -> tuple[int, ...]:
        return self.shape(f"{name}/kernel", 2)

    @property
    def hidden_size(self) -> int:
        return self.kernel_shape(_name_first(self._names.output))[1]

    def _find_products(self) -> dict[str, list[Operation]]:
        """Return the matrix products by the name of their kernel."""
        products: dict[str, list[Operation]] = {}
        for product in self._graph.of_kind(*_PRODUCTS):
            source = self._graph.input(product, 1)
            for _ in range(_MOST_REARRANGED):
                if source.kind in _REARRANGED:
                    source = self._graph.input(source, 0)
            if source.variable is not None:
                products.setdefault(_remove_scope(source.variable), []).append(product)
        return products

    def products(self, name: str) -> list[Operation]:
        products = self._products.get(f"{name}/kernel")
        if not products:
            raise self.refuse(f"the graph never multiplies with {name}/kernel")
        return products

    def count_layers(self) -> tuple[int, int, int]:
        """Return the passes through the encoder, the groups of shared layers, and a group's layers.

        Without shared layers there is one group, of all layers.
        """
        shared, name = self._family.shared_layers, f"{self._names.inner}/kernel"
        groups = self._count(lambda group: name.format(group=group, layer=0)) if shared else 1
        in_group = self._count(lambda layer: name.format(group=0, layer=layer))
        if not groups or not in_group:
            raise self.refuse(f"there is no variable {_name_first(name)}")
        if not shared:
            return in_group, 1, in_group
        passes = [
            len(self.products(self._names.inner.format(group=group, layer=0)))
            for group in range(groups)
        ]
        layers = sum(passes)
        # 12 layers of 4 groups pass through them as 0 0 0 1 1 1 2 2 2 3 3 3: three passes each.
        expected = [int(index / (layers / groups)) for index in range(layers)]
        if passes != [expected.count(group) for group in range(groups)]:
            raise self.refuse(f"its groups of layers take {passes} turns")
        return layers, groups, in_group

    def _count(self, name: Callable[[int], str]) -> int:
        """Return the first index, from 0, whose name is not a variable's."""
        return next(
            index for index in range(len(self._shapes) + 1) if name(index) not in self._shapes
        )

    def _layer_places(self) -> Iterator[Mapping[str, int]]:
        _, groups, in_group = self.count_layers()
        for group in range(groups):
            for layer in range(in_group):
                yield {"group": group, "layer": layer}

    def count_heads(self) -> int:
        """Read the heads off the shape [..., heads, head size] that queries get in every layer."""
        counts = set()
        for reshape in self._graph.of_kind("Reshape"):
            sizes = self._last_sizes(self._graph.input(reshape, 1))
            if sizes and sizes[0] > 0 and sizes[0] * sizes[1] == self.hidden_size:
                counts.add(sizes[0])
        if len(counts) != 1:
            listed = ", ".join(map(str, sorted(counts))) or "none"
            raise self.refuse(
                f"its graph does not state one number of attention heads (found {listed})"
            )
        return int(counts.pop())

    def _last_sizes(self, shape: Operation) -> tuple[int, int] | None:
        """Return the last two of four sizes, if they are constants or computed from constants."""
        if shape.kind == "Pack":
            sizes = [self._graph.number(operation) for operation in self._graph.inputs(shape)]
        elif shape.constant is not None and shape.constant.ndim == 1:
            sizes = [float(size) for size in shape.constant]
        else:
            return None
        heads, head_size = sizes[2:] if len(sizes) == 4 else (None, None)
        return None if heads is None or head_size is None else (int(heads), int(head_size))

    def find_epsilon(self) -> float:
        """Return the epsilon that all layer norms share."""
        epsilons = {float(norm.node.attr["epsilon"].f) for norm in self._graph.of_kind(*_NORMS)}
        for root in self._graph.of_kind("Rsqrt"):
            variance = self._graph.input(root, 0)
            if variance.kind in _SUMS:
                added = (operation.constant for operation in self._graph.inputs(variance))
                epsilons |= {float(term) for term in added if term is not None and not term.ndim}
        # The shortest decimal of the float32: 1e-12, not 9.999999960041972e-13.
        decimals = {float(str(np.float32(epsilon))) for epsilon in epsilons}
        if len(decimals) != 1:
            listed = ", ".join(f"{decimal:g}" for decimal in sorted(decimals)) or "none"
            raise self.refuse(
                f"its graph does not state one epsilon of its layer norms (found {listed})"
            )
        return decimals.pop()

    def find_activation(self) -> str:
        """Name the function between the two products of the feed-forward part, in every layer."""
        activations = set()
        for place in self._layer_places():
            inner, outer = (
                self.products(name.format(**place))
                for name in (self._names.inner, self._names.output)
            )
            inputs = (self._graph.input(product, 0) for product in outer)
            between = self._graph.trace_back(inputs, until=inner)
            unknown = sorted({each.kind for each in between} - _PLAIN)
            activations.add(_name_activation(between) or ", ".join(unknown) or "none")
        (name, *others) = sorted(activations)
        if others or name not in _NAMES:
            raise self.refuse(
                f"the activation in its layers is not known here: its graph has "
                f"{', '.join(activations)}"
            )
        return name

    def check_positions(self) -> None:
        """Check that positions count as the family's do: from 0, or from the padding id + 1."""
        gathers = [
            gather
            for gather in self._graph.of_kind("ResourceGather", "GatherV2", "Gather")
            if self._reads(gather, self._names.position_embeddings)
        ]
        if not gathers:
            raise self.refuse(f"the graph never reads {self._names.position_embeddings}")
        # Families that skip padding compare each id with its id: cumsum(ids != padding_id).
        ids = set()
        for operation in self._graph.trace_back(self._graph.input(one, 1) for one in gathers):
            if operation.kind == "NotEqual":
                constants = (one.constant for one in self._graph.inputs(operation))
                ids |= {int(one) for one in constants if one is not None and not one.ndim}
        padding_id = self._family.position_padding_id
        expected = set() if padding_id is None else {padding_id}
        if ids != expected:
            raise self.refuse(
                f"its positions skip the ids {sorted(ids) or 'of nothing'}, and "
                f"{self._family.tf_class} skips {sorted(expected) or 'nothing'}"
            )

    def check_head(self) -> None:
        """Check that the head reads the first token, and that its values are the logits."""
        first, last = self.products(self._names.head[0]), self.products(self._names.head[-1])
        read = {self._graph.input(product, 0).kind for product in first}
        if read != {"StridedSlice"}:
            raise self.refuse(
                f"its head reads the result of {', '.join(sorted(read))}, and the head of "
                f"{self._family.tf_class} reads the first token"
            )
        after = self._graph.trace_back([self._graph.operations[self._graph.logits]], until=last)
        kinds = {operation.kind for operation in after if operation.variable is None}
        if changed := sorted(kinds - {"BiasAdd", *_SUMS}):
            raise self.refuse(
                f"its tensor of the logits is not the head's own: the graph computes "
                f"{', '.join(changed)} after it"
            )

    def _reads(self, gather: Operation, name: str) -> bool:
        source = self._graph.input(gather, 0)
        return source.variable is not None and _remove_scope(source.variable) == name


def _remove_scope(name: str) -> str:
    return name.partition("/")[2]


_NAMES = ("gelu", "gelu_new", "gelu_fast", "quick_gelu", "relu", "silu", "tanh")


def _name_activation(between: Collection[Operation]) -> str | None:
    """Return transformers' name of the function that these operations compute; None if unknown."""
    kinds = {operation.kind for operation in between}
    special = kinds - _PLAIN
    numbers = [
        float(one.constant)
        for one in between
        if one.constant is not None and _is_float(one.constant)
    ]

    def has(number: float) -> bool:
        return any(abs(other - number) < 1e-5 for other in numbers)

    if special in ({"Erf"}, {"Erfc"}):
        return "gelu"
    if special == {"Tanh", "Pow"} and has(_GELU_TERM):
        return "gelu_new"
    if special == {"Tanh"}:
        if has(_GELU_TERM):
            return "gelu_fast"
        return None if numbers else "tanh"
    if special == {"Sigmoid"}:
        if has(_QUICK_GELU_FACTOR):
            return "quick_gelu"
        # The graph of tf.nn.silu holds its beta, 1.
        return None if set(numbers) - {1.0} else "silu"
    return "relu" if special == {"Relu"} else None


def _is_float(value: np.ndarray) -> bool:
    return value.ndim == 0 and value.dtype.kind == "f"
