"""An archive has no config.json: every size and choice is read from the variables' shapes and from the graph.

Nothing is guessed. What the graph does in a way that is not known here is an error that says so.
"""

from collections.abc import Collection, Iterator, Mapping
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
# Between a kernel's variable and the product that it is in.
_REARRANGED = ("Reshape", "Transpose", "Cast")
_MOST_REARRANGED = 5
# What a dense layer on three dimensions, or a formula, is built of, whatever the function that it writes down.
_PLAIN = {
    *(
        "Const",
        "Shape",
        "Prod",
        "Pack",
        "ConcatV2",
        "GatherV2",
        "Transpose",
        "Reshape",
        "StridedSlice",
        "MatMul",
    ),
    *(
        "BatchMatMul",
        "BatchMatMulV2",
        "BiasAdd",
        "Mul",
        "Add",
        "AddV2",
        "Sub",
        "RealDiv",
        "Neg",
        "Cast",
        "Square",
    ),
    *("VarHandleOp", "Placeholder", "ExpandDims", "Squeeze", "Einsum", "Sqrt"),
}
_GELU_TERM, _QUICK_GELU_FACTOR = 0.044715, 1.702


def config_of(family: Family, shapes: Shapes, graph: Graph, *, origin: object) -> dict[str, Any]:
    """The config that transformers needs to build the family's TF class anew, labels and limits aside.

    Args:
      shapes: of the variables, by the names that the TF class gives them below its own scope.
      origin: how errors name the archive.
    Raises: CheckpointError for a graph that the family's TF class would not make.
    """
    names, keys = family.weights, family.config_keys
    assert names is not None
    found = _Found(family, names, shapes, graph, origin)
    positions, width = found.shape(names.position_embeddings, 2)[0], found.width
    layers, groups, in_group = found.layers()
    config: dict[str, Any] = {
        "model_type": family.model_type,
        "vocab_size": found.shape(names.word_embeddings, 2)[0],
        keys.positions: positions,
        keys.layers: layers,
        keys.heads: found.heads(width),
        keys.hidden_size: width,
        keys.intermediate_size: found.kernel(_first(names.inner))[1],
        keys.activation: found.activation(),
    }
    if names.token_type_embeddings:
        config["type_vocab_size"] = found.shape(names.token_type_embeddings, 2)[0]
    if names.embeddings_projection:
        config["embedding_size"] = found.shape(names.word_embeddings, 2)[1]
    if family.shared_layers:
        config |= {
            family.shared_layers.groups: groups,
            family.shared_layers.layers_in_group: in_group,
        }
    epsilon = found.epsilon()
    if keys.layer_norm_epsilon:
        config[keys.layer_norm_epsilon] = epsilon
    elif epsilon != family.layer_norm_epsilon:
        raise found.strange(
            f"its layer norms have an epsilon of {epsilon:g}, and {family.tf_class} has {family.layer_norm_epsilon:g}"
        )
    found.check_positions()
    return config


def classes_of(family: Family, shapes: Shapes, *, origin: object) -> int:
    """How many values the head gives. Raises: CheckpointError."""
    assert family.weights is not None
    return _shape(shapes, f"{family.weights.head[-1]}/kernel", 2, origin)[1]


def _first(name: str) -> str:
    return name.format(group=0, layer=0)


def _shape(shapes: Shapes, name: str, rank: int, origin: object) -> tuple[int, ...]:
    found = shapes.get(name)
    if found is None or len(found) != rank or not all(found):
        state = (
            "is missing"
            if found is None
            else f"has the shape {list(found)}, where {rank} dimensions are expected"
        )
        raise CheckpointError(
            f"{origin}: the variable {name} {state}. Expected the weights of a fine-tuned text classifier; copy or "
            f"download the model again."
        )
    return found


