"""The one door to transformers, its TF classes, and the tokenizer libraries.

Two environment variables must be set before the first import, and nowhere else:
- TF_USE_LEGACY_KERAS: the TF classes are Keras 2 models, and `tf.keras` must mean tf-keras to them.
- USE_TORCH=0: transformers imports torch if it is installed. A current torch brings a triton whose
  LLVM aborts the process beside TensorFlow 2.21 ("Option 'bitcode-mdindex-threshold' registered
  more than once").
"""

import functools
import inspect
import json
import os
import warnings
from pathlib import Path
from typing import Any

from tfclf.errors import CheckpointError, MissingExtraError

# Transformer-XL's; its tokenizer unpickles it if an environment variable says so.
_PICKLED_VOCABULARY = "vocab.pkl"
# JSON files in which a checkpoint can name Python code of its own, under the key `auto_map`.
_NAME_CODE = ("config.json", "tokenizer_config.json")


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


def load_pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """Call `kind.from_pretrained` on a folder: the only place that does so.

    A checkpoint's own code never runs, nothing is asked on standard input, and nothing is fetched.

    Args:
      kind: a class of transformers, or the name of one, e.g. "AutoTokenizer".
    Raises: CheckpointError if the checkpoint needs code of its own; and whatever transformers
      raises.
    """
    refuse_own_code(folder)
    options |= {"trust_remote_code": False, "local_files_only": True}
    if isinstance(kind, str):
        kind = getattr(transformers(), kind)
    with warnings.catch_warnings():
        # transformers warns of deprecated or converted parts; the caller can do nothing about them.
        warnings.simplefilter("ignore")
        return kind.from_pretrained(folder, **options)


def refuse_own_code(folder: Path) -> None:
    """Refuse a checkpoint that names Python code of its own. Raises: CheckpointError.

    transformers would ask on standard input whether to run it, and take the first text there for
    the answer. Without that code it would silently take a class of its own instead.
    """
    if (folder / _PICKLED_VOCABULARY).exists():
        raise CheckpointError(
            f"{folder / _PICKLED_VOCABULARY} is a pickle, which can run code of its own; tfclf "
            f"never reads one. Expected tokenizer.json, or another file of plain data; remove it "
            f"if the tokenizer does without."
        )
    for name in _NAME_CODE:
        try:
            content = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # the readers of these files say what is wrong with them
        code = content.get("auto_map") if isinstance(content, dict) else None
        if code:
            raise CheckpointError(
                f"{folder / name}: auto_map names Python code of the checkpoint's own "
                f"({json.dumps(code):.200}), which tfclf never runs (trust_remote_code=False). "
                f"Expected a class of transformers itself. If training used such a class, remove "
                f"auto_map from the file; otherwise nothing but that code can run the checkpoint."
            )


def tf_class(name: str) -> Any:
    """Return the class `name` of transformers, e.g. TFDistilBertForSequenceClassification."""
    return getattr(transformers(), name)


def takes_token_types(model: Any) -> bool:
    """Return whether a TF class has an input for token types. Its tokenizer may still give none."""
    return "token_type_ids" in inspect.signature(model.call).parameters
