"""The one door to TensorFlow: import it in silence, and load TF-Text's ops for a graph."""

import contextlib
import functools
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfclf.errors import TfclfError, first_line


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Import TensorFlow and find its devices in silence.

    TensorFlow greets on standard error from C++, before any setting of its own is read. What it
    wrote is shown only if the block fails.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as greeting:
        os.dup2(greeting.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
            yield
        except BaseException:
            greeting.seek(0)
            os.write(kept, greeting.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@functools.cache
def load_text_ops() -> None:
    """Load TF-Text's ops into this process.

    Its Python package is not imported: that imports Keras, which a SavedModel does not need.

    Raises: TfclfError if tensorflow-text is not installed, or is built for another TensorFlow.
    """
    import tensorflow as tf

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
            f"{library} does not load into TensorFlow {tf.__version__}: "
            f"{first_line(error, longest=200)}. "
            f"Install tensorflow-text of the same minor version."
        ) from error
