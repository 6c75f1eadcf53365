"""TF Serving's flags for an export, and the files that they name.

Every version from 2.12 has these flags, except for XLA on a GPU (2.18).
Source: TF Serving, model_servers/main.cc.
"""

import os
from pathlib import Path

from tfclf.errors import InputError
from tfclf.launcher.settings import Settings, format_version
from tfclf.saved_model import signature_names
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.monitoring import PROMETHEUS_PATH

_FIRST_WITH_XLA_ON_GPU = (2, 18)


def build_flags(
    version_folder: Path,
    manifest: Manifest | None,
    settings: Settings,
    files: Path,
    *,
    server_files: str,
    serving: tuple[int, ...] | None,
) -> list[str]:
    """Return the flags for XLA, batching and monitoring, then the user's own.

    They are the same for the program and the container.

    Args:
      version_folder, manifest: the export; only exports of tfclf have a manifest.
      files: the folder to write files to that flags name.
      server_files: the path of that folder as the server sees it.
      serving: TF Serving's version, if known.
    Raises: InputError.
    """
    chosen = [
        # A broken version then fails the start in seconds. TF Serving retries five times, by
        # default a minute apart.
        "--load_retry_interval_micros=1000000",
        *_xla_flags(version_folder, manifest, settings, serving),
    ]
    parameters = _batching_parameters(manifest, settings)
    if parameters is not None:
        (files / "batching.config").write_text(parameters, encoding="utf-8")
        chosen += [
            "--enable_batching=true",
            f"--batching_parameters_file={server_files}/batching.config",
        ]
    if settings.monitoring and settings.rest_port is not None:
        content = f'prometheus_config {{\n  enable: true\n  path: "{PROMETHEUS_PATH}"\n}}\n'
        (files / "monitoring.config").write_text(content, encoding="utf-8")
        chosen.append(f"--monitoring_config_file={server_files}/monitoring.config")
    return [*chosen, *settings.flags]


def _batching_parameters(manifest: Manifest | None, settings: Settings) -> str | None:
    """The content of the batching file; None without batching."""
    if settings.batching_file is not None:
        return _read_text(settings.batching_file)
    batching = settings.batching
    if batching is None:
        batching = manifest is not None
    return batching_parameters() if batching else None


def batching_parameters(threads: int | None = None) -> str:
    """BatchingParameters as text, for this machine.

    serving/config/batching.config gives the reason for each value. It has no allowed_batch_sizes:
    with them TF Serving repeats rows to fill a batch, but an export of tfclf needs no fixed sizes,
    since its XLA signature pads by itself.

    >>> batching_parameters(threads=4).splitlines()[4]
    'num_batch_threads { value: 4 }'
    """
    threads = threads or os.cpu_count() or 1
    return (
        "max_execution_batch_size { value: 32 }\n"
        "enable_large_batch_splitting { value: true }\n"
        "max_batch_size { value: 1024 }\n"
        "batch_timeout_micros { value: 1000 }\n"
        f"num_batch_threads {{ value: {threads} }}\n"
        "max_enqueued_batches { value: 64 }\n"
    )


def _xla_flags(
    version_folder: Path,
    manifest: Manifest | None,
    settings: Settings,
    serving: tuple[int, ...] | None,
) -> list[str]:
    has_signature = manifest is not None and manifest.ladder is not None
    if settings.xla and manifest is not None and not has_signature:
        raise InputError(
            f"{version_folder} has no signature serving_xla, so XLA has nothing to compile. "
            f"Export the model again with the lean engine, or leave --xla out."
        )
    needed = _warm_up_needs_xla(version_folder)
    if needed and settings.xla is False:
        raise InputError(
            f"{version_folder} has warm-up records for serving_xla; without XLA they would fail "
            f"the load. Leave --no-xla out, or export the model again without --xla-warm-up."
        )
    useful = settings.xla is None and settings.gpu and has_signature
    if not (settings.xla or needed or useful):
        return []
    if not settings.gpu:
        return ["--xla_cpu_compilation_enabled=true"]
    if serving is not None and serving < _FIRST_WITH_XLA_ON_GPU:
        raise InputError(
            f"TF Serving {format_version(serving)} has no XLA for GPUs; expected 2.18 or later. "
            f"Take such a version, or pass --no-xla."
        )
    return ["--xla_gpu_compilation_enabled=true"]


def _warm_up_needs_xla(version_folder: Path) -> bool:
    # A record is a serialized PredictRequest: the file holds the signature's name as plain bytes.
    records = version_folder / "assets.extra" / "tf_serving_warmup_requests"
    return records.is_file() and signature_names.SERVING_XLA.encode() in records.read_bytes()


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}. Expected BatchingParameters as text."
        ) from error
