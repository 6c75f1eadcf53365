"""TF Serving's flags for an export, and the files that they name.

Source: TF Serving, model_servers/main.cc. Only flags that every version from 2.12 has, but for XLA on a GPU (2.18).
"""

import os
from pathlib import Path

from tfclf.errors import InputError
from tfclf.launcher.settings import Settings
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.monitoring import PROMETHEUS_PATH

_FIRST_WITH_XLA_ON_GPU = (2, 18)


def flags(
    version_folder: Path,
    manifest: Manifest | None,
    settings: Settings,
    files: Path,
    *,
    shown: str,
    serving: tuple[int, ...] | None,
) -> list[str]:
    """Those that do not depend on where the server runs: XLA, batching, monitoring, and the user's own.

    Args:
      version_folder, manifest: the export; a SavedModel of others has no manifest.
      files: where to write files that flags name.
      shown: where the server sees `files`.
      serving: TF Serving's version, if known.
    Raises: InputError.
    """
    chosen = [
        # A version that cannot be loaded ends the start in seconds; TF Serving's own pause is a minute, five times.
        "--load_retry_interval_micros=1000000",
        *_xla_flags(version_folder, manifest, settings, serving),
    ]
    if settings.batching_file is not None:
        (files / "batching.config").write_text(_text_of(settings.batching_file), encoding="utf-8")
    elif settings.batching if settings.batching is not None else manifest is not None:
        (files / "batching.config").write_text(batching_parameters(), encoding="utf-8")
    if (files / "batching.config").exists():
        chosen += ["--enable_batching=true", f"--batching_parameters_file={shown}/batching.config"]
    if settings.monitoring and settings.rest_port is not None:
        content = f'prometheus_config {{\n  enable: true\n  path: "{PROMETHEUS_PATH}"\n}}\n'
        (files / "monitoring.config").write_text(content, encoding="utf-8")
        chosen.append(f"--monitoring_config_file={shown}/monitoring.config")
    return [*chosen, *settings.flags]


def batching_parameters(threads: int | None = None) -> str:
    """BatchingParameters as text, for this machine; serving/config/batching.config says why these.

    No allowed_batch_sizes: with them TF Serving repeats rows to fill a batch, and an export of tfclf needs none, its
    XLA signature pads by itself.
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
    has_it = manifest is not None and manifest.ladder is not None
    if settings.xla and manifest is not None and not has_it:
        raise InputError(
            f"{version_folder} has no signature serving_xla, so XLA has nothing to compile. Export the model "
            f"again with the lean engine, or leave --xla out."
        )
    needed = _warm_up_needs_xla(version_folder)
    if needed and settings.xla is False:
        raise InputError(
            f"{version_folder} has warm-up records for serving_xla; without XLA they would fail the load. Leave "
            f"--no-xla out, or export the model again without --xla-warm-up."
        )
    if not (settings.xla or needed or (settings.xla is None and settings.gpu and has_it)):
        return []
    if not settings.gpu:
        return ["--xla_cpu_compilation_enabled=true"]
    if serving is not None and serving < _FIRST_WITH_XLA_ON_GPU:
        raise InputError(
            f"TF Serving {'.'.join(map(str, serving))} has no XLA for GPUs; expected 2.18 or later. "
            f"Take that, or say --no-xla."
        )
    return ["--xla_gpu_compilation_enabled=true"]


def _warm_up_needs_xla(version_folder: Path) -> bool:
    # A record is a serialized PredictRequest, so the signature's name stands in the file as it is.
    records = version_folder / "assets.extra" / "tf_serving_warmup_requests"
    return records.is_file() and b"serving_xla" in records.read_bytes()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} cannot be read: {error}. Expected BatchingParameters as text."
        ) from error
