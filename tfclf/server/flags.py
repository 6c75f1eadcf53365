"""TF Serving's command line, for `python -m tfclf.server`: its flags under their own names, and a few of ours.

A flag that has no effect here says so in the log; one that would change answers and is not there is refused.
Source: TF Serving 2.20, model_servers/main.cc.
"""

import argparse
import difflib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NoReturn

from tfclf._version import __version__
from tfclf.server.limits import Limits

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Flag:
    name: str
    kind: Any
    default: Any
    help: str
    ours: bool = False
    least: float = -math.inf
    most: float = (1 << 31) - 1  # TF Serving's int32


def _bool(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise ValueError(text)
    return values[text.lower()]


_KINDS: dict[Any, tuple[str, str]] = {
    _bool: ("BOOL", "true or false"),
    int: ("N", "a whole number"),
    float: ("X", "a number"),
    str: ("TEXT", "a text"),
}
_LIMITS = Limits()

FLAGS = (
    _Flag("port", int, 8500, "port of gRPC; 0: none", least=0, most=65_535),
    _Flag(
        "rest_api_port", int, 0, "port of REST, another than --port; 0: none", least=0, most=65_535
    ),
    _Flag("grpc_socket_path", str, "", "a UNIX socket for gRPC, besides the port"),
    _Flag("model_name", str, "default", "name of the model; not with --model_config_file"),
    _Flag("model_base_path", str, "", "the model's folder, which holds a folder for each version"),
    _Flag("model_config_file", str, "", "a file of ModelServerConfig, for several models"),
    _Flag(
        "model_config_file_poll_wait_seconds", int, 0, "look at that file again so often; 0: never"
    ),
    _Flag("file_system_poll_wait_seconds", int, 1, "look for new versions so often; 0: once"),
    _Flag(
        "allow_version_labels_for_unavailable_models",
        _bool,
        False,
        "labels for versions that are not loaded yet",
    ),
    _Flag("max_num_load_retries", int, 5, "how often loading a version is tried again"),
    _Flag("load_retry_interval_micros", int, 60_000_000, "the time between two tries", most=1e15),
    _Flag(
        "enable_model_warmup", _bool, True, "replay a version's warm-up requests before it serves"
    ),
    _Flag("num_request_iterations_for_warmup", int, 1, "how often each is replayed", least=0),
    _Flag(
        "enable_batching",
        _bool,
        None,
        "batch requests of every model; false: of none; by default of exports of tfclf",
    ),
    _Flag("batching_parameters_file", str, "", "a file of BatchingParameters"),
    _Flag(
        "enable_per_model_batching_parameters",
        _bool,
        False,
        "a version's own batching_params.pbtxt, where it has one",
    ),
    _Flag("ssl_config_file", str, "", "a file of SSLConfig: TLS for gRPC, and for REST too"),
    _Flag(
        "monitoring_config_file",
        str,
        "",
        "a file of MonitoringConfig: Prometheus metrics on the REST port",
    ),
    _Flag("rest_api_timeout_in_ms", int, 30_000, "a REST request's time limit", least=1),
    _Flag("rest_api_num_threads", int, 0, "threads for REST; 0: four for each CPU", least=0),
    _Flag("rest_api_enable_cors_support", _bool, False, "CORS headers in REST answers"),
    _Flag(
        "grpc_max_threads",
        int,
        0,
        "threads that answer gRPC; 0: 128, for most of them wait for their batch",
        least=0,
    ),
    _Flag("grpc_channel_arguments", str, "", "key=value,...: passed to gRPC"),
    _Flag("enable_grpc_healthcheck_service", _bool, False, "gRPC's health service"),
    _Flag(
        "enable_signature_method_name_check",
        _bool,
        False,
        "Classify and Regress want their own method names",
    ),
    _Flag(
        "enable_serialization_as_tensor_content",
        _bool,
        False,
        "answers of Predict in tensor_content",
    ),
    _Flag("saved_model_tags", str, "serve", "tags of the graph to load, with commas"),
    _Flag(
        "tensorflow_session_parallelism",
        int,
        0,
        "TensorFlow's threads, both kinds; 0: its choice",
        least=0,
    ),
    _Flag("tensorflow_intra_op_parallelism", int, 0, "its threads within an op", least=0),
    _Flag("tensorflow_inter_op_parallelism", int, 0, "its threads between ops", least=0),
    _Flag(
        "per_process_gpu_memory_fraction",
        float,
        0.0,
        "of a GPU's memory; 0: TensorFlow's choice",
        least=0,
        most=1,
    ),
    _Flag("version", _bool, False, "show the version and end"),
    _Flag(
        "host",
        str,
        "127.0.0.1",
        "address to listen on; TF Serving's is 0.0.0.0, open to the network",
        ours=True,
    ),
    _Flag(
        "max_message_bytes",
        int,
        _LIMITS.max_message_bytes,
        "bytes in a request",
        ours=True,
        least=1,
    ),
    _Flag(
        "max_texts", int, _LIMITS.max_texts, "strings in a tensor of a request", ours=True, least=1
    ),
    _Flag(
        "max_text_bytes",
        int,
        _LIMITS.max_text_bytes,
        "bytes of all strings of such a tensor",
        ours=True,
        least=1,
    ),
    _Flag(
        "max_concurrent_requests",
        int,
        _LIMITS.max_concurrent_requests,
        "requests at once; more are refused",
        ours=True,
        least=1,
    ),
    _Flag(
        "reload_roots",
        str,
        "",
        "folders, with commas, from which requests may load models too",
        ours=True,
    ),
    _Flag(
        "drain_seconds",
        float,
        10.0,
        "time for requests under way after SIGTERM",
        ours=True,
        least=0,
        most=1e9,
    ),
    _Flag("log_level", str, "info", "debug: one line a request; info, warning, error", ours=True),
    _Flag("log_format", str, "text", "text or json", ours=True),
    _Flag("log_texts", _bool, False, "at debug level, show the texts of requests too", ours=True),
)

# By flag: what TF Serving does with it and this server need not.
_WITHOUT_EFFECT = {
    "num_load_threads": "models are loaded one after the other, while others answer",
    "num_unload_threads": "models are unloaded one after the other, while others answer",
    "flush_filesystem_caches": "the system frees them by itself",
    "remove_unused_fields_from_bundle_metagraph": "memory alone",
    "enable_profiler": "there is no profiler service here",
    "skip_initialize_tpu": "there is no TPU support here",
    "xla_cpu_compilation_enabled": "XLA is always there",
    "xla_gpu_compilation_enabled": "XLA is always there",
    "num_tflite_pools": "there is no TensorFlow Lite here",
    "num_tflite_interpreters_per_pool": "there is no TensorFlow Lite here",
}
_REFUSED = {
    "use_alts_credentials": "use --ssl_config_file",
    "platform_config_file": "use --enable_batching, --batching_parameters_file and the tensorflow_* flags",
    "tensorflow_session_config_file": "use the tensorflow_* flags",
    "thread_pool_factory_config_file": "use the tensorflow_* flags",
    "prefer_tflite_model": "only SavedModels are served",
    "mixed_precision": "export with --precision bfloat16",
}
_OFF = {"", "false", "0"}


class _Parser(argparse.ArgumentParser):
    """Its usage fills a screen, above which what is wrong would be out of sight."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. --help shows every flag.\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The values of all flags of `FLAGS`.

    As TF Serving's own parser: `--flag=value`, and a bare `--flag` for true. Ends the program with what is wrong,
    exit code 2, where a flag is unknown, cannot be had here, has no such value or contradicts another.
    """
    parser = _Parser(
        prog="python -m tfclf.server",
        usage="python -m tfclf.server --model_base_path=FOLDER [--flag=value ...]",
        description="Serves SavedModels over gRPC and REST, with TF Serving's flags.",
        epilog="Example: python -m tfclf.server --port=8500 --rest_api_port=8501 --model_name=demo "
        '--model_base_path="$PWD/saved_models/demo"',
        allow_abbrev=False,
    )
    theirs, ours = (
        parser.add_argument_group("flags of TF Serving"),
        parser.add_argument_group("flags of tfclf"),
    )
    for flag in FLAGS:
        bare: dict[str, Any] = {"nargs": "?", "const": "true"} if flag.kind is _bool else {}
        shown = f" (default: {str(flag.default).lower() if flag.kind is _bool else flag.default})"
        (ours if flag.ours else theirs).add_argument(
            f"--{flag.name}",
            metavar=_KINDS[flag.kind][0],
            help=flag.help + (shown if flag.default not in {"", None} else ""),
            **bare,
        )
    for name in (*_WITHOUT_EFFECT, *_REFUSED):
        parser.add_argument(
            f"--{name}", nargs="?", const="true", default=None, help=argparse.SUPPRESS
        )
    found, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_unknown(unknown[0]))
    for name, reason in _REFUSED.items():
        if (getattr(found, name) or "").lower() not in _OFF:
            parser.error(f"--{name} is not there in this server: {reason}")
    for flag in FLAGS:
        setattr(found, flag.name, _value(parser, flag, getattr(found, flag.name)))
    _check(parser, found)
    return found


