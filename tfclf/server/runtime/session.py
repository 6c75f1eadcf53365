"""A SavedModel in a TensorFlow session, run by tensor names, in the same C++ code as TF Serving.

Why not `tf.saved_model.load(...).signatures`? They run whole signatures, check shapes that TF
Serving leaves unchecked (its own tests feed a scalar to x: float32[batch, 1]), word errors
differently, take no timeout and cannot be cancelled. A session computes only what a response needs
and runs TF1 and TF2 models alike. Its DirectSession is TF Serving's, so codes and messages are the
same.
"""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from grpc import StatusCode
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

# Names outside TensorFlow's public API; no other module uses any. The loader: its public alias,
# tf.compat.v1.saved_model.load, prints a deprecation at every start. The session's raw run: the
# public `run` adds a shape check in Python, and construction-time stack traces to messages.
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.saved_model.loader_impl import SavedModelLoader

from tfclf._tensorflow import count_cores
from tfclf.server.status import RequestError, invalid_argument, status_code

_LONGEST_TIMEOUT = (1 << 31) - 1  # milliseconds

# TensorFlow prepares the graph for each choice of outputs and keeps it for ever: 10 MB for the
# bundled model. With n outputs a client could ask for 2**n choices, and for n! orders of them,
# which TensorFlow tells apart.
_MOST_CHOICES = 64


@dataclass(frozen=True)
class SessionOptions:
    """How a SavedModel is loaded and run; 0 leaves the choice to TensorFlow.

    Attributes:
      tags: the tags of the graph to load.
      intra_op_threads, inter_op_threads: threads within an op, and between ops.
      gpu_memory_fraction: the share of each GPU's memory that TensorFlow may take.
      max_runs: runs at once, others wait; 0: four for each CPU. Each run takes memory of its own,
        and many at once gain nothing.
      whole_signatures: a request for some outputs of a signature computes all of them, so no client
        waits until TensorFlow has prepared its choice. For exports of tfclf, where all outputs cost
        what one does.
    """

    tags: tuple[str, ...] = ("serve",)
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0
    max_runs: int = 0
    whole_signatures: bool = False

    def config(self) -> Any:
        """Return the options as TensorFlow's ConfigProto."""
        return tf.compat.v1.ConfigProto(
            allow_soft_placement=True,
            intra_op_parallelism_threads=self.intra_op_threads,
            inter_op_parallelism_threads=self.inter_op_threads,
            gpu_options=tf.compat.v1.GPUOptions(
                per_process_gpu_memory_fraction=self.gpu_memory_fraction
            ),
        )


class Output(NamedTuple):
    """An output of a run. Only the dtype tells quantized numbers from plain ones."""

    array: NDArray[Any]
    dtype: int


