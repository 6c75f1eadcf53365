"""From TF Serving's flags to a running server."""

import argparse
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import ServerError
from tfclf.server import flags, logs
from tfclf.server.config_files import UNSAID_BATCHING, read_batching, read_monitoring, read_tls
from tfclf.server.lifecycle.model_config import (
    ConfigError,
    check_base_path,
    read_model_config,
    single_model,
)
from tfclf.server.limits import Limits
from tfclf.server.process import ServerOptions
from tfclf.server.runtime.batching import Batching
from tfclf.server.runtime.session import SessionOptions
from tfclf.server.start import start

_log = logging.getLogger(__name__)

_INT32 = range(-(1 << 31), 1 << 31)


def run(found: argparse.Namespace) -> int:
    """Serves until a signal. Returns: the exit code. Raises: TfclfError where it cannot start."""
    logs.configure(level=found.log_level, format=found.log_format)
    flags.warn_of_flags_without_effect(found)
    options = _server_options(found)
    with (
        start(
            _models(found),
            loader_options=_loader_options(found),
            options=options,
            watching=_watching(found),
            observers=[logs.text_log()] if found.log_texts else [],
        ) as server,
        server.signals() as received,  # before the line that tells others to go ahead
    ):
        _log.info("serving %s", server)
        for hint in _hints(found):
            _log.info("%s", hint)
        received.get()
    return 0


def _hints(found: argparse.Namespace) -> Iterator[str]:
    """What users of TF Serving may miss."""
    if not found.rest_api_port:
        yield "REST is off; --rest_api_port=8501, say, turns it on"
    if found.host in {"127.0.0.1", "::1", "localhost"}:
        yield f"only this machine can connect to {found.host}; --host=0.0.0.0 opens the server, as TF Serving's is"


def _models(found: argparse.Namespace) -> ModelServerConfig:
    if found.model_config_file:
        return read_model_config(Path(found.model_config_file))
    config = single_model(found.model_name or "default", found.model_base_path)
    try:
        check_base_path(config.model_config_list.config[0])
    except ConfigError as error:
        raise error.as_server_error("--model_base_path") from error
    return config


def _watching(found: argparse.Namespace) -> Mapping[str, Any]:
    return {
        "poll_seconds": found.file_system_poll_wait_seconds,
        "config_file": Path(found.model_config_file) if found.model_config_file else None,
        "config_poll_seconds": found.model_config_file_poll_wait_seconds,
        "max_load_retries": found.max_num_load_retries,
        "retry_seconds": found.load_retry_interval_micros / 1e6,
        "reload_roots": [Path(root) for root in found.reload_roots.split(",") if root],
        "labels_for_unavailable": found.allow_version_labels_for_unavailable_models,
    }


def _loader_options(found: argparse.Namespace) -> Mapping[str, Any]:
    both = found.tensorflow_session_parallelism
    session = SessionOptions(
        tags=tuple(filter(None, found.saved_model_tags.split(","))) or SessionOptions.tags,
        intra_op_threads=both or found.tensorflow_intra_op_parallelism,
        inter_op_threads=both or found.tensorflow_inter_op_parallelism,
        gpu_memory_fraction=found.per_process_gpu_memory_fraction,
    )
    batching: Batching | None = None
    if found.batching_parameters_file:
        batching = read_batching(Path(found.batching_parameters_file))
    elif found.enable_batching:
        batching = UNSAID_BATCHING
    return {
        "session": session,
        "check_method_names": found.enable_signature_method_name_check,
        "tensor_content": found.enable_serialization_as_tensor_content,
        "batch": found.enable_batching is not False,
        "batching": batching,
        "per_model": bool(found.enable_batching) and found.enable_per_model_batching_parameters,
        "warm_up_runs": max(1, found.num_request_iterations_for_warmup)
        if found.enable_model_warmup
        else 0,
    }


def _server_options(found: argparse.Namespace) -> ServerOptions:
    # Without a monitoring file TF Serving shows no metrics; here they are shown, for they cost nothing.
    monitoring = Path(found.monitoring_config_file) if found.monitoring_config_file else None
    shown = ServerOptions.metrics_path if monitoring is None else read_monitoring(monitoring)
    return ServerOptions(
        host=found.host,
        port=found.port or None,
        rest_port=found.rest_api_port or None,
        socket_path=found.grpc_socket_path,
        tls=read_tls(Path(found.ssl_config_file)) if found.ssl_config_file else None,
        limits=Limits(**{name: getattr(found, name) for name in Limits.__dataclass_fields__}),
        grpc_threads=found.grpc_max_threads,
        rest_threads=found.rest_api_num_threads,
        rest_timeout=found.rest_api_timeout_in_ms / 1000,
        cors=found.rest_api_enable_cors_support,
        metrics_path=shown,
        health=found.enable_grpc_healthcheck_service,
        channel_arguments=_channel_arguments(found.grpc_channel_arguments),
        drain_seconds=found.drain_seconds,
    )


def _channel_arguments(text: str) -> tuple[tuple[str, str | int], ...]:
    arguments: list[tuple[str, str | int]] = []
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (name and equals):
            raise ServerError(
                f"--grpc_channel_arguments has {part!r}; expected name=value, several with commas."
            )
        arguments.append((name, _whole_number_or_text(value)))
    return tuple(arguments)


def _whole_number_or_text(value: str) -> int | str:
    try:
        number = int(value)
    except ValueError:
        return value
    return number if number in _INT32 else value  # gRPC's numbers are of that size
