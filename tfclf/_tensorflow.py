"""TF-Text's ops, without its Python package: that one imports Keras, which a SavedModel does not need."""

import functools
import importlib.util
from pathlib import Path

import tensorflow as tf

from tfclf.errors import TfclfError


@functools.cache
def register() -> None:
    """Makes TF-Text's ops known to this process.

    Raises: TfclfError where tensorflow-text is not installed, or is built for another TensorFlow.
    """
    found = importlib.util.find_spec("tensorflow_text")
    folders = (
        [Path(place) / "python" / "ops" for place in (found.submodule_search_locations or ())]
        if found
        else []
    )
    libraries = sorted(library for folder in folders for library in folder.glob("*.so"))
    if not libraries:
        raise TfclfError(
            "tensorflow-text is not installed, and the tokenizer in the graph needs its ops. "
            "Install the version of TensorFlow's own number: pip install tensorflow-text"
        )
    try:
        for library in libraries:
            tf.load_op_library(str(library))
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        raise TfclfError(
            f"{library} does not load into TensorFlow {tf.__version__}: {str(error).splitlines()[0][:200]}. "
            f"tensorflow-text must have TensorFlow's own minor version."
        ) from error
