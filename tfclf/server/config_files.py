"""TF Serving's text files beside models.config: batching, TLS, monitoring.

tensorflow-serving-api does not ship these messages, so their fields are declared here, for protobuf's own parser.
Source: TF Serving, session_bundle_config.proto, ssl_config.proto, monitoring_config.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from tfclf.errors import ServerError
from tfclf.server.runtime.batching import Batching

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
    },
    "SSLConfig": {
        "server_key": (_Field.TYPE_STRING,),
        "server_cert": (_Field.TYPE_STRING,),
        "custom_ca": (_Field.TYPE_STRING,),
        "client_verify": (_Field.TYPE_BOOL,),
    },
    "PrometheusConfig": {"enable": (_Field.TYPE_BOOL,), "path": (_Field.TYPE_STRING,)},
    "MonitoringConfig": {"prometheus_config": (_Field.TYPE_MESSAGE, ".tfclf.serving.PrometheusConfig")},
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


def read_batching(path: Path) -> Batching:
    """A batching file; what it leaves out is TF Serving's default, not ours. Raises: ServerError."""
    found = _read(path, "BatchingParameters")
    # TF Serving, SharedBatchScheduler::QueueOptions.
    values: dict[str, Any] = {
        "max_batch_size": 1_000,
        "max_enqueued_batches": 10,
        "enable_large_batch_splitting": False,
    }
    for one in fields(Batching):
        value = getattr(found, one.name)
        if hasattr(value, "value"):  # a wrapper, which tells 0 from nothing
            if found.HasField(one.name):
                values[one.name] = value.value
        elif one.name == "allowed_batch_sizes":
            values[one.name] = tuple(value)
        else:
            values[one.name] = value
    made = Batching(**values)
    _check_batching(made, path)
    return made


def _check_batching(batching: Batching, path: Path) -> None:
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
        if getattr(batching, name) < 1:
            raise ServerError(f"{path}: {name} is {getattr(batching, name)}; expected a whole number above 0.")
    if batching.batch_timeout_micros < 0:
        raise ServerError(f"{path}: batch_timeout_micros is {batching.batch_timeout_micros}; expected 0 or more.")
    allowed = batching.allowed_batch_sizes
    if allowed and (list(allowed) != sorted(set(allowed)) or allowed[0] < 1 or allowed[-1] != batching.max_batch_size):
        raise ServerError(
            f"{path}: allowed_batch_sizes are {list(allowed)}; expected sizes above 0 that go up and end with "
            f"max_batch_size, {batching.max_batch_size}."
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
        raise ServerError(f"{path}: path is {found.path!r}; expected a path of a URL, such as {PROMETHEUS_PATH}.")
    return (found.path or PROMETHEUS_PATH) if found.enable else None


def _read(path: Path, name: str) -> Any:
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), _classes()[name]())
    except OSError as error:
        raise ServerError(f"{path} cannot be read: {error.strerror}. Expected a text file of {name}.") from error
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServerError(
            f"Invalid protobuf file: '{path}': {error}. Expected the text format of TF Serving's {name}, with the "
            f"fields {', '.join(_MESSAGES[name])}."
        ) from error


@cache
def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfclf/serving.proto", package="tfclf.serving", syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
    )
    for name, declared in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, (kind, *rest)) in enumerate(declared.items(), 1):
            label = _Field.LABEL_REPEATED if "repeated" in rest else _Field.LABEL_OPTIONAL
            type_name = rest[0] if kind == _Field.TYPE_MESSAGE else None
            message.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tfclf.serving.{name}")) for name in _MESSAGES
    }