def warn_of_flags_without_effect(found: argparse.Namespace) -> None:
    """Once logging is set up."""
    for name, reason in _WITHOUT_EFFECT.items():
        if getattr(found, name) is not None:
            _log.warning("--%s has no effect in this server: %s", name, reason)
    if found.model_config_file and found.model_base_path:
        _log.warning("--model_base_path has no effect: --model_config_file says what to serve")
    if found.enable_per_model_batching_parameters and not found.enable_batching:
        _log.warning(
            "--enable_per_model_batching_parameters has no effect without --enable_batching"
        )
    if found.log_texts and found.log_level != "debug":
        _log.warning("--log_texts has no effect without --log_level=debug")


def versions() -> str:
    """What `--version` shows."""
    return f"tfclf: {__version__}\nTensorFlow Library: {version('tensorflow')}"


def _unknown(argument: str) -> str:
    if not argument.startswith("-"):
        return (
            f"unknown argument: {argument}. Expected --flag=value. To serve a folder, write "
            f"--model_base_path={argument}, or `tfclf serve {argument}`"
        )
    name = argument.lstrip("-").partition("=")[0]
    names = [*(flag.name for flag in FLAGS), *_WITHOUT_EFFECT, *_REFUSED]
    near = difflib.get_close_matches(name.replace("-", "_"), names, n=1)
    return f"unknown argument: {argument}" + (f", perhaps meant: --{near[0]}" if near else "")


