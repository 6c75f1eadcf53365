"""A JSON body of predict -> PredictRequest, by TF Serving's rules and in its words.

Tensors are read in one sweep, a whole level of lists at a time. If that finds a fault, `_Walk`
visits the JSON element by element, in TF Serving's order, to raise the error that TF Serving would.

Source: tensorflow/serving, util/json_tensor.cc.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tfclf.server.status import RequestError, invalid_argument
from tfclf.server.transport.rest.json_text import (
    make_readable,
    parse,
    read_signature_name,
    show_value,
)
from tfclf.server.transport.rest.values import convert_element, fill, is_base64

_MOST_DIMENSIONS = 254  # of a TensorShape

Inputs = Callable[[ModelSpec], Mapping[str, TensorInfo]]


def read_predict(body: bytes, spec: ModelSpec, inputs: Inputs) -> tuple[PredictRequest, bool]:
    """Read a body into a PredictRequest; return also whether it was in row form ("instances").

    Args:
      spec: the model that the path names; it receives the signature's name.
      inputs: returns the inputs of the signature that a spec names.
    Raises: RequestError.
    """
    document = parse(body)
    read_signature_name(document, spec)
    infos = dict(inputs(spec))  # a protobuf's map raises on a name that is not UTF-8
    if not infos:
        raise invalid_argument(
            f"Failed to get input map for signature: {spec.signature_name or 'DEFAULT'}"
        )
    request = PredictRequest(model_spec=spec)
    try:
        if "instances" in document:
            if "inputs" in document:
                raise invalid_argument(
                    f"JSON Value: {show_value(document)} Not formatted correctly expecting only "
                    "one of 'inputs' or 'instances' keys to exist "
                )
            _read_rows(document, infos, request)
            return request, True
        if "inputs" in document:
            _read_columns(document["inputs"], infos, request)
            return request, False
    except RecursionError:
        raise invalid_argument("JSON Parse error: Lists or objects are nested too deeply") from None
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def _read_rows(
    document: dict[str, Any], infos: Mapping[str, TensorInfo], request: PredictRequest
) -> None:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid_argument(
            f"JSON Value: {show_value(document)} Excepting 'instances' to be an list/array"
        )
    if not rows:
        raise invalid_argument(f"JSON Value: {show_value(document)} No values in 'instances' array")
    if not isinstance(rows[0], dict) and len(infos) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    if _is_object(rows[0]):
        if not all(_is_object(row) and row.keys() == infos.keys() for row in rows):
            raise _row_error(rows, infos)
        columns = {name: [row[name] for row in rows] for name in sorted(infos)}
    else:
        if any(_is_object(row) for row in rows):
            raise _row_error(rows, infos)
        columns = {min(infos): rows}
    try:
        for name, column in columns.items():
            _add_tensor(request, name, column, infos)
    except RequestError:
        raise _row_error(rows, infos) from None


def _read_columns(value: Any, infos: Mapping[str, TensorInfo], request: PredictRequest) -> None:
    if not _is_object(value):
        if len(infos) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        _add_tensor(request, next(iter(infos)), value, infos)
        return
    for name in sorted(infos):
        if name not in value:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        _add_tensor(request, name, value[name], infos)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _add_tensor(
    request: PredictRequest, name: str, value: Any, infos: Mapping[str, TensorInfo]
) -> None:
    """Read one tensor into the request."""
    dtype = infos[name].dtype
    flat, sizes = _flatten(value)
    if flat is None:
        _Walk(sizes, dtype).go(value, 0)
        raise AssertionError("ragged lists have a fault")
    if len(sizes) > _MOST_DIMENSIONS:
        raise invalid_argument(f"tensor parsing error: {name}")
    tensor = TensorProto(dtype=dtype)
    tensor.tensor_shape.SetInParent()
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    fill(tensor, flat)
    request.inputs[name].CopyFrom(tensor)


def _measure(value: Any) -> list[int]:
    """Return the shape along the first elements.

    >>> _measure([[1, 2, 3], [4]]), _measure([]), _measure(7)
    ([2, 3], [0], [])
    """
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        if not value:
            break
        value = value[0]
    return sizes


def _flatten(value: Any) -> tuple[list[Any] | None, list[int]]:
    """Return all values row by row, or None if the lists are ragged; and the shape.

    >>> _flatten([[1, 2], [3, 4]])
    ([1, 2, 3, 4], [2, 2])
    >>> _flatten([[1, 2], [3]])
    (None, [2, 2])
    """
    sizes = _measure(value)
    level = [value]
    for size in sizes:
        if not all(type(row) is list and len(row) == size for row in level):
            return None, sizes
        level = list(chain.from_iterable(level))
    return (None if list in set(map(type, level)) else level), sizes


@dataclass
class _Walk:
    """A walk over one tensor's JSON in TF Serving's order that raises at the first fault."""

    sizes: list[int]
    dtype: int
    count: int = 0

    def go(self, value: Any, level: int) -> None:
        if not isinstance(value, list):
            if level != len(self.sizes):
                raise invalid_argument(
                    f"JSON Value: {show_value(value)} found at incorrect level: {level + 1} in the "
                    f"JSON DOM. Expected at level: {len(self.sizes)}"
                )
            convert_element(value, self.dtype)
            self.count += 1
            return
        if level >= len(self.sizes):
            raise invalid_argument(
                f"Encountered list at unexpected level: {level} expected < {len(self.sizes)}"
            )
        if len(value) != self.sizes[level]:
            raise invalid_argument(
                f"Encountered list at unexpected size: {len(value)} at level: {level} "
                f"expected size: {self.sizes[level]}"
            )
        for part in value:
            self.go(part, level + 1)


def _row_error(rows: list[Any], infos: Mapping[str, TensorInfo]) -> RequestError:
    """Return TF Serving's error for rows, one of which has a fault."""
    objects = _is_object(rows[0])
    seen: dict[str, tuple[int, list[int]]] = {}
    for number, row in enumerate(rows):
        if _is_object(row) != objects:
            kinds = "object but got list" if objects else "value/list but got object"
            return invalid_argument(f"Expecting {kinds} at item {number} of input list")
        pairs = getattr(row, "pairs", row.items()) if objects else [(min(infos), row)]
        for name, value in pairs:
            key = f" key: {make_readable(name)}" if objects else ""
            try:
                _check_row_item(name, value, infos, seen)
            except RequestError as error:
                return invalid_argument(
                    f"Failed to process element: {number}{key} of 'instances' list. "
                    f"Error: {error.code.name}: {error.message}"
                )
        if objects and row.keys() != infos.keys():
            return invalid_argument(
                f"Failed to process element: {number} of 'instances' list. "
                f"JSON object: {show_value(row)} keys must be equal to: {','.join(sorted(infos))}"
            )
    # TF Serving has no limit of its own here, and fails later.
    return invalid_argument(f"tensor parsing error: {min(infos)}")


def _check_row_item(
    name: str, value: Any, infos: Mapping[str, TensorInfo], seen: dict[str, tuple[int, list[int]]]
) -> None:
    if name not in infos:
        raise invalid_argument(f"JSON object: does not have named input: {make_readable(name)}")
    walk = _Walk(_measure(value), infos[name].dtype)
    walk.go(value, 0)
    count, sizes = seen.setdefault(name, (walk.count, walk.sizes))
    if count != walk.count:
        raise invalid_argument(f"Expecting tensor size: {count} but got: {walk.count}")
    if sizes != walk.sizes:
        raise invalid_argument(
            f"Expecting shape {_format_shape(sizes)} but got: {_format_shape(walk.sizes)}"
        )


def _format_shape(sizes: list[int]) -> str:
    return f"[{','.join(map(str, sizes))}]"
