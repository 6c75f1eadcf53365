"""The one door to transformers, its TF classes, and the tokenizer libraries.

Two environment variables must be set before the first import, and nowhere else:
- TF_USE_LEGACY_KERAS: the TF classes are Keras 2 models, and `tf.keras` must mean tf-keras to them.
- USE_TORCH=0: transformers imports torch if it is installed. A current torch brings a triton whose
  LLVM aborts the process beside TensorFlow 2.21 ("Option 'bitcode-mdindex-threshold' registered
  more than once").
"""

import functools
import inspect
import os
from typing import Any

from tfclf.errors import MissingExtraError


@functools.cache
def transformers() -> Any:
    """Import transformers, quiet, on TensorFlow with Keras 2, without torch.

    Raises: MissingExtraError if transformers or tf-keras is not installed.
    """
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["USE_TORCH"] = "0"
    os.environ["USE_TF"] = "1"
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    try:
        import tf_keras  # noqa: F401  (transformers' own message about its absence is misleading)
    except ImportError as error:
        raise MissingExtraError(
            "tf-keras", extra="checkpoints", purpose="reading a checkpoint"
        ) from error
    try:
        import transformers as package
    except ImportError as error:
        raise MissingExtraError(
            "transformers", extra="checkpoints", purpose="reading a checkpoint"
        ) from error
    package.logging.set_verbosity_error()
    package.logging.disable_progress_bar()
    return package


@functools.cache
def tokenizers() -> Any:
    """Import the Rust tokenizers. Raises: MissingExtraError if they are not installed."""
    try:
        import tokenizers as package
    except ImportError as error:
        raise MissingExtraError(
            "tokenizers", extra="checkpoints", purpose="compiling a tokenizer"
        ) from error
    return package


@functools.cache
def sentencepiece() -> tuple[Any, Any]:
    """Import SentencePiece and its protobuf messages.

    Raises: MissingExtraError if it is not installed.
    """
    try:
        import sentencepiece as package
        from sentencepiece import sentencepiece_model_pb2 as messages
    except ImportError as error:
        raise MissingExtraError(
            "sentencepiece", extra="checkpoints", purpose="compiling a tokenizer"
        ) from error
    return package, messages


def tf_class(name: str) -> Any:
    """Return the class `name` of transformers, e.g. TFDistilBertForSequenceClassification."""
    return getattr(transformers(), name)


def takes_token_types(model: Any) -> bool:
    """Return whether a TF class has an input for token types. Its tokenizer may still give none."""
    return "token_type_ids" in inspect.signature(model.call).parameters