def _value(parser: argparse.ArgumentParser, flag: _Flag, text: str | None) -> Any:
    if text is None:
        return flag.default
    try:
        value = flag.kind(text)
    except ValueError:
        parser.error(f"--{flag.name} is {text!r}; expected {_KINDS[flag.kind][1]}")
    if flag.kind in {int, float} and not flag.least <= value <= flag.most:  # nan is refused too
        least = f"from {flag.least:g} " if flag.least > -math.inf else ""
        most = f"{flag.most:,.0f}"
        parser.error(f"--{flag.name} is {text}; expected {_KINDS[flag.kind][1]} {least}to {most}")
    return value


def _check(parser: argparse.ArgumentParser, found: argparse.Namespace) -> None:
    """What TF Serving refuses is refused in its words. Source: server.cc, BuildAndStart."""
    if found.version:
        return
    if not (found.port or found.grpc_socket_path or found.rest_api_port):
        parser.error(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set: give --port, "
            "--grpc_socket_path or --rest_api_port"
        )
    if not found.model_base_path and not found.model_config_file:
        parser.error(
            "Both server_options.model_base_path and server_options.model_config_file are empty! Say what to serve: "
            "--model_base_path=FOLDER, which holds FOLDER/1/saved_model.pb, or --model_config_file=FILE"
        )
    if found.batching_parameters_file and not found.enable_batching:
        parser.error(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true: "
            "add --enable_batching, or leave --batching_parameters_file out"
        )
    if found.port and found.port == found.rest_api_port:
        parser.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port for HTTP/REST API: "
            f"--port and --rest_api_port are both {found.port}"
        )
    if found.monitoring_config_file and not found.rest_api_port:
        parser.error("--monitoring_config_file needs --rest_api_port, where the metrics are shown")
    if found.tensorflow_session_parallelism and (
        found.tensorflow_intra_op_parallelism or found.tensorflow_inter_op_parallelism
    ):
        parser.error(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) "
            "separately. You cannot configure all"
        )
    if found.log_level not in {"debug", "info", "warning", "error"}:
        parser.error(f"--log_level is {found.log_level!r}; expected debug, info, warning or error")
    if found.log_format not in {"text", "json"}:
        parser.error(f"--log_format is {found.log_format!r}; expected text or json")
