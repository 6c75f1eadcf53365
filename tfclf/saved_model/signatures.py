"""The signatures of a SavedModel, read from its file without TensorFlow, which takes seconds."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError

from tfclf.errors import SavedModelError

# TensorFlow's types.proto; others are shown by number.
_TYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    22: "uint32",
    23: "uint64",
}
# The few fields of saved_model.proto and meta_graph.proto that are read, as
# (name, number, type, repeated). The parser passes over all others, the graph among them.
_MESSAGES: Mapping[str, tuple[tuple[str, int, str, bool], ...]] = {
    "SavedModel": (("meta_graphs", 2, "MetaGraph", True),),
    "MetaGraph": (("signatures", 5, "SignatureEntry", True),),
    "SignatureEntry": (("key", 1, "string", False), ("value", 2, "Signature", False)),
    "Signature": (("inputs", 1, "TensorEntry", True), ("outputs", 2, "TensorEntry", True)),
    "TensorEntry": (("key", 1, "string", False), ("value", 2, "Tensor", False)),
    "Tensor": (("dtype", 2, "int32", False), ("shape", 3, "Shape", False)),
    "Shape": (("dimensions", 2, "Dimension", True), ("unknown_rank", 3, "bool", False)),
    "Dimension": (("size", 1, "int64", False),),
}
_PACKAGE = "tfclf.signatures"
_HIDDEN = "__saved_model_init_op"  # TensorFlow's own: it runs once, when the model is loaded


@dataclass(frozen=True)
class Tensor:
    """An input or output of a signature.

    >>> str(Tensor("float32", (None, 4)))
    'float32[?, 4]'

    Attributes:
      dtype: its name in NumPy, or `string`.
      shape: None stands for any size; None as a whole for any rank.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return self.dtype
        return (
            f"{self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"
        )


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of one signature, by name."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    def __str__(self) -> str:
        return f"({_join(self.inputs)}) -> {_join(self.outputs)}"


def read_signatures(version_folder: Path) -> dict[str, Signature]:
    """Return the signatures by name; none if the model is not stored as saved_model.pb.

    Raises: SavedModelError if the file is broken.
    """
    path = version_folder / "saved_model.pb"
    if not path.is_file():
        return {}
    try:
        model = _message_class().FromString(path.read_bytes())
    except DecodeError as error:
        raise SavedModelError(
            f"{path} is no SavedModel: {error}. Copy or export the model again."
        ) from error
    signatures = {}
    for graph in model.meta_graphs:
        for entry in graph.signatures:
            if entry.key != _HIDDEN:
                signatures[entry.key] = Signature(
                    _read_tensors(entry.value.inputs), _read_tensors(entry.value.outputs)
                )
    return dict(sorted(signatures.items()))


def _join(tensors: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name}: {tensor}" for name, tensor in tensors.items())


def _read_tensors(entries: Any) -> dict[str, Tensor]:
    return {
        entry.key: Tensor(_name_type(entry.value.dtype), _read_shape(entry.value.shape))
        for entry in sorted(entries, key=lambda entry: entry.key)
    }


def _name_type(number: int) -> str:
    return _TYPES.get(number, f"type {number}")


def _read_shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if one.size < 0 else one.size for one in shape.dimensions)


@functools.cache
def _message_class() -> Any:
    """Build the class of SavedModel from the few fields above."""
    file = FileDescriptorProto(name="signatures.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        file.message_type.append(
            DescriptorProto(name=name, field=[_describe_field(*field) for field in fields])
        )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.SavedModel"))


def _describe_field(name: str, number: int, kind: str, repeated: bool) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    field = FieldDescriptorProto(name=name, number=number, label=label)
    if kind in _MESSAGES:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    return field
