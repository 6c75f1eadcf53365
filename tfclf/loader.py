"""From whatever names a model to a Classifier."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from tfclf._tensorflow import load_text_ops
from tfclf.catalog import resolve as sources
from tfclf.classifier import Classifier
from tfclf.errors import SavedModelError, SourceNotFoundError, first_line
from tfclf.files import list_folder
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.versions import saved_model_folder


def load(
    source: str | Path, *, engine: str = "auto", precision: str = "float32", xla: bool | None = None
) -> Classifier:
    """Loads a classifier.

    >>> tfclf.load("saved_models/distilbert_mini_sequence_classifier_ag_news").labels
    ('World', 'Sports', 'Business', 'Sci/Tech')

    Args:
      source: the folder of an exported model (the newest of its versions, or one version's own
        folder), or of a Hugging Face checkpoint or a KerasHub preset; the folder or the zip of a
        Spark NLP model. Or a name: a card's, its NLU reference, or a hub id, `ORG/NAME`, of what is
        on this machine already; `tfclf pull NAME` gets it.
      engine, precision: for a checkpoint; as `export` takes them. An export has its own.
      xla: whether calls take the signature `serving_xla`, which XLA compiles for the shapes of a
        short ladder; by default where TensorFlow sees a GPU and the model has it.
    Raises: SourceError, TokenizerError; MissingExtraError where a checkpoint needs transformers;
      InputError for `xla=True` where the model has no `serving_xla`.
    """
    found = sources.find(source)
    folder = found.path
    version = saved_model_folder(folder)
    if version is not None:
        return _load_export(version, xla)
    from tfclf.checkpoints import is_checkpoint, open_checkpoint
    from tfclf.graph.build import build
    from tfclf.graph.signatures import signatures_of

    if folder.is_dir() and not is_checkpoint(folder):
        raise SourceNotFoundError(
            f"{source} holds {list_folder(folder)}; expected an exported model (saved_model.pb, or numbered version "
            f"folders with one each) or a checkpoint (config.json, weights, tokenizer files)."
        )
    graph, manifest = build(
        open_checkpoint(folder), name=found.name, engine=engine, precision=precision
    )
    functions = {
        signature.name: _by_keyword(signature.trace(graph), tuple(signature.inputs))
        for signature in signatures_of(graph)
    }
    return Classifier(functions, manifest, owner=graph, xla=xla)


def _load_export(version: Path, xla: bool | None) -> Classifier:
    load_text_ops()
    manifest = Manifest.read(version)
    try:
        loaded = tf.saved_model.load(str(version))
    # IndexError: what TensorFlow makes of a checkpoint file that ends too early.
    except (OSError, ValueError, IndexError, RuntimeError, tf.errors.OpError) as error:
        reason = first_line(error)
        raise SavedModelError(
            f"{version} cannot be loaded: {reason}. A file may be missing or cut short; copy or export it again."
        ) from error
    return Classifier(loaded.signatures, manifest, owner=loaded, xla=xla)


def _by_keyword(
    function: Callable[..., Mapping[str, tf.Tensor]], inputs: Sequence[str]
) -> Callable[..., Mapping[str, tf.Tensor]]:
    return lambda **given: function(*(given[name] for name in inputs))
