"""Classifier -> SavedModel: written beside, checked, then renamed, so that no half of one is ever seen."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from tfclf._version import __version__, package_versions
from tfclf.checkpoints import open_checkpoint
from tfclf.errors import ExportError, InputError
from tfclf.files import hash_files
from tfclf.graph.build import build
from tfclf.graph.serving_graph import ServingGraph
from tfclf.graph.signatures import PREDICT, Signature, signatures_of
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model import signature_names as names
from tfclf.saved_model.buckets import Ladder, compose_text
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.ops import serving_versions

_PACKAGES = ("tensorflow", "tensorflow-text", "transformers", "tokenizers")
# Rows in a warm-up request: one text as a single client sends, and a batch, which takes the graph's other branch.
_WARM_UP = (1, 8)


def export(
    source: str | Path,
    folder: str | Path,
    *,
    version: int | None = None,
    engine: str = "auto",
    precision: str = "float32",
    storage: str | None = None,
    ladder: Ladder | None = None,
    xla_warm_up: bool = False,
) -> Path:
    """Writes a checkpoint as `folder`/`version`, a SavedModel that takes strings.

    >>> tfclf.export("my_checkpoint", "saved_models/news")
    PosixPath('saved_models/news/1')

    Args:
      source: the folder of a Hugging Face checkpoint or a KerasHub preset.
      folder: the model's base path, as TF Serving has it; its name is the model's.
      version: a whole number above 0; the next free one by default. One that is there is never
        overwritten.
      engine: 'lean' (ours, fast), 'original' (the Hugging Face TF class, traced), or 'auto': lean,
        but original where lean cannot run the model; the log then says why.
      precision: 'float32' or 'bfloat16', of the arithmetic.
      storage: of the large weights in the file; `precision` by default. 'float16' halves a float32
        file and is exact only where every weight is a float16 value, as after `tfclf train
        --round-weights float16`.
      ladder: the shapes of the signature `serving_xla`; by default lengths that double up to the
        checkpoint's limit.
      xla_warm_up: adds warm-up requests to `serving_xla`, one for each usual rung of the ladder: a
        server then compiles them, seconds each, before it serves. For servers with a GPU.
    Returns: the path of the version.
    Raises: ExportError, SourceError, TokenizerError, InputError. Nothing half-written is left.
    """
    base = Path(folder)
    number = _version_number(base, version)
    graph, manifest = build(
        open_checkpoint(source),
        name=base.resolve().name,
        engine=engine,
        precision=precision,
        storage=storage,
        ladder=ladder,
    )
    if xla_warm_up and graph.ladder is None:  # known only now where the engine is chosen by itself
        raise InputError(
            f"engine={manifest.engine!r} has no {names.SERVING_XLA!r} to warm up. "
            f"Use engine='lean' where the checkpoint allows it, or leave xla_warm_up (--xla-warm-up) out."
        )
    final = base / str(number)
    existed = base.exists()
    try:
        base.mkdir(parents=True, exist_ok=True)
        # A name that is no number: TF Serving and `load` pass it over.
        beside = Path(tempfile.mkdtemp(prefix=f".{number}-", dir=base))
    except OSError as error:
        raise ExportError(
            f"{base} cannot be written to: {error.strerror or error}. Choose another folder."
        ) from error
    try:
        _write(
            graph,
            dataclasses.replace(
                manifest, versions={"tfclf": __version__} | package_versions(*_PACKAGES)
            ),
            beside,
            xla_warm_up=xla_warm_up,
        )
        beside.chmod(0o755)
        beside.rename(final)
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ExportError(
            f"writing {final} failed: {reason}. Nothing was left there. Free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        if not existed and not final.exists():
            base.rmdir()
    return final


def _version_number(base: Path, version: int | None) -> int:
    if base.exists() and not base.is_dir():
        raise ExportError(f"{base} is a file; expected the folder that holds a model's versions.")
    if (base / "saved_model.pb").is_file():
        raise ExportError(
            f"{base} is one version's folder; give the folder above it: {base.parent}"
        )
    if version is None:
        taken = [int(entry.name) for entry in base.glob("*") if entry.name.isdecimal()]
        return max(taken, default=0) + 1
    if not isinstance(version, int) or version < 1:
        raise ExportError(
            f"version is {version!r}; expected a whole number above 0, as TF Serving has it."
        )
    if (base / str(version)).exists():
        raise ExportError(
            f"{base / str(version)} is there already. Give another version, or remove it first."
        )
    return version


def _write(graph: ServingGraph, manifest: Manifest, folder: Path, *, xla_warm_up: bool) -> None:
    signatures = signatures_of(graph)
    functions = {signature.name: signature.trace(graph) for signature in signatures}
    root = tf.Module(name="tfclf")
    root.graph = graph
    # So that the SavedModel is callable without us: tf.saved_model.load(path)(["text"]).
    root.__call__ = functions[names.SERVING_DEFAULT]
    # Traced while it is saved: what was traced before would be traced again for `__call__`, and be there twice.
    tf.saved_model.save(root, str(folder), signatures=functions)
    _set_method_names(signatures, folder)
    versions = serving_versions(folder / "saved_model.pb")
    rungs = graph.ladder.usual if graph.ladder and xla_warm_up else ()
    for_xla = [[compose_text(length, graph.count_tokens)] * rows for rows, length in rungs]
    _write_warm_up(folder, signatures, for_xla)
    manifest = dataclasses.replace(
        manifest, serving_versions=versions, checksums=hash_files(folder)
    )
    manifest.write(folder)


def _set_method_names(signatures: Sequence[Signature], folder: Path) -> None:
    """TensorFlow 2 names every signature Predict; TF Serving with --enable_signature_method_name_check asks."""
    names = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    for signature in signatures:
        if signature.method_name != PREDICT:
            names.replace_method_name(signature.name, signature.method_name)
    names.save()


def _write_warm_up(
    folder: Path, signatures: Sequence[Signature], for_xla: Sequence[Sequence[str]]
) -> None:
    """Requests that TF Serving replays before it calls a version available; `for_xla` goes to that signature."""
    from tfclf.saved_model.warm_up import encode_predict_record, encode_records

    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for rows in _WARM_UP:
            texts = [HEADLINES[index % len(HEADLINES)] for index in range(rows)]
            for record in encode_records(texts, {signature.name for signature in signatures}):
                writer.write(record)
        for rung in for_xla:
            writer.write(encode_predict_record(rung, signature=names.SERVING_XLA))