class Session:
    """A loaded SavedModel; safe to run from many threads at once.

    Attributes:
      signatures: SignatureDefs by name, as in saved_model.pb.
    """

    def __init__(self, folder: Path, options: SessionOptions | None = None) -> None:
        """Load variables and assets, and run the initialization op.

        Raises: TensorFlow's own errors, which `Servable.load` turns into ours.
        """
        options = options or SessionOptions()
        self._folder = str(folder)
        self._runs = threading.Semaphore(options.max_runs or 4 * count_cores())
        self._choices: dict[tuple[frozenset[str], tuple[str, ...]], None] = {}
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=options.config())
        try:
            meta_graph = SavedModelLoader(self._folder).load(self._session, options.tags)
            # A model without variables and tables has run nothing so far.
            self._session._extend_graph()
        except BaseException:
            self._session.close()
            raise
        self._graph.finalize()
        self.signatures: Mapping[str, SignatureDef] = meta_graph.signature_def
        # All outputs of a signature stay available, whatever clients have asked for before.
        for signature in self.signatures.values():
            fed, outputs = _tensor_names(signature.inputs), _tensor_names(signature.outputs)
            self._choices[fed, tuple(sorted(outputs))] = None
        self._whole = list(self._choices) if options.whole_signatures else []
        self._most_choices = len(self._choices) + _MOST_CHOICES

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        fetches: Sequence[str],
        *,
        timeout: float | None = None,
    ) -> list[Output]:
        """Compute the tensors named by `fetches` from `feeds`, and nothing else.

        Args:
          feeds: arrays by tensor name, such as "serving_default_text:0".
          timeout: seconds, after which the run is cancelled.
        Raises: RequestError with TensorFlow's code and message.
        """
        chosen = self._choose_outputs(feeds, fetches)
        inputs = {self._find_output(name): feeds[name] for name in sorted(feeds)}
        outputs = [self._find_output(name) for name in chosen]
        started = time.monotonic()
        if not self._runs.acquire(timeout=timeout):
            raise RequestError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        left = None if timeout is None else timeout - (time.monotonic() - started)
        options = _make_run_options(left)
        try:
            values = self._session._call_tf_sessionrun(options, inputs, outputs, [], None)
        except tf.errors.OpError as error:
            raise RequestError(
                status_code(error.error_code), self._hide_folder(error.message)
            ) from None
        except UnicodeDecodeError as error:
            # TensorFlow's message quotes bytes that are not UTF-8, so its status is lost to Python.
            # Such bytes come from the request, so the request is at fault.
            raise invalid_argument(
                self._hide_folder(error.object.decode("utf-8", "replace"))
            ) from None
        finally:
            self._runs.release()
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        by_name = dict(zip(chosen, values, strict=True))
        return [Output(_to_array(by_name[name]), self._find_dtype(name)) for name in fetches]

    def close(self) -> None:
        """Cancel running requests and refuse new ones; do not wait."""
        self._session.close()

    def _choose_outputs(self, feeds: Mapping[str, Any], fetches: Sequence[str]) -> tuple[str, ...]:
        """Return the outputs to compute, in sorted order.

        These are the requested ones; or a signature's, which contain them, if signatures are
        computed whole; or, past the limit on choices, an earlier choice that contains them.

        Raises: RequestError if no earlier choice contains the requested outputs.
        """
        fed, wanted = frozenset(feeds), tuple(sorted(set(fetches)))
        if (fed, wanted) in self._choices:
            return wanted
        for other_fed, more in self._whole:
            if other_fed == fed and set(wanted) <= set(more):
                return more
        if len(self._choices) < self._most_choices:  # threads may race, and add a few more
            self._choices[fed, wanted] = None
            return wanted
        for other_fed, more in list(self._choices):
            if other_fed == fed and set(wanted) <= set(more):
                return more
        raise RequestError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"This model was asked for {_MOST_CHOICES} different choices of outputs, and takes no "
            "further one. Ask for all outputs of a signature.",
        )

    def _hide_folder(self, message: str) -> str:
        """Remove the model's path, which messages about missing files contain, from a message."""
        return message.replace(self._folder, ".")

    def _find_operation(self, name: str) -> Any:
        node, index = _split_tensor_name(name)
        try:
            return self._graph.get_operation_by_name(node)
        except (KeyError, ValueError):
            # DirectSession's words, when asked by name; a Python session asks by pointer.
            raise invalid_argument(
                f"Tensor {node}:{index}, specified in either feed_devices or fetch_devices was not "
                "found in the Graph"
            ) from None

    def _find_output(self, name: str) -> Any:
        """Return the TF_Output of a name; DirectSession checks its index."""
        output = pywrap_tf_session.TF_Output()
        output.oper = self._find_operation(name)._c_op
        output.index = _split_tensor_name(name)[1]
        return output

    def _find_dtype(self, name: str) -> int:
        tensor = self._find_operation(name).outputs[_split_tensor_name(name)[1]]
        return int(tensor.dtype.base_dtype.as_datatype_enum)


def _tensor_names(infos: Mapping[str, TensorInfo]) -> frozenset[str]:
    return frozenset(info.name for info in infos.values())


def _split_tensor_name(name: str) -> tuple[str, int]:
    """Split a tensor's name into its operation and the index of the output.

    >>> _split_tensor_name("StatefulPartitionedCall:1"), _split_tensor_name("scores")
    (('StatefulPartitionedCall', 1), ('scores', 0))
    """
    node, colon, index = name.rpartition(":")
    return (node, int(index)) if colon and index.isdecimal() else (name, 0)


def _make_run_options(timeout: float | None) -> Any:
    """Return RunOptions for the C API, to be deleted after use; None without a limit."""
    if timeout is None or timeout * 1000 > _LONGEST_TIMEOUT:
        return None
    milliseconds = max(1, math.ceil(timeout * 1000))  # 0 would mean: no limit
    options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())


def _to_array(value: Any) -> NDArray[Any]:
    r"""Return a run's value as an array; a scalar comes as a bare number or as bytes.

    >>> _to_array(b"a\0").item()  # np.asarray would drop the trailing NUL
    b'a\x00'
    """
    if isinstance(value, bytes):
        array = np.empty((), dtype=object)
        array[()] = value
        return array
    return np.asarray(value)
