"""Checkpoint -> SavedModel, written beside its place, then renamed: never seen half-written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from tfclf._version import __version__, package_versions
from tfclf.catalog import resolve
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.errors import ExportError, InputError, first_line
from tfclf.files import TAKEN, hash_files, new_folder
from tfclf.graph.build import build
from tfclf.graph.serving_graph import ServingGraph
from tfclf.graph.signatures import PREDICT, Signature, signatures_of
from tfclf.saved_model import signature_names as names
from tfclf.saved_model.buckets import Ladder, compose_text
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.ops import serving_versions
from tfclf.saved_model.pieces import write_pieces

_PACKAGES = ("tensorflow", "tensorflow-text", "transformers", "tokenizers")


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
    calibration_texts: Iterable[str] | None = None,
) -> Path:
    """Write a checkpoint as `folder`/`version`, a SavedModel that takes strings.

    >>> import tfclf
    >>> tfclf.export("my_checkpoint", "saved_models/news")  # doctest: +SKIP
    PosixPath('saved_models/news/1')

    Args:
      source: a checkpoint: the folder of a Hugging Face checkpoint or a KerasHub preset, the folder
        or the zip of a Spark NLP model; or its name, as in `tfclf.load`.
      folder: the model's base path for TF Serving; its name becomes the model's.
      version: a whole number above 0; the next free one by default. An existing version is never
        overwritten.
      engine: 'lean' (ours, fast); 'original' (the Hugging Face TF class, traced); or 'auto': lean
        if it can run the model, else original, and the log says why.
      precision: 'float32', 'bfloat16', 'int8' or 'int8_bfloat16', of the arithmetic. int8 is not
        equal to the original: `verify` states how far it agrees. It runs on x86-64 with TensorFlow
        2.17 or later, and is fastest with AVX512-VNNI, AVX-VNNI or AMX. What it does not compute in
        whole numbers is float32, or bfloat16, which is faster on processors that support it.
      storage: number format of the large weights in the file; `precision` by default. 'float16'
        halves a float32 file and is exact only if every weight is a float16 value, as after
        `tfclf train --round-weights float16`.
      ladder: the padding buckets of the signature `serving_xla`; by default lengths that double up
        to the checkpoint's limit.
      xla_warm_up: whether to add warm-up requests for `serving_xla`, one for each usual bucket. A
        server then compiles them, seconds each, before it serves. For servers with a GPU.
      calibration_texts: for int8, 200 or more texts like those that the model will see.
    Returns: the path of the version.
    Raises: ExportError, SourceError, TokenizerError, InputError. Nothing half-written is left.
    """
    base = Path(folder)
    number = choose_version(base, version)
    graph, manifest = build(
        open_checkpoint(resolve.find(source, exports=False).path),
        name=base.resolve().name,
        engine=engine,
        precision=precision,
        storage=storage,
        ladder=ladder,
        calibration_texts=calibration_texts,
    )
    if xla_warm_up and graph.ladder is None:  # with engine="auto", known only now
        if manifest.engine == "lean":
            what, way_out = f"precision={manifest.precision!r}", "precision='float32'"
        else:
            what, way_out = (
                f"engine={manifest.engine!r}",
                "engine='lean' if the checkpoint allows it",
            )
        raise InputError(
            f"{what} has no {names.SERVING_XLA!r} to warm up. Use {way_out}, or leave xla_warm_up "
            f"(--xla-warm-up) out."
        )
    versions = {"tfclf": __version__} | package_versions(*_PACKAGES)
    manifest = dataclasses.replace(manifest, versions=versions)
    places = [base / str(number)]

    def choose_next() -> Path:
        places.append(base / str(choose_version(base, None)))
        return places[-1]

    # Another process may have exported to the same folder since the number was chosen.
    with new_version(places[0], choose_next=None if version else choose_next) as beside:
        _write(graph, manifest, beside, xla_warm_up=xla_warm_up)
    return places[-1]


@contextmanager
def new_version(final: Path, *, choose_next: Callable[[], Path] | None = None) -> Iterator[Path]:
    """Give a folder to write a version to; it becomes `final` once it is whole.

    Args:
      choose_next: gives another place if `final` is taken by then; by default that is an error.
    Raises: ExportError if writing fails; then nothing is left.
    """
    try:
        with new_folder(final, choose_next=choose_next) as beside:
            yield beside
    except (OSError, tf.errors.OpError) as error:
        if getattr(error, "errno", None) in TAKEN:
            raise ExportError(
                f"{final} was written by another process in the meantime, and is left as it is. "
                f"Give another version."
            ) from error
        reason = getattr(error, "strerror", None) or first_line(error)
        raise ExportError(
            f"writing {final} failed: {reason}. Nothing was left there. Free some space or choose "
            f"another folder."
        ) from error


def choose_version(base: Path, version: int | None) -> int:
    """Return the number of a new version in a base path. Raises: ExportError if it is taken."""
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
            f"version is {version!r}; expected a whole number above 0, as in TF Serving."
        )
    if (base / str(version)).exists():
        raise ExportError(
            f"{base / str(version)} exists already. Give another version, or remove it first."
        )
    return version


def _write(graph: ServingGraph, manifest: Manifest, folder: Path, *, xla_warm_up: bool) -> None:
    signatures = signatures_of(graph)
    functions = {signature.name: signature.trace(graph) for signature in signatures}
    root = tf.Module(name="tfclf")
    root.graph = graph
    # Makes the SavedModel callable without tfclf: tf.saved_model.load(path)(["text"]).
    root.__call__ = functions[names.SERVING_DEFAULT]
    # Saving traces the functions. One that was traced before would be traced again for `__call__`,
    # and the file would hold it twice.
    tf.saved_model.save(root, str(folder), signatures=functions)
    _set_method_names(signatures, folder)
    versions = serving_versions(folder / "saved_model.pb")
    buckets = graph.ladder.usual if graph.ladder and xla_warm_up else ()
    for_xla = [[compose_text(length, graph.count_tokens)] * rows for rows, length in buckets]
    _write_warm_up(folder, signatures, for_xla)
    write_pieces(folder, graph.list_pieces())
    manifest = dataclasses.replace(
        manifest, serving_versions=versions, checksums=hash_files(folder)
    )
    manifest.write(folder)


def _set_method_names(signatures: Sequence[Signature], folder: Path) -> None:
    """Name the RPC of each signature.

    TensorFlow 2 names every signature Predict, which TF Serving refuses for Classify and Regress
    with
    --enable_signature_method_name_check.
    """
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    for signature in signatures:
        if signature.method_name != PREDICT:
            updater.replace_method_name(signature.name, signature.method_name)
    updater.save()


def _write_warm_up(
    folder: Path, signatures: Sequence[Signature], for_xla: Sequence[Sequence[str]]
) -> None:
    """Write the requests that TF Serving replays before a version is available.

    Args:
      for_xla: batches of texts for the signature `serving_xla`.
    """
    from tfclf.saved_model.warm_up import encode_predict_record, encode_records

    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in encode_records({signature.name for signature in signatures}):
            writer.write(record)
        for batch in for_xla:
            writer.write(encode_predict_record(batch, signature=names.SERVING_XLA))
