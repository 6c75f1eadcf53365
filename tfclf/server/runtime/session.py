"""A SavedModel in a TensorFlow session, run by tensor names: what TF Serving does, in the same C++ code.

Why not `tf.saved_model.load(...).signatures`: those run whole signatures, check shapes that TF Serving leaves
unchecked (its own tests feed a scalar to x: float32[batch, 1]), word errors their own way, take no timeout
and cannot be cancelled. A session fetches just what a response needs, runs TF1 models and TF2 models alike,
and its DirectSession is TF Serving's: codes and messages match because they are the same ones.
"""

import math
import os
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

# Names outside TensorFlow's public API; this is the only module that uses any. The loader: its public alias,
# tf.compat.v1.saved_model.load, prints a deprecation at every start. The session's raw run: the public `run`
# adds Python's shape check, and stack traces of the graph's construction to messages.
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.saved_model.loader_impl import SavedModelLoader

from tfclf.server.status import RequestError, invalid_argument, status_code

_LONGEST_TIMEOUT = (1 << 31) - 1  # milliseconds

# TensorFlow prepares the graph for each choice of outputs and keeps that for ever: 10 MB for the bundled model. With
# n outputs a client could ask for 2**n choices, and, since it looks at their order first, for n! more.
_MOST_CHOICES = 64


