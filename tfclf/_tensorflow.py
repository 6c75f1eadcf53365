"""The one door to TensorFlow: import it in silence, and load TF-Text's ops for a graph."""

import contextlib
import functools
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfclf.errors import TfclfError, first_line

SHOW_LOGS = "TFCLF_TF_LOGS"  # an environment variable; any value but 0 shows the greeting

_devices_are_due = False  # TensorFlow was imported by `quiet_import`, and has found no devices yet


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Import TensorFlow and find its devices in silence.

    What it wrote is shown only if the block fails, or if TFCLF_TF_LOGS is set.
    """
    with _hide_standard_error():
        import tensorflow as tf

        tf.config.list_physical_devices()
        yield


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import TensorFlow in silence, for a Python program: the first half of `quiet_start`.

    It does not look for devices: that would start CUDA, which a process forked later cannot use.
    A program that has imported TensorFlow itself is left alone.
    """
    global _devices_are_due
    if "tensorflow" in sys.modules:
        yield
        return
    with _hide_standard_error():
        import tensorflow

        _hide_notes_in_notebooks(tensorflow.get_logger())
        yield
    _devices_are_due = True


def find_devices() -> None:
    """Find TensorFlow's devices, in silence after `quiet_import`: the second half."""
    global _devices_are_due
    if not _devices_are_due:
        return
    import tensorflow as tf

    with _hide_standard_error():
        tf.config.list_physical_devices()
    _devices_are_due = False


def use_cores_as_streams(streams: int | None = None) -> int:
    """Let TensorFlow run each batch on one core, and return how many batches to run at a time.

    A core by itself spares the waiting of several cores for one another at each op. Call it in a
    process of tfclf's own, before TensorFlow's first op. With a GPU nothing changes: 1.

    Args:
      streams: by default one for each core that this process may use.
    """
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return streams or 1
    streams = streams or count_cores()
    if streams > 1:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(streams)
        except RuntimeError:  # an op has run here, with threads that stay
            return 1
    return streams


def count_cores() -> int:
    """Return the number of cores that this process may use; its machine may have more."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows cannot bind a process to cores
        return os.cpu_count() or 1


def check_process(process: int, event: str) -> None:
    """Refuse to use TensorFlow in a fork of the process that used it: it would wait for ever.

    >>> check_process(-1, "news was loaded")
    Traceback (most recent call last):
    tfclf.errors.TfclfError: news was loaded in process -1, and this is a forked child of it...

    Raises: TfclfError.
    """
    if os.getpid() != process:
        raise TfclfError(
            f"{event} in process {process}, and this is a forked child of it, {os.getpid()}: "
            f"TensorFlow's threads do not survive a fork, and the call would hang. Load models "
            f"after the fork only, or use multiprocessing.get_context('spawn')."
        )


@contextlib.contextmanager
def _hide_standard_error() -> Iterator[None]:
    """Hide standard error; show it afterwards if the block fails.

    TensorFlow greets from C++, on the descriptor, before any setting of its own is read.
    """
    if _shows_logs():
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(kept, hidden.read())
            raise
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def _hide_notes_in_notebooks(logger: logging.Logger) -> None:
    """Hide TensorFlow's notes below warnings, which it prints in interactive programs only."""
    if _shows_logs() or logger.level != logging.INFO:
        return
    logger.setLevel(logging.WARNING)


def _shows_logs() -> bool:
    return os.environ.get(SHOW_LOGS, "0") not in ("", "0")


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
