"""TF Serving's configuration messages that tensorflow-serving-api lacks, built from field lists.

Source: TF Serving, servables/tensorflow/session_bundle_config.proto,
config/monitoring_config.proto, config/ssl_config.proto.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_FILE = "tests/serving_configs.proto"
_WRAPPER = ".google.protobuf."
_FIELDS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "BatchingParameters": {
        "max_batch_size": (1, "Int64Value"),
        "batch_timeout_micros": (2, "Int64Value"),
        "max_enqueued_batches": (3, "Int64Value"),
        "num_batch_threads": (4, "Int64Value"),
        "thread_pool_name": (5, "StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, "BoolValue"),
        "max_execution_batch_size": (9, "Int64Value"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
}


def create_message(name: str) -> Any:
    """Create an empty message of that name."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"tests.{name}"))()


def _build_pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package="tests", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    kinds = descriptor_pb2.FieldDescriptorProto
    scalar = {"bool": kinds.TYPE_BOOL, "string": kinds.TYPE_STRING, "int64": kinds.TYPE_INT64}
    for name, fields in _FIELDS.items():
        declared = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            label = kinds.LABEL_REPEATED if kind.startswith("repeated ") else kinds.LABEL_OPTIONAL
            bare = kind.removeprefix("repeated ")
            if bare in scalar:
                declared.field.add(name=field, number=number, label=label, type=scalar[bare])
            else:
                full = f".tests.{bare}" if bare in _FIELDS else f"{_WRAPPER}{bare}"
                declared.field.add(
                    name=field, number=number, label=label, type=kinds.TYPE_MESSAGE, type_name=full
                )
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)
    return pool


_POOL = _build_pool()
