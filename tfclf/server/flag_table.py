"""The flags of `python -m tfclf.server`: TF Serving's under their own names, and a few of ours.

Source: TF Serving 2.20, model_servers/main.cc.
"""

import math
from dataclasses import dataclass
from typing import Any

from tfclf.server.limits import Limits


@dataclass(frozen=True)
class Flag:
    """A flag.

    Attributes:
      kind: bool, int, float or str.
      ours: whether TF Serving lacks it.
      least, most: the range of a number; by default TF Serving's int32.
    """

    name: str
    kind: type
    default: Any
    help: str
    ours: bool = False
    least: float = -math.inf
    most: float = (1 << 31) - 1


_LIMITS = Limits()
_LARGEST_PORT = 65_535

FLAGS = (
    Flag("port", int, 8500, "gRPC port; 0 turns gRPC off", least=0, most=_LARGEST_PORT),
    Flag("rest_api_port", int, 0, "REST port; 0 turns REST off", least=0, most=_LARGEST_PORT),
    Flag("grpc_socket_path", str, "", "UNIX socket for gRPC, beside the port"),
    Flag("model_name", str, "default", "name of the model; not with --model_config_file"),
    Flag("model_base_path", str, "", "folder of the model, with a folder for each version"),
    Flag("model_config_file", str, "", "file of a ModelServerConfig, to serve several models"),
    Flag(
        "model_config_file_poll_wait_seconds",
        int,
        0,
        "seconds between checks of that file for changes; 0 reads it only once",
    ),
    Flag(
        "file_system_poll_wait_seconds",
        int,
        1,
        "seconds between checks for new versions; 0 looks only once",
    ),
    Flag(
        "allow_version_labels_for_unavailable_models",
        bool,
        False,
        "accept labels for versions that are not loaded yet",
    ),
    Flag("max_num_load_retries", int, 5, "times to retry a version that could not be loaded"),
    Flag("load_retry_interval_micros", int, 60_000_000, "microseconds between tries", most=1e15),
    Flag("enable_model_warmup", bool, True, "replay a version's warm-up requests before it serves"),
    Flag("num_request_iterations_for_warmup", int, 1, "times to replay each request", least=0),
    Flag(
        "enable_batching",
        bool,
        None,
        "batch the requests of every model; false: of none; by default only of exports of tfclf",
    ),
    Flag("batching_parameters_file", str, "", "file of BatchingParameters, to tune batching"),
    Flag(
        "enable_per_model_batching_parameters",
        bool,
        False,
        "read each version's own batching_params.pbtxt; do not batch a version without one",
    ),
    Flag("ssl_config_file", str, "", "file of an SSLConfig: TLS for gRPC and REST"),
    Flag(
        "monitoring_config_file",
        str,
        "",
        "file of a MonitoringConfig: the path of Prometheus metrics on the REST port",
    ),
    Flag("rest_api_timeout_in_ms", int, 30_000, "time limit of a REST request", least=1),
    Flag(
        "rest_api_num_threads",
        int,
        0,
        "REST threads; 0: 128, or 4 per CPU if that is more",
        least=0,
    ),
    Flag("rest_api_enable_cors_support", bool, False, "send CORS headers in REST responses"),
    Flag("grpc_max_threads", int, 0, "gRPC threads, most of which await a batch; 0: 128", least=0),
    Flag("grpc_channel_arguments", str, "", "key=value,...: arguments to pass to gRPC"),
    Flag("enable_grpc_healthcheck_service", bool, False, "serve gRPC's health checks"),
    Flag(
        "enable_signature_method_name_check",
        bool,
        False,
        "require Classify's and Regress's own method names in signatures",
    ),
    Flag(
        "enable_serialization_as_tensor_content",
        bool,
        False,
        "send Predict's outputs as tensor_content",
    ),
    Flag("saved_model_tags", str, "serve", "tags of the graph to load, separated by commas"),
    Flag(
        "tensorflow_session_parallelism",
        int,
        0,
        "TensorFlow threads, both within and between ops; 0: its own choice",
        least=0,
    ),
    Flag("tensorflow_intra_op_parallelism", int, 0, "threads within an op", least=0),
    Flag("tensorflow_inter_op_parallelism", int, 0, "threads between ops", least=0),
    Flag(
        "per_process_gpu_memory_fraction",
        float,
        0.0,
        "fraction of a GPU's memory to take; 0: TensorFlow's own choice",
        least=0,
        most=1,
    ),
    Flag("version", bool, False, "print the version and exit"),
    Flag(
        "host",
        str,
        "127.0.0.1",
        "address to listen on; TF Serving's is 0.0.0.0, open to the network",
        ours=True,
    ),
    Flag(
        "max_message_bytes",
        int,
        _LIMITS.max_message_bytes,
        "largest request, in bytes",
        ours=True,
        least=1,
    ),
    Flag(
        "max_texts",
        int,
        _LIMITS.max_texts,
        "most strings in one tensor of a request",
        ours=True,
        least=1,
    ),
    Flag(
        "max_text_bytes",
        int,
        _LIMITS.max_text_bytes,
        "most bytes of all strings in one tensor of a request",
        ours=True,
        least=1,
    ),
    Flag(
        "max_concurrent_requests",
        int,
        _LIMITS.max_concurrent_requests,
        "most requests in flight; more are refused",
        ours=True,
        least=1,
    ),
    Flag(
        "reload_roots",
        str,
        "",
        "more folders, separated by commas, from which requests may load models",
        ours=True,
    ),
    Flag(
        "drain_seconds",
        float,
        10.0,
        "time that in-flight requests get after SIGTERM",
        ours=True,
        least=0,
        most=1e9,
    ),
    Flag("log_level", str, "info", "debug (a line per request), info, warning, error", ours=True),
    Flag("log_format", str, "text", "text or json", ours=True),
    Flag("log_texts", bool, False, "at debug level, log the texts of requests too", ours=True),
)

# Flags of TF Serving that this server accepts but does not need, and why.
WITHOUT_EFFECT = {
    "num_load_threads": "models are loaded one after the other, while others answer",
    "num_unload_threads": "models are unloaded one after the other, while others answer",
    "flush_filesystem_caches": "the system frees them by itself",
    "remove_unused_fields_from_bundle_metagraph": "it only saves memory",
    "enable_profiler": "there is no profiler service here",
    "skip_initialize_tpu": "there is no TPU support here",
    "xla_cpu_compilation_enabled": "XLA is always there",
    "xla_gpu_compilation_enabled": "XLA is always there",
    "num_tflite_pools": "there is no TensorFlow Lite here",
    "num_tflite_interpreters_per_pool": "there is no TensorFlow Lite here",
}
# Flags of TF Serving that would change answers and are missing here, and what to use instead.
REFUSED = {
    "use_alts_credentials": "use --ssl_config_file",
    "platform_config_file": (
        "use --enable_batching, --batching_parameters_file and the tensorflow_* flags"
    ),
    "tensorflow_session_config_file": "use the tensorflow_* flags",
    "thread_pool_factory_config_file": "use the tensorflow_* flags",
    "prefer_tflite_model": "only SavedModels are served",
    "mixed_precision": "export with --precision bfloat16",
}
