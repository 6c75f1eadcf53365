"""What a GraphDef does, read as data: nothing of it is run or handed to TensorFlow.

From the tensor that holds the logits backwards, through calls of functions, as one graph: which variables it reads, by
name, and which operation takes what from which.
"""

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework.graph_pb2 import GraphDef

from tfclf.errors import CheckpointError

_CALLS = ("StatefulPartitionedCall", "PartitionedCall")
# What hands its input on as it is.
_SAME = ("Identity", "IdentityN", "ReadVariableOp", "StopGradient", "Snapshot", "PreventGradient")
_VARIABLE = "VarHandleOp"
# XLM-RoBERTa-large has some 10,000 operations in 3 functions. Functions that call functions could make them any number.
_MOST_OPERATIONS = 300_000
_MOST_CALLS = 10_000
_MOST_CASTS = 5
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "RealDiv": operator.truediv,
    "FloorDiv": operator.floordiv,
    "Mul": operator.mul,
}
_LARGEST_CONSTANT = 1_000

Key = tuple[int, str]


@dataclass(frozen=True)
class Operation:
    """One operation, wherever it stands among functions within functions.

    Attributes:
      inputs: the operations that it takes values from, in order; control inputs are left out.
    """

    key: Key
    node: Any
    inputs: tuple[Key, ...]

    @property
    def kind(self) -> str:
        """'MatMul', 'Const' and so on."""
        return str(self.node.op)

    @cached_property
    def constant(self) -> np.ndarray | None:
        """The value of a small Const of numbers."""
        if self.kind != "Const":
            return None
        tensor = self.node.attr["value"].tensor
        sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
        if any(size < 0 for size in sizes) or math.prod(sizes) > _LARGEST_CONSTANT:
            return None
        try:
            found: np.ndarray = tf.make_ndarray(tensor)
        except (ValueError, TypeError, KeyError):
            return None
        return found if found.dtype.kind in "iuf" else None

    @property
    def variable(self) -> str | None:
        """The name of the variable that a handle stands for."""
        if self.kind != _VARIABLE:
            return None
        name: bytes = self.node.attr["shared_name"].s or self.node.name.encode()
        return name.decode("utf-8", "replace")


@dataclass
class _Frame:
    """The main graph, or a function at one place that calls it."""

    nodes: Mapping[str, Any]
    arguments: Mapping[str, tuple[int, str]] = field(
        default_factory=dict
    )  # name -> the caller's frame and input
    results: tuple[str, ...] = ()


