"""The program behind `python -m tfclf.server`: from parsed flags to a running server."""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from tfclf.errors import ServerError
from tfclf.saved_model.monitoring import PROMETHEUS_PATH
from tfclf.server import flags, logs
from tfclf.server.config_files import DEFAULT_BATCHING, read_batching, read_monitoring, read_tls
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.lifecycle.model_config import (
    ConfigError,
    check_base_path,
    read_model_config,
    single_model,
)
from tfclf.server.lifecycle.watching import Watching
from tfclf.server.limits import Limits
from tfclf.server.process import ServerOptions
from tfclf.server.runtime.batching import Batching
from tfclf.server.runtime.session import SessionOptions
from tfclf.server.start import start

_log = logging.getLogger(__name__)

_INT32 = range(-(1 << 31), 1 << 31)


def run(parsed: argparse.Namespace) -> int:
    """Serve until a signal. Returns: the exit code. Raises: TfclfError if it cannot start."""
    logs.configure(level=parsed.log_level, format=parsed.log_format)
    flags.warn_of_flags_without_effect(parsed)
    options = _server_options(parsed)
    with (
        start(
            _models(parsed),
            loader=_loader(parsed),
            options=options,
            watching=_watching(parsed),
            observers=[logs.text_log()] if parsed.log_texts else [],
        ) as server,
        # Signals are handled before the line in the log that tells others to go ahead.
        server.signals() as received,
    ):
        logs.announce(f"serving {server}")
        for hint in _hints(parsed):
            _log.info("%s", hint)
        received.get()
    return 0


def _hints(parsed: argparse.Namespace) -> Iterator[str]:
    """Give hints on what users of TF Serving may miss."""
    if not parsed.rest_api_port:
        yield "REST is off; --rest_api_port=8501, say, turns it on"
    if parsed.host in {"127.0.0.1", "::1", "localhost"}:
        yield (
            f"only this machine can connect to {parsed.host}; --host=0.0.0.0 opens the server, "
            f"as TF Serving's is"
        )


def _models(parsed: argparse.Namespace) -> ModelServerConfig:
    if parsed.model_config_file:
        return read_model_config(Path(parsed.model_config_file))
    config = single_model(parsed.model_name or "default", parsed.model_base_path)
    try:
        check_base_path(config.model_config_list.config[0])
    except ConfigError as error:
        raise error.as_server_error("--model_base_path") from error
    return config


def _watching(parsed: argparse.Namespace) -> Watching:
    return Watching(
        poll_seconds=parsed.file_system_poll_wait_seconds,
        config_file=_optional_path(parsed.model_config_file),
        config_poll_seconds=parsed.model_config_file_poll_wait_seconds,
        max_load_retries=parsed.max_num_load_retries,
        retry_seconds=parsed.load_retry_interval_micros / 1e6,
        reload_roots=tuple(Path(root) for root in parsed.reload_roots.split(",") if root),
        labels_for_unavailable=parsed.allow_version_labels_for_unavailable_models,
    )


def _loader(parsed: argparse.Namespace) -> Loader:
    return Loader(
        session=_session_options(parsed),
        check_method_names=parsed.enable_signature_method_name_check,
        tensor_content=parsed.enable_serialization_as_tensor_content,
        batch=parsed.enable_batching is not False,
        batching=_batching(parsed),
        per_model=bool(parsed.enable_batching) and parsed.enable_per_model_batching_parameters,
        warm_up_runs=_warm_up_runs(parsed),
    )


def _session_options(parsed: argparse.Namespace) -> SessionOptions:
    both = parsed.tensorflow_session_parallelism
    return SessionOptions(
        tags=tuple(filter(None, parsed.saved_model_tags.split(","))) or SessionOptions.tags,
        intra_op_threads=both or parsed.tensorflow_intra_op_parallelism,
        inter_op_threads=both or parsed.tensorflow_inter_op_parallelism,
        gpu_memory_fraction=parsed.per_process_gpu_memory_fraction,
    )


def _batching(parsed: argparse.Namespace) -> Batching | None:
    if parsed.batching_parameters_file:
        return read_batching(Path(parsed.batching_parameters_file))
    return DEFAULT_BATCHING if parsed.enable_batching else None


def _warm_up_runs(parsed: argparse.Namespace) -> int:
    if not parsed.enable_model_warmup:
        return 0
    return max(1, int(parsed.num_request_iterations_for_warmup))


def _server_options(parsed: argparse.Namespace) -> ServerOptions:
    # Without a monitoring file TF Serving shows no metrics. They cost nothing, so they are on here.
    monitoring = _optional_path(parsed.monitoring_config_file)
    tls = _optional_path(parsed.ssl_config_file)
    return ServerOptions(
        host=parsed.host,
        port=parsed.port or None,
        rest_port=parsed.rest_api_port or None,
        socket_path=parsed.grpc_socket_path,
        tls=read_tls(tls) if tls else None,
        limits=Limits(
            max_message_bytes=parsed.max_message_bytes,
            max_texts=parsed.max_texts,
            max_text_bytes=parsed.max_text_bytes,
            max_concurrent_requests=parsed.max_concurrent_requests,
        ),
        grpc_threads=parsed.grpc_max_threads,
        rest_threads=parsed.rest_api_num_threads,
        rest_timeout=parsed.rest_api_timeout_in_ms / 1000,
        cors=parsed.rest_api_enable_cors_support,
        metrics_path=read_monitoring(monitoring) if monitoring else PROMETHEUS_PATH,
        health=parsed.enable_grpc_healthcheck_service,
        channel_arguments=_channel_arguments(parsed.grpc_channel_arguments),
        drain_seconds=parsed.drain_seconds,
    )


def _optional_path(text: str) -> Path | None:
    return Path(text) if text else None


def _channel_arguments(text: str) -> tuple[tuple[str, str | int], ...]:
    """Parse `--grpc_channel_arguments`.

    >>> _channel_arguments("grpc.so_reuseport=1,grpc.primary_user_agent=me")
    (('grpc.so_reuseport', 1), ('grpc.primary_user_agent', 'me'))
    """
    arguments: list[tuple[str, str | int]] = []
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not (name and equals):
            raise ServerError(
                f"--grpc_channel_arguments has {part!r}; expected name=value, or several of them "
                f"separated by commas."
            )
        arguments.append((name, _parse_number_or_text(value)))
    return tuple(arguments)


def _parse_number_or_text(value: str) -> int | str:
    """Parse a number if gRPC can take it as one.

    >>> _parse_number_or_text("-1"), _parse_number_or_text(str(1 << 31))
    (-1, '2147483648')
    """
    try:
        number = int(value)
    except ValueError:
        return value
    return number if number in _INT32 else value  # gRPC takes int32 only