class _Found:
    """One archive's variables and graph, and the questions put to them."""

    def __init__(
        self, family: Family, names: Weights, shapes: Shapes, graph: Graph, origin: object
    ) -> None:
        self._family, self._names, self._shapes = family, names, shapes
        self._graph, self._origin = graph, origin
        self._products = self._by_kernel()

    def strange(self, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self._origin}: {found}. Expected the graph of {self._family.tf_class}, unchanged: what it does cannot "
            f"be rebuilt otherwise. Load the Hugging Face checkpoint that the archive was made from, if there is one."
        )

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        return _shape(self._shapes, name, rank, self._origin)

    def kernel(self, name: str) -> tuple[int, ...]:
        return self.shape(f"{name}/kernel", 2)

    @property
    def width(self) -> int:
        return self.kernel(_first(self._names.output))[1]

    def _by_kernel(self) -> dict[str, list[Operation]]:
        """Matrix products by the kernel that they multiply with."""
        products: dict[str, list[Operation]] = {}
        for product in self._graph.of_kind(*_PRODUCTS):
            source = self._graph.input(product, 1)
            for _ in range(_MOST_REARRANGED):
                if source.kind in _REARRANGED:
                    source = self._graph.input(source, 0)
            if source.variable is not None:
                products.setdefault(_scope_free(source.variable), []).append(product)
        return products

    def products(self, name: str) -> list[Operation]:
        found = self._products.get(f"{name}/kernel")
        if not found:
            raise self.strange(f"the graph never multiplies with {name}/kernel")
        return found

    def layers(self) -> tuple[int, int, int]:
        """Passes through the encoder; groups of layers and layers in each, where layers are shared."""
        shared, name = self._family.shared_layers, f"{self._names.inner}/kernel"
        groups = self._count(lambda group: name.format(group=group, layer=0)) if shared else 1
        in_group = self._count(lambda layer: name.format(group=0, layer=layer))
        if not groups or not in_group:
            raise self.strange(f"there is no variable {_first(name)}")
        if not shared:
            return in_group, 1, in_group
        passes = [
            len(self.products(self._names.inner.format(group=group, layer=0)))
            for group in range(groups)
        ]
        layers = sum(passes)
        expected = [int(index / (layers / groups)) for index in range(layers)]
        if passes != [expected.count(group) for group in range(groups)]:
            raise self.strange(f"its groups of layers take {passes} turns")
        return layers, groups, in_group

    def _count(self, name: Any) -> int:
        return next(
            index for index in range(len(self._shapes) + 1) if name(index) not in self._shapes
        )

    def _layer_names(self) -> Iterator[Mapping[str, int]]:
        layers, groups, in_group = self.layers()
        for group in range(groups):
            for layer in range(in_group if self._family.shared_layers else layers):
                yield {"group": group, "layer": layer}

    def heads(self, width: int) -> int:
        """From the shape [..., heads, width of a head] that queries are given, in every layer."""
        found = set()
        for reshape in self._graph.of_kind("Reshape"):
            sizes = self._constant_end(self._graph.input(reshape, 1))
            if sizes and sizes[0] > 0 and sizes[0] * sizes[1] == width:
                found.add(sizes[0])
        if len(found) != 1:
            told = ", ".join(map(str, sorted(found))) or "none"
            raise self.strange(
                f"the number of attention heads cannot be told from its graph (found {told})"
            )
        return int(found.pop())

    def _constant_end(self, shape: Operation) -> tuple[int, int] | None:
        """The last two of four sizes, where the graph has them as constants, or works them out from such."""
        if shape.kind == "Pack":
            sizes = [self._graph.number(operation) for operation in self._graph.inputs(shape)]
        elif shape.constant is not None and shape.constant.ndim == 1:
            sizes = [float(size) for size in shape.constant]
        else:
            return None
        heads, head_width = sizes[2:] if len(sizes) == 4 else (None, None)
        return None if heads is None or head_width is None else (int(heads), int(head_width))

    def epsilon(self) -> float:
        """Of the layer norms: all have the same."""
        found = {float(norm.node.attr["epsilon"].f) for norm in self._graph.of_kind(*_NORMS)}
        for root in self._graph.of_kind("Rsqrt"):
            under = self._graph.input(root, 0)
            added = (
                [operation.constant for operation in self._graph.inputs(under)]
                if under.kind in _SUMS
                else []
            )
            found |= {float(value) for value in added if value is not None and value.ndim == 0}
        # As it was written before it became a float32: 1e-12, not 9.999999960041972e-13.
        written = {float(str(np.float32(value))) for value in found}
        if len(written) != 1:
            told = ", ".join(f"{value:g}" for value in sorted(written)) or "none"
            raise self.strange(
                f"the epsilon of its layer norms cannot be told from its graph (found {told})"
            )
        return written.pop()

    def activation(self) -> str:
        """Between the two products of the feed-forward part, in every layer."""
        found = set()
        for place in self._layer_names():
            inner, outer = (
                self.products(name.format(**place))
                for name in (self._names.inner, self._names.output)
            )
            between = self._graph.behind(
                (self._graph.input(product, 0) for product in outer), until=inner
            )
            found.add(
                _activation(between)
                or ", ".join(sorted({each.kind for each in between} - _PLAIN))
                or "none"
            )
        (name, *others) = sorted(found)
        if others or name not in _NAMES:
            raise self.strange(
                f"the activation in its layers is not known here: its graph has {', '.join(found)}"
            )
        return name

    def check_positions(self) -> None:
        """Positions count as the family's do: from 0, or from behind the padding's."""
        gathers = [
            gather
            for gather in self._graph.of_kind("ResourceGather", "GatherV2", "Gather")
            if self._reads(gather, self._names.position_embeddings)
        ]
        if not gathers:
            raise self.strange(f"the graph never reads {self._names.position_embeddings}")
        behind = self._graph.behind(self._graph.input(gather, 1) for gather in gathers)
        compared = [
            self._graph.inputs(operation) for operation in behind if operation.kind == "NotEqual"
        ]
        ids = {
            int(one.constant)
            for pair in compared
            for one in pair
            if one.constant is not None and not one.constant.ndim
        }
        expected = (
            set()
            if self._family.position_padding_id is None
            else {self._family.position_padding_id}
        )
        if ids != expected:
            raise self.strange(
                f"positions leave out the ids {sorted(ids) or 'of nothing'}, where {self._family.tf_class} leaves out "
                f"{sorted(expected) or 'nothing'}"
            )

    def _reads(self, gather: Operation, name: str) -> bool:
        source = self._graph.input(gather, 0)
        return source.variable is not None and _scope_free(source.variable) == name


