"""Loading a classifier: an exported model, or a checkpoint."""

import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf._tensorflow import check_process, find_devices, load_text_ops, quiet_import

with quiet_import():  # before the modules below, which import TensorFlow, too
    import tensorflow as tf

from tfclf.catalog import cards, resolve
from tfclf.checkpoints.files import has_config_and_weights
from tfclf.classifier import Classifier
from tfclf.errors import (
    InputError,
    SavedModelError,
    SourceNotFoundError,
    first_line,
)
from tfclf.files import list_folder
from tfclf.saved_model.frozen_weights import check_shared_kernels
from tfclf.saved_model.integrity import check_files, check_labels
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.requirements import check_requirements
from tfclf.saved_model.versions import saved_model_folder

if TYPE_CHECKING:
    from tfclf.checkpoints.checkpoint import Checkpoint


_log = logging.getLogger("tfclf")
_first_process: int | None = None  # that loaded a classifier: it runs TensorFlow's threads


def load(
    source: str | Path,
    lang: str | None = None,
    *,
    engine: str = "auto",
    precision: str = "float32",
    xla: bool | None = None,
) -> Classifier:
    """Load a classifier.

    >>> import tfclf
    >>> tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news").labels
    ('World', 'Sports', 'Business', 'Sci/Tech')

    It prints nothing of TensorFlow's start. To see that, set TFCLF_TF_LOGS=1 in the environment.

    Args:
      source: one of these:
        - the folder of an exported model (its newest version is loaded), or of one version;
        - the folder of a Hugging Face checkpoint or a KerasHub preset;
        - the folder or the zip of a Spark NLP model;
        - the name of a model that is on this machine already: a card's name, its NLU reference, or
          a hub id, `ORG/NAME`. `tfclf pull NAME` gets it.
      lang: the card's language, such as "en", for code that names it, as `pretrained` does; it is
        checked.
      engine, precision: for a checkpoint, as in `export`. An export has its own.
      xla: whether calls use the signature `serving_xla`, which XLA compiles for a short list of
        shapes; by default if TensorFlow sees a GPU and the model has the signature.
    Raises: SourceError, TokenizerError; MissingExtraError if a checkpoint needs transformers;
      InputError for `xla=True` if the model has no `serving_xla`, and for another language than
      the card's; TfclfError in a forked process whose parent has loaded a model.
    """
    if lang is not None:
        _check_language(source, lang)
    model = resolve.find(source)
    version = saved_model_folder(model.path)
    if version is not None:
        if version != model.path and has_config_and_weights(model.path):
            _log.warning(
                "%s holds a checkpoint and an export of it or of another one: %s is loaded. If "
                "the checkpoint is newer, export it again.",
                source,
                version,
            )
        return load_export(version, xla=xla)
    # transformers is imported here, and an export does not need it.
    from tfclf.checkpoints.opening import is_checkpoint, open_checkpoint

    if model.path.is_dir() and not is_checkpoint(model.path):
        raise SourceNotFoundError(
            f"{source} holds {list_folder(model.path)}; expected an exported model "
            f"(saved_model.pb, or numbered version folders with one each) or a checkpoint "
            f"(config.json, weights, tokenizer files)."
        )
    classifier = load_checkpoint(
        open_checkpoint(model.path), name=model.name, engine=engine, precision=precision, xla=xla
    )
    classifier.reload = functools.partial(
        _reload, model.path.absolute(), engine=engine, precision=precision, xla=xla
    )
    return classifier


def load_checkpoint(
    checkpoint: "Checkpoint",
    *,
    name: str,
    engine: str = "auto",
    precision: str = "float32",
    xla: bool | None = None,
) -> Classifier:
    """Build a classifier from a checkpoint; the arguments are those of `load`."""
    from tfclf.graph.build import build
    from tfclf.graph.signatures import signatures_of

    _enter_process()
    graph, manifest = build(checkpoint, name=name, engine=engine, precision=precision)
    functions = {
        signature.name: _name_arguments(signature.trace(graph), tuple(signature.inputs))
        for signature in signatures_of(graph)
    }
    return Classifier(functions, manifest, owner=graph, xla=xla)


def load_export(version: Path, *, xla: bool | None = None) -> Classifier:
    """Load the export in a version's own folder. Raises: SavedModelError, InputError."""
    _enter_process()
    load_text_ops()
    manifest = Manifest.read(version)
    check_shared_kernels(manifest, source=version)
    check_requirements(manifest, source=version, tensorflow=tf.__version__)
    check_files(manifest, source=version)
    try:
        loaded = tf.saved_model.load(str(version))
    # TensorFlow raises IndexError for a checkpoint file that ends too early.
    except (OSError, ValueError, IndexError, RuntimeError, tf.errors.OpError) as error:
        raise SavedModelError(
            f"{version} cannot be loaded: {first_line(error)}. A file may be missing or cut short; "
            f"copy or export it again."
        ) from error
    check_labels(manifest, loaded.signatures, source=version)
    classifier = Classifier(loaded.signatures, manifest, owner=loaded, xla=xla)
    classifier.reload = functools.partial(_reload, version.absolute(), xla=xla)
    return classifier


def _reload(path: Path, **options: Any) -> Classifier:
    """Load a pickled classifier again, from the path of its model."""
    if not path.exists():
        raise SourceNotFoundError(
            f"{path}: there is no such folder or file. A pickled classifier holds the path of its "
            f"model, not the model. Expected the model there on this machine, too: copy it there, "
            f"or call tfclf.load with the path that it has here."
        )
    return load(path, **options)


def _check_language(source: str | Path, lang: str) -> None:
    if not cards.is_name(source):
        raise InputError(
            f"lang is {lang!r}, and {source} is not the name of a card, so its language is not "
            f"known. Leave lang out."
        )
    language = cards.find(str(source)).language
    if lang != language:
        raise InputError(
            f"lang is {lang!r}, and the card {source} says {language!r}. "
            f"Give {language!r}, or leave lang out; `tfclf cards` lists the other models."
        )


def _enter_process() -> None:
    """Start TensorFlow in this process, once.

    Raises: TfclfError if the parent process has loaded a model: TensorFlow would hang.
    """
    global _first_process
    find_devices()
    if _first_process is None:
        _first_process = os.getpid()
    check_process(_first_process, "a model was loaded")


def _name_arguments(
    function: Callable[..., Mapping[str, tf.Tensor]], inputs: Sequence[str]
) -> Callable[..., Mapping[str, tf.Tensor]]:
    """Return the function with keyword arguments, as a SavedModel's signatures have them."""
    return lambda **given: function(*(given[name] for name in inputs))
