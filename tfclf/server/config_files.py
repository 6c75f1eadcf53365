"""Readers of TF Serving's text files for batching, TLS and monitoring.

tensorflow-serving-api does not ship these messages. `_MESSAGES` declares their fields for
protobuf's own parser.

Source: TF Serving, session_bundle_config.proto, ssl_config.proto, monitoring_config.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from tfclf._tensorflow import count_cores
from tfclf.errors import ServerError
from tfclf.saved_model.monitoring import PROMETHEUS_PATH
from tfclf.server.runtime.batching import Batching

_Field = descriptor_pb2.FieldDescriptorProto
_WRAPPED = (_Field.TYPE_MESSAGE, ".google.protobuf.Int64Value")
_MESSAGES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "BatchingParameters": {
        "max_batch_size": _WRAPPED,
        "batch_timeout_micros": _WRAPPED,
        "max_enqueued_batches": _WRAPPED,
        "num_batch_threads": _WRAPPED,
        "thread_pool_name": (_Field.TYPE_MESSAGE, ".google.protobuf.StringValue"),
        "allowed_batch_sizes": (_Field.TYPE_INT64, "repeated"),
        "pad_variable_length_inputs": (_Field.TYPE_BOOL,),
        "enable_large_batch_splitting": (_Field.TYPE_MESSAGE, ".google.protobuf.BoolValue"),
        "max_execution_batch_size": _WRAPPED,
    },
    "SSLConfig": {
        "server_key": (_Field.TYPE_STRING,),
        "server_cert": (_Field.TYPE_STRING,),
        "custom_ca": (_Field.TYPE_STRING,),
        "client_verify": (_Field.TYPE_BOOL,),
    },
    "PrometheusConfig": {"enable": (_Field.TYPE_BOOL,), "path": (_Field.TYPE_STRING,)},
    "MonitoringConfig": {
        "prometheus_config": (_Field.TYPE_MESSAGE, ".tfclf.serving.PrometheusConfig")
    },
}


@dataclass(frozen=True)
class Tls:
    """The keys and certificates of a server, as PEM.

    Attributes:
      key, certificate: the server's own.
      ca: the authority that signs the clients' certificates.
      verify_clients: whether a client must show a certificate (mutual TLS).
    """

    key: bytes
    certificate: bytes
    ca: bytes = b""
    verify_clients: bool = False


# TF Serving's defaults: SharedBatchScheduler::QueueOptions.
DEFAULT_BATCHING = Batching(
    max_execution_batch_size=1_000, max_batch_size=1_000, max_enqueued_batches=10
)
_DEFAULTS = {
    name: getattr(DEFAULT_BATCHING, name)
    for name in ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches")
}


def read_batching(path: Path) -> Batching:
    """Read a batching file; a field that it leaves out gets TF Serving's default, not ours.

    Raises: ServerError.
    """
    message = _read_message(path, "BatchingParameters")
    numbers = {
        name: getattr(message, name).value if message.HasField(name) else _DEFAULTS.get(name)
        for name, kind in _MESSAGES["BatchingParameters"].items()
        if kind == _WRAPPED
    }
    for name, number in numbers.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if number is not None and number < least:
            raise ServerError(
                f"{path}: {name} is {number}; expected a whole number, {least} or more."
            )
    request_limit = numbers["max_batch_size"]
    # Without splitting, a batch is at most as large as a request may be.
    splitting = message.enable_large_batch_splitting.value
    largest = (numbers["max_execution_batch_size"] if splitting else None) or request_limit
    assert request_limit is not None
    assert largest is not None
    if largest > request_limit:
        raise ServerError(
            f"{path}: max_execution_batch_size is {largest}, above max_batch_size, {request_limit}."
        )
    allowed = tuple(message.allowed_batch_sizes)
    ascending = list(allowed) == sorted(set(allowed))
    if allowed and not (ascending and allowed[0] >= 1 and allowed[-1] == largest):
        raise ServerError(
            f"{path}: allowed_batch_sizes are {list(allowed)}; expected sizes above 0 that go up "
            f"and end with the largest batch, {largest}."
        )
    return Batching(
        max_execution_batch_size=largest,
        max_batch_size=request_limit,
        batch_timeout_micros=numbers["batch_timeout_micros"] or 0,
        max_enqueued_batches=numbers["max_enqueued_batches"] or 0,
        num_batch_threads=numbers["num_batch_threads"] or count_cores(),
        allowed_batch_sizes=allowed,
        pad_variable_length_inputs=message.pad_variable_length_inputs,
    )


def read_tls(path: Path) -> Tls:
    """Read an SSL file, which holds the PEM texts themselves, not their paths.

    Raises: ServerError.
    """
    message = _read_message(path, "SSLConfig")
    required = ["server_key", "server_cert", *(["custom_ca"] if message.client_verify else [])]
    for name in required:
        text = getattr(message, name)
        if "-----BEGIN" not in text:
            raise ServerError(
                f"{path}: {name} {'holds no PEM block' if text else 'is empty'}. Expected the text "
                f"of the PEM file itself, its lines joined by \\n as in TF Serving, not the file's "
                f"path."
            )
    return Tls(
        key=message.server_key.encode(),
        certificate=message.server_cert.encode(),
        ca=message.custom_ca.encode(),
        verify_clients=message.client_verify,
    )


def read_monitoring(path: Path) -> str | None:
    """Read the URL path of the metrics from a monitoring file; None if it turns them off.

    Raises: ServerError.
    """
    message = _read_message(path, "MonitoringConfig").prometheus_config
    if message.path and not message.path.startswith("/"):
        raise ServerError(
            f"{path}: path is {message.path!r}; expected a path of a URL, "
            f"such as {PROMETHEUS_PATH}."
        )
    return (message.path or PROMETHEUS_PATH) if message.enable else None


def _read_message(path: Path, name: str) -> Any:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), _message_classes()[name]())
    except OSError as error:
        raise ServerError(
            f"{path} cannot be read: {error.strerror}. Expected a text file of {name}."
        ) from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServerError(
            f"Invalid protobuf file: '{path}': {error}. Expected the text format of TF Serving's "
            f"{name}, with the fields {', '.join(_MESSAGES[name])}."
        ) from error


@cache
def _message_classes() -> dict[str, Any]:
    """Build the classes of `_MESSAGES`.

    >>> _message_classes()["SSLConfig"](client_verify=True)
    client_verify: true
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="tfclf/serving.proto",
        package="tfclf.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for name, declared in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, (kind, *rest)) in enumerate(declared.items(), 1):
            label = _Field.LABEL_REPEATED if "repeated" in rest else _Field.LABEL_OPTIONAL
            type_name = rest[0] if kind == _Field.TYPE_MESSAGE else None
            message.field.add(
                name=field, number=number, type=kind, label=label, type_name=type_name
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tfclf.serving.{name}"))
        for name in _MESSAGES
    }
