"""A GraphDef read as data: nothing of it is run or handed to TensorFlow.

The graph is followed from the tensor of the logits backwards, through function calls, as one graph:
the names of the variables that it reads, and the inputs of each operation.
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
# Operations that pass their input on unchanged.
_SAME = ("Identity", "IdentityN", "ReadVariableOp", "StopGradient", "Snapshot", "PreventGradient")
_VARIABLE = "VarHandleOp"
# XLM-RoBERTa-large has some 10,000 operations in 3 functions; nested calls could multiply them.
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
    """One operation of the graph or of a function that it calls.

    Attributes:
      inputs: the operations that it takes values from, in order; without control inputs.
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
        """The value of a small numeric Const; None for any other operation."""
        if self.kind != "Const":
            return None
        tensor = self.node.attr["value"].tensor
        sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
        if any(size < 0 for size in sizes) or math.prod(sizes) > _LARGEST_CONSTANT:
            return None
        try:
            value: np.ndarray = tf.make_ndarray(tensor)
        except (ValueError, TypeError, KeyError):
            return None
        return value if value.dtype.kind in "iuf" else None

    @property
    def variable(self) -> str | None:
        """The name of the variable, if this is the handle of one."""
        if self.kind != _VARIABLE:
            return None
        name: bytes = self.node.attr["shared_name"].s or self.node.name.encode()
        return name.decode("utf-8", "replace")


@dataclass
class _Frame:
    """The main graph, or one call of a function.

    Attributes:
      arguments: name -> the caller's frame, and its input.
    """

    nodes: Mapping[str, Any]
    arguments: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    results: tuple[str, ...] = ()


class Graph:
    """All operations that compute the logits.

    Args:
      path: a saved_model.pb that holds a bare GraphDef, as Spark NLP writes it.
      logits: the name of the tensor, e.g. 'StatefulPartitionedCall:0'.
    Raises: CheckpointError for a file that is no graph, and for a graph with parts missing.
    """

    def __init__(self, path: Path, logits: str, *, origin: object) -> None:
        self._origin = origin
        definition = GraphDef()
        try:
            definition.ParseFromString(path.read_bytes())
        except DecodeError as error:
            raise CheckpointError(
                f"{origin} ({path.stat().st_size:,} bytes) is no TensorFlow graph: {error}. It may "
                f"be cut short; copy or download the model again."
            ) from error
        self._functions = {
            function.signature.name: function for function in definition.library.function
        }
        self._nodes = {
            name: _index_by_name(function.node_def) for name, function in self._functions.items()
        }
        self._frames = [_Frame(_index_by_name(definition.node))]
        self._called: dict[Key, int] = {}
        self.operations: dict[Key, Operation] = {}
        self.logits = self._collect(logits)

    def _refuse(self, flaw: str) -> CheckpointError:
        return CheckpointError(
            f"{self._origin}: {flaw}. Expected the graph of a TF*ForSequenceClassification, as "
            f"Spark NLP saves it; it may be damaged, so copy or download the model again."
        )

    def _collect(self, logits: str) -> Key:
        last = self._resolve(0, logits)
        pending = [last]
        while pending:
            key = pending.pop()
            if key in self.operations:
                continue
            if len(self.operations) >= _MOST_OPERATIONS:
                raise self._refuse(f"the graph has more than {_MOST_OPERATIONS:,} operations")
            frame, name = key
            node = self._frames[frame].nodes[name]
            inputs = tuple(
                self._resolve(frame, given) for given in node.input if not given.startswith("^")
            )
            self.operations[key] = Operation(key, node, inputs)
            pending.extend(inputs)
        return last

    def _resolve(self, frame: int, given: str) -> Key:
        """Return the operation that computes a value, behind calls and pass-through operations."""
        for _ in range(_MOST_OPERATIONS):
            name, _, output = given.partition(":")
            if name in self._frames[frame].arguments:
                frame, given = self._frames[frame].arguments[name]
                continue
            node = self._frames[frame].nodes.get(name)
            if node is None:
                raise self._refuse(
                    f"the operation {name[:200]!r} is missing, and another one takes a value from "
                    f"it"
                )
            # 'name:0' in the main graph, 'name:output:0' in a function.
            index = output.rpartition(":")[2]
            place = int(index) if index.isdecimal() else 0
            if node.op in _CALLS:
                frame = self._enter(frame, node)
                results = self._frames[frame].results
                if place >= len(results):
                    raise self._refuse(f"{name[:200]!r} has no result {place}")
                given = results[place]
            elif node.op in _SAME:
                if place >= len(node.input):
                    raise self._refuse(f"{name[:200]!r} has no input {place}")
                given = node.input[place]
            else:
                return frame, name
        raise self._refuse("a value of the graph comes from itself")

    def _enter(self, frame: int, node: Any) -> int:
        key = (frame, node.name)
        if key in self._called:
            return self._called[key]
        called = node.attr["f"].func.name
        function = self._functions.get(called)
        given = [name for name in node.input if not name.startswith("^")]
        if function is None or len(given) != len(function.signature.input_arg):
            raise self._refuse(
                f"{node.name[:200]!r} calls the function {called[:200]!r}, which is missing or "
                f"takes other arguments"
            )
        if len(self._frames) >= _MOST_CALLS:
            raise self._refuse(f"functions are called more than {_MOST_CALLS:,} times")
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
        """Yield all operations of these kinds."""
        return (operation for operation in self.operations.values() if operation.kind in kinds)

    def inputs(self, operation: Operation) -> tuple[Operation, ...]:
        """Return the operations that one takes values from."""
        return tuple(self.operations[key] for key in operation.inputs)

    def input(self, operation: Operation, index: int) -> Operation:
        """Return one of the inputs. Raises: CheckpointError if there are fewer."""
        if index >= len(operation.inputs):
            raise self._refuse(
                f"a {operation.kind} of the graph has {len(operation.inputs)} inputs"
            )
        return self.operations[operation.inputs[index]]

    def number(self, operation: Operation) -> float | None:
        """Return a scalar that is computed from constants alone; None for any other value.

        Older graphs divide the hidden size by the number of heads at run time.
        """
        operation = self._skip_casts(operation)
        if operation.kind not in _ARITHMETIC:
            return _to_float(operation.constant)
        numbers = [_to_float(self._skip_casts(given).constant) for given in self.inputs(operation)]
        first, second = numbers if len(numbers) == 2 else (None, None)
        return None if first is None or not second else _ARITHMETIC[operation.kind](first, second)

    def _skip_casts(self, operation: Operation) -> Operation:
        for _ in range(_MOST_CASTS):
            operation = self.input(operation, 0) if operation.kind == "Cast" else operation
        return operation

    def trace_back(
        self, start: Iterable[Operation], *, until: Iterable[Operation] = ()
    ) -> list[Operation]:
        """Return `start` and all operations that its values come from, up to `until` (left out).

        The way back ends at a Shape: a dense layer reads the shapes of tensors that it does not
        compute with.
        """
        seen = {operation.key for operation in until}
        pending, traced = list(start), []
        while pending:
            operation = pending.pop()
            if operation.key not in seen:
                seen.add(operation.key)
                traced.append(operation)
                if operation.kind != "Shape":
                    pending.extend(self.inputs(operation))
        return traced


def _index_by_name(nodes: Iterable[Any]) -> dict[str, Any]:
    return {node.name: node for node in nodes}


def _to_float(value: np.ndarray | None) -> float | None:
    return float(value.item()) if value is not None and value.size == 1 else None