def cpus() -> int:
    """Those that this process may use: in a container, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class SessionOptions:
    """How a SavedModel is loaded and run; 0 is TensorFlow's choice.

    Attributes:
      tags: of the graph to load.
      intra_op_threads, inter_op_threads: within an op, and between ops.
      gpu_memory_fraction: of each GPU.
      max_runs: at once, further ones wait; 0: four for each CPU. Each run takes memory of its own, and many gain
        nothing.
    """

    tags: tuple[str, ...] = ("serve",)
    intra_op_threads: int = 0
    inter_op_threads: int = 0
    gpu_memory_fraction: float = 0.0
    max_runs: int = 0

    def config(self) -> Any:
        """As TensorFlow takes them."""
        return tf.compat.v1.ConfigProto(
            allow_soft_placement=True,
            intra_op_parallelism_threads=self.intra_op_threads,
            inter_op_parallelism_threads=self.inter_op_threads,
            gpu_options=tf.compat.v1.GPUOptions(
                per_process_gpu_memory_fraction=self.gpu_memory_fraction
            ),
        )


class Fetched(NamedTuple):
    """A tensor that a run gave. The array alone does not tell quantized numbers from plain ones."""

    array: NDArray[Any]
    dtype: int


class Session:
    """A loaded SavedModel; safe to run from many threads at once.

    Attributes:
      signatures: SignatureDef by name, as saved_model.pb has them.
    """

    def __init__(self, folder: Path, options: SessionOptions | None = None) -> None:
        """Loads variables and assets and runs the initialization op.

        Raises: what TensorFlow raises; `Servable.load` puts it into words.
        """
        options = options or SessionOptions()
        self._folder = str(folder)
        self._runs = threading.Semaphore(options.max_runs or 4 * cpus())
        self._choices: dict[tuple[frozenset[str], tuple[str, ...]], None] = {}
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=self._graph, config=options.config())
        try:
            meta_graph = SavedModelLoader(self._folder).load(self._session, options.tags)
            self._session._extend_graph()  # a model without variables and tables has run nothing so far
        except BaseException:
            self._session.close()
            raise
        self._graph.finalize()
        self.signatures: Mapping[str, SignatureDef] = meta_graph.signature_def
        # All outputs of a signature can be had whatever clients have asked for before.
        for signature in self.signatures.values():
            self._choices[_names(signature.inputs), tuple(sorted(_names(signature.outputs)))] = None
        self._most_choices = len(self._choices) + _MOST_CHOICES

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        fetches: Sequence[str],
        *,
        timeout: float | None = None,
    ) -> list[Fetched]:
        """The tensors named by `fetches`, computed from `feeds`; nothing else is computed.

        Args:
          feeds: arrays by tensor name, such as "serving_default_text:0".
          timeout: seconds, after which the run is cancelled.
        Raises: RequestError with the code and message that TensorFlow gives.
        """
        chosen = self._choice(feeds, fetches)
        inputs = {self._output(name): feeds[name] for name in sorted(feeds)}
        outputs = [self._output(name) for name in chosen]
        started = time.monotonic()
        if not self._runs.acquire(timeout=timeout):
            raise RequestError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
        options = _run_options(None if timeout is None else timeout - (time.monotonic() - started))
        try:
            values = self._session._call_tf_sessionrun(options, inputs, outputs, [], None)
        except tf.errors.OpError as error:
            raise RequestError(
                status_code(error.error_code), self._without_folder(error.message)
            ) from None
        except UnicodeDecodeError as error:
            # A message that quotes bytes which are no UTF-8: Python gets those instead of TensorFlow's status.
            # They come from the request, so the request is what was wrong.
            raise invalid_argument(
                self._without_folder(error.object.decode("utf-8", "replace"))
            ) from None
        finally:
            self._runs.release()
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)
        by_name = dict(zip(chosen, values, strict=True))
        return [Fetched(_array(by_name[name]), self._dtype(name)) for name in fetches]

    def close(self) -> None:
        """Cancels what runs and refuses what comes; it does not wait."""
        self._session.close()

    def _choice(self, feeds: Mapping[str, Any], fetches: Sequence[str]) -> tuple[str, ...]:
        """The outputs to compute: those asked for, in one order, or more of them once there were too many choices.

        Raises: RequestError where none of those that there were will do.
        """
        fed, wanted = frozenset(feeds), tuple(sorted(set(fetches)))
        if (fed, wanted) in self._choices:
            return wanted
        if len(self._choices) < self._most_choices:  # threads may race, and add a few more
            self._choices[fed, wanted] = None
            return wanted
        for other_fed, more in list(self._choices):
            if other_fed == fed and set(wanted) <= set(more):
                return more
        raise RequestError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"This model was asked for {_MOST_CHOICES} different choices of outputs, and takes no further one. Ask "
            f"for all outputs of a signature.",
        )

    def _without_folder(self, message: str) -> str:
        """A client has no use for this machine's paths, which messages about missing files carry."""
        return message.replace(self._folder, ".")

    def _operation(self, name: str) -> Any:
        node, index = _split(name)
        try:
            return self._graph.get_operation_by_name(node)
        except (KeyError, ValueError):
            # The wording of DirectSession, which would be asked by name; a Python session asks by pointer.
            raise invalid_argument(
                f"Tensor {node}:{index}, specified in either feed_devices or fetch_devices was not found in the Graph"
            ) from None

    def _output(self, name: str) -> Any:
        """The TF_Output of a name; whether its operation has so many outputs, DirectSession will say."""
        output = pywrap_tf_session.TF_Output()
        output.oper = self._operation(name)._c_op
        output.index = _split(name)[1]
        return output

    def _dtype(self, name: str) -> int:
        return int(self._operation(name).outputs[_split(name)[1]].dtype.base_dtype.as_datatype_enum)


def _names(infos: Mapping[str, TensorInfo]) -> frozenset[str]:
    return frozenset(info.name for info in infos.values())


def _split(name: str) -> tuple[str, int]:
    node, colon, index = name.rpartition(":")
    return (node, int(index)) if colon and index.isdecimal() else (name, 0)


def _run_options(timeout: float | None) -> Any:
    """RunOptions as the C API takes them, to be deleted after use; None where there is no limit."""
    if timeout is None or timeout * 1000 > _LONGEST_TIMEOUT:
        return None
    milliseconds = max(1, math.ceil(timeout * 1000))  # 0 would mean: no limit
    options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())


def _array(value: Any) -> NDArray[Any]:
    """A scalar comes back as a bare number or as bytes, which np.asarray would cut at a trailing NUL."""
    if isinstance(value, bytes):
        array = np.empty((), dtype=object)
        array[()] = value
        return array
    return np.asarray(value)
