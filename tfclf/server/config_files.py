"""TF Serving's text files beside models.config: batching, TLS, monitoring.

tensorflow-serving-api does not ship these messages, so their fields are declared here, for protobuf's own parser.
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

from tfclf.errors import ServerError
from tfclf.server.runtime.batching import Batching
from tfclf.server.runtime.session import cpus

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"

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
    """What a server shows and asks for, as PEM.

    Attributes:
      key, certificate: the server's own.
      ca: who signs the clients' certificates.
      verify_clients: whether a client must show one (mutual TLS).
    """

    key: bytes
    certificate: bytes
    ca: bytes = b""
    verify_clients: bool = False


# What nobody says, as TF Serving has it: SharedBatchScheduler::QueueOptions.
UNSAID_BATCHING = Batching(
    max_batch_size=1_000, max_execution_batch_size=1_000, max_enqueued_batches=10
)
_UNSAID = {"max_batch_size": 1_000, "batch_timeout_micros": 0, "max_enqueued_batches": 10}


def read_batching(path: Path) -> Batching:
    """A batching file; what it leaves out is TF Serving's default, not ours. Raises: ServerError."""
    found = _read(path, "BatchingParameters")
    numbers = {
        name: getattr(found, name).value if found.HasField(name) else _UNSAID.get(name)
        for name, kind in _MESSAGES["BatchingParameters"].items()
        if kind == _WRAPPED
    }
    for name, number in numbers.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if number is not None and number < least:
            raise ServerError(
                f"{path}: {name} is {number}; expected a whole number, {least} or more."
            )
    most = numbers["max_batch_size"]
    # Without splitting, a batch is at most as large as a request may be.
    execution = (
        numbers["max_execution_batch_size"] if found.enable_large_batch_splitting.value else None
    )
    largest = execution or most
    assert most is not None
    assert largest is not None
    if largest > most:
        raise ServerError(
            f"{path}: max_execution_batch_size is {largest}, above max_batch_size, {most}."
        )
    allowed = tuple(found.allowed_batch_sizes)
    if allowed and (
        list(allowed) != sorted(set(allowed)) or allowed[0] < 1 or allowed[-1] != largest
    ):
        raise ServerError(
            f"{path}: allowed_batch_sizes are {list(allowed)}; expected sizes above 0 that go up and end with the "
            f"largest batch, {largest}."
        )
    return Batching(
        max_execution_batch_size=largest,
        max_batch_size=most,
        batch_timeout_micros=numbers["batch_timeout_micros"] or 0,
        max_enqueued_batches=numbers["max_enqueued_batches"] or 0,
        num_batch_threads=numbers["num_batch_threads"] or cpus(),
        allowed_batch_sizes=allowed,
        pad_variable_length_inputs=found.pad_variable_length_inputs,
    )


def read_tls(path: Path) -> Tls:
    """An SSL file: the PEM texts themselves, not their paths. Raises: ServerError."""
    found = _read(path, "SSLConfig")
    for name in ("server_key", "server_cert", *(["custom_ca"] if found.client_verify else [])):
        text = getattr(found, name)
        if "-----BEGIN" not in text:
            raise ServerError(
                f"{path}: {name} {'is empty' if not text else 'holds no PEM block'}. Expected the text of the PEM file "
                f"itself, its lines joined by \\n, as TF Serving has it, not the file's path."
            )
    return Tls(
        key=found.server_key.encode(),
        certificate=found.server_cert.encode(),
        ca=found.custom_ca.encode(),
        verify_clients=found.client_verify,
    )


def read_monitoring(path: Path) -> str | None:
    """The path at which metrics are shown; None where they are not. Raises: ServerError."""
    found = _read(path, "MonitoringConfig").prometheus_config
    if found.path and not found.path.startswith("/"):
        raise ServerError(
            f"{path}: path is {found.path!r}; expected a path of a URL, such as {PROMETHEUS_PATH}."
        )
    return (found.path or PROMETHEUS_PATH) if found.enable else None


def _read(path: Path, name: str) -> Any:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), _classes()[name]())
    except OSError as error:
        raise ServerError(
            f"{path} cannot be read: {error.strerror}. Expected a text file of {name}."
        ) from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServerError(
            f"Invalid protobuf file: '{path}': {error}. Expected the text format of TF Serving's {name}, with the "
            f"fields {', '.join(_MESSAGES[name])}."
        ) from error


@cache
def _classes() -> dict[str, Any]:
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
