"""Constants out of Grappler's sight, where a rounding error would become another integer.

MPNet and DeBERTa-v2 compute the bucket of a distance between two tokens as
int(log(distance / 8) / log(16) * 8). Grappler folds the two constants into one factor. At the edge
of two buckets the last bit then decides, and the token gets another bucket than in the class.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfclf.graph.tracing import trace_once


def keep_rounding(function: Any) -> Callable[..., tf.Tensor]:
    """Return a traced function whose casts to integers Grappler leaves as the class computes them.

    Args:
      function: a ConcreteFunction of positional tensors with one output. It comes back as it is if
        it casts no float to an integer.
    """
    graph = function.graph.as_graph_def()
    constants = _find_constants(graph)
    if not constants:
        return function  # type: ignore[no-any-return]
    inputs = {tensor.op.name for tensor in function.inputs}
    edited = _hide(graph, constants, without=inputs)
    # An input that no node reads cannot be mapped.
    used = {source.partition(":")[0] for node in edited.node for source in node.input}

    def replay(*given: tf.Tensor) -> tf.Tensor:
        outer = tf.compat.v1.get_default_graph()
        captured = [outer.capture(value) for value in function.captured_inputs]
        values = zip(function.inputs, (*given, *captured), strict=True)
        outputs = tf.graph_util.import_graph_def(
            edited,
            input_map={tensor.name: value for tensor, value in values if tensor.op.name in used},
            return_elements=[function.outputs[0].name],
            name="",
        )
        return outputs[0]

    count = len(function.inputs) - len(function.captured_inputs)
    signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in function.inputs[:count]]
    return trace_once(replay, signature)


def _find_constants(graph: Any) -> set[str]:
    """Find the float constants that any cast from float to integer depends on.

    >>> with tf.Graph().as_default() as graph:
    ...     distances = tf.compat.v1.placeholder(tf.float32, name="distances")
    ...     buckets = tf.cast(distances * tf.constant(0.3, name="factor"), tf.int32)
    ...     scores = distances + tf.constant(1.0, name="bias")
    >>> _find_constants(graph.as_graph_def())
    {'factor'}
    """
    nodes = {node.name: node for node in graph.node}
    waiting = [name for name, node in nodes.items() if _rounds(node)]
    seen = set(waiting)
    while waiting:
        for source in nodes[waiting.pop()].input:
            # "name", "name:1", or "^name" for an order without a value.
            name = source.removeprefix("^").partition(":")[0]
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return {
        name
        for name in seen
        if nodes[name].op == "Const" and tf.as_dtype(nodes[name].attr["dtype"].type).is_floating
    }


def _rounds(node: Any) -> bool:
    if node.op != "Cast":
        return False
    source, target = (tf.as_dtype(node.attr[name].type) for name in ("SrcT", "DstT"))
    return bool(source.is_floating and target.is_integer)


def _hide(graph: Any, constants: set[str], *, without: set[str]) -> Any:
    """Return the graph with each constant behind a placeholder that has it as its default.

    Grappler does not look through such a placeholder.

    Args:
      without: names of nodes to leave out.
    """
    hidden = tf.compat.v1.GraphDef()
    hidden.CopyFrom(graph)
    del hidden.node[:]
    for node in graph.node:
        if node.name in without:
            continue
        kept = hidden.node.add()
        kept.CopyFrom(node)
        for index, source in enumerate(kept.input):
            name = source.partition(":")[0]
            if name in constants:
                kept.input[index] = f"{name}/hidden"
        if node.name in constants:
            shape = node.attr["value"].tensor.tensor_shape
            placeholder = hidden.node.add(
                name=f"{node.name}/hidden", op="PlaceholderWithDefault", input=[node.name]
            )
            placeholder.attr["dtype"].CopyFrom(node.attr["dtype"])
            placeholder.attr["shape"].shape.CopyFrom(shape)
    return hidden