def _scope_free(name: str) -> str:
    return name.partition("/")[2]


_NAMES = ("gelu", "gelu_new", "gelu_fast", "quick_gelu", "relu", "silu", "tanh")


def _activation(between: Collection[Operation]) -> str | None:
    """The name that transformers has for what these operations compute; None where it is none of those above."""
    kinds = {operation.kind for operation in between}
    special = kinds - _PLAIN
    numbers = [
        float(one.constant)
        for one in between
        if one.constant is not None and _is_float(one.constant)
    ]

    def has(number: float) -> bool:
        return any(abs(found - number) < 1e-5 for found in numbers)

    if special in ({"Erf"}, {"Erfc"}):
        return "gelu"
    if special == {"Tanh", "Pow"} and has(_GELU_TERM):
        return "gelu_new"
    if special == {"Tanh"}:
        return "gelu_fast" if has(_GELU_TERM) else None if numbers else "tanh"
    if special == {"Sigmoid"}:
        # tf.nn.silu writes down its beta, 1.
        return "quick_gelu" if has(_QUICK_GELU_FACTOR) else None if set(numbers) - {1.0} else "silu"
    return "relu" if special == {"Relu"} else None


def _is_float(value: np.ndarray) -> bool:
    return value.ndim == 0 and value.dtype.kind == "f"