class Graph:
    """All operations that the logits come from.

    Args:
      path: a saved_model.pb that holds a bare GraphDef, as Spark NLP writes it.
      logits: the name of the tensor, e.g. 'StatefulPartitionedCall:0'.
    Raises: CheckpointError for a file that is no graph, or one that does not hold together.
    """

    def __init__(self, path: Path, logits: str, *, origin: object) -> None:
        self._origin = origin
        definition = GraphDef()
        try:
            definition.ParseFromString(path.read_bytes())
        except DecodeError as error:
            raise CheckpointError(
                f"{origin} ({path.stat().st_size:,} bytes) is no TensorFlow graph: {error}. It may be cut short; copy "
                f"or download the model again."
            ) from error
        self._functions = {
            function.signature.name: function for function in definition.library.function
        }
        self._nodes = {
            name: _by_name(function.node_def) for name, function in self._functions.items()
        }
        self._frames = [_Frame(_by_name(definition.node))]
        self._called: dict[Key, int] = {}
        self.operations: dict[Key, Operation] = {}
        self.logits = self._collect(logits)

    def _broken(self, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self._origin}: {found}. Expected the graph of a TF*ForSequenceClassification, as Spark NLP saves it; it "
            f"may be damaged, so copy or download the model again."
        )

    def _collect(self, logits: str) -> Key:
        last = self._resolve(0, logits)
        ahead = [last]
        while ahead:
            key = ahead.pop()
            if key in self.operations:
                continue
            if len(self.operations) >= _MOST_OPERATIONS:
                raise self._broken(f"the graph has more than {_MOST_OPERATIONS:,} operations")
            frame, name = key
            node = self._frames[frame].nodes[name]
            inputs = tuple(
                self._resolve(frame, given) for given in node.input if not given.startswith("^")
            )
            self.operations[key] = Operation(key, node, inputs)
            ahead.extend(inputs)
        return last

    def _resolve(self, frame: int, given: str) -> Key:
        """The operation that really makes a value: through arguments, calls, and what hands on its input as it is."""
        for _ in range(_MOST_OPERATIONS):
            name, _, output = given.partition(":")
            if name in self._frames[frame].arguments:
                frame, given = self._frames[frame].arguments[name]
                continue
            node = self._frames[frame].nodes.get(name)
            if node is None:
                raise self._broken(
                    f"the operation {name[:200]!r}, which another one takes a value from, is missing"
                )
            # 'name:0' in the main graph, 'name:output:0' in a function.
            index = output.rpartition(":")[2]
            place = int(index) if index.isdecimal() else 0
            if node.op in _CALLS:
                frame = self._enter(frame, node)
                results = self._frames[frame].results
                if place >= len(results):
                    raise self._broken(f"{name[:200]!r} has no result {place}")
                given = results[place]
            elif node.op in _SAME:
                if place >= len(node.input):
                    raise self._broken(f"{name[:200]!r} has no input {place}")
                given = node.input[place]
            else:
                return frame, name
        raise self._broken("a value of the graph comes from itself")

    def _enter(self, frame: int, node: Any) -> int:
        key = (frame, node.name)
        if key in self._called:
            return self._called[key]
        called = node.attr["f"].func.name
        function = self._functions.get(called)
        given = [name for name in node.input if not name.startswith("^")]
        if function is None or len(given) != len(function.signature.input_arg):
            raise self._broken(
                f"{node.name[:200]!r} calls the function {called[:200]!r}, which is not there as called"
            )
        if len(self._frames) >= _MOST_CALLS:
            raise self._broken(f"functions are called more than {_MOST_CALLS:,} times")
        arguments = {
            argument.name: (frame, name)
            for argument, name in zip(function.signature.input_arg, given, strict=True)
        }
        results = tuple(
            function.ret.get(result.name, "") for result in function.signature.output_arg
        )
        self._frames.append(_Frame(self._nodes[called], arguments, results))
        self._called[key] = len(self._frames) - 1
        return self._called[key]

    def of_kind(self, *kinds: str) -> Iterator[Operation]:
        """All operations of these kinds."""
        return (operation for operation in self.operations.values() if operation.kind in kinds)

    def inputs(self, operation: Operation) -> tuple[Operation, ...]:
        """What an operation takes values from."""
        return tuple(self.operations[key] for key in operation.inputs)

    def input(self, operation: Operation, index: int) -> Operation:
        """One of them. Raises: CheckpointError where there are fewer."""
        if index >= len(operation.inputs):
            raise self._broken(
                f"a {operation.kind} of the graph has {len(operation.inputs)} inputs"
            )
        return self.operations[operation.inputs[index]]

    def number(self, operation: Operation) -> float | None:
        """What a scalar comes to that is worked out from constants alone; None for any other.

        Older graphs divide the width by the number of heads as they run.
        """
        operation = self._uncast(operation)
        if operation.kind not in _ARITHMETIC:
            return _scalar(operation.constant)
        numbers = [_scalar(self._uncast(given).constant) for given in self.inputs(operation)]
        first, second = numbers if len(numbers) == 2 else (None, None)
        return None if first is None or not second else _ARITHMETIC[operation.kind](first, second)

    def _uncast(self, operation: Operation) -> Operation:
        for _ in range(_MOST_CASTS):
            operation = self.input(operation, 0) if operation.kind == "Cast" else operation
        return operation

    def behind(
        self, start: Iterable[Operation], *, until: Iterable[Operation] = ()
    ) -> list[Operation]:
        """`start` and all that its values come from; of `until`, and of what only they come from, nothing.

        Not what stands behind a mere shape: dense layers take the shape of tensors that they do not compute with.
        """
        seen = {operation.key for operation in until}
        ahead, found = list(start), []
        while ahead:
            operation = ahead.pop()
            if operation.key not in seen:
                seen.add(operation.key)
                found.append(operation)
                if operation.kind != "Shape":
                    ahead.extend(self.inputs(operation))
        return found


def _by_name(nodes: Iterable[Any]) -> dict[str, Any]:
    return {node.name: node for node in nodes}


def _scalar(value: np.ndarray | None) -> float | None:
    return float(value.item()) if value is not None and value.size == 1 else None
