"""Requests of many clients, answered by one run: what TF Serving's batching session does, and no timer is needed.

A thread that has nothing to do takes what waits, up to a batch's limit. So a lone request never waits for
company, and under load batches fill by themselves while the ones before them run. For that, half of the threads stay
back while the others keep the machine busy: a row takes a core, a batch two, and a batch beside them, of the few
requests that have come since, costs more than it gains. Those threads take full batches, and what has waited too long
behind a slow one. A request that breaks a batch (a text that an op refuses) costs the others nothing: each is then
run by itself.

Source: TF Serving, batching_session.cc; TensorFlow, batching_util/shared_batch_scheduler.h.
"""

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from grpc import StatusCode
from numpy.typing import NDArray
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

from tfclf.server.context import RequestContext
from tfclf.server.runtime.session import Fetched, Session, cpus
from tfclf.server.status import RequestError, invalid_argument

Feeds = Mapping[str, NDArray[Any]]

# Seconds that a request waits behind slow batches while threads stay back. Far above what a batch costs whatever its
# size (7 ms for the bundled model), so that short batches beside long ones cost little.
_PATIENCE = 0.25


@dataclass(frozen=True)
class Batching:
    """How requests are put together; the names are those of TF Serving's batching file.

    Attributes:
      max_execution_batch_size: rows in a batch.
      max_batch_size: rows in a request, which is refused beyond; one above a batch's limit runs in pieces. None: any.
      batch_timeout_micros: how long a batch that is not full waits for more once a thread is free for it.
      max_enqueued_batches: what may wait, in full batches; more is refused at once.
      num_batch_threads: batches that run at once.
      allowed_batch_sizes: a batch is filled up to the next of these, by repeating a row; empty: as it is.
      pad_variable_length_inputs: fills other dimensions up to the longest, each tensor with its own first element.
    """

    max_execution_batch_size: int = 64
    max_batch_size: int | None = None
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 100
    num_batch_threads: int = field(default_factory=cpus)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False


@dataclass(frozen=True)
class RanBatch:
    """A batch that has run.

    Attributes:
      requests: those put together: rows of each, and the seconds it waited.
      padding: rows added to reach an allowed size.
    """

    requests: tuple[tuple[int, float], ...]
    padding: int

    @property
    def rows(self) -> int:
        """Of all requests."""
        return sum(rows for rows, _ in self.requests)


@dataclass(eq=False)
class _Task:
    feeds: Feeds
    fetches: tuple[str, ...]
    rows: int
    key: tuple[Any, ...]
    call: RequestContext | None
    queued: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    answer: list[Fetched] | RequestError | None = None

    def end(self, answer: list[Fetched] | RequestError) -> None:
        self.answer = answer
        self.done.set()


class Batcher:
    """Runs a session's batches; called as the session is, from many threads at once.

    Args:
      observe: told of each batch that has run; it must not raise.
    """

    def __init__(
        self,
        session: Session,
        options: Batching,
        *,
        observe: Callable[[RanBatch], None] | None = None,
    ) -> None:
        self._session = session
        self._options = options
        self._observe = observe
        self._batchable = _batchable(session.signatures.values())
        self._tasks: deque[_Task] = deque()
        self._rows = 0
        self._running: list[int] = []  # the rows of each batch
        self._closed = False
        self._changed = threading.Condition()
        for _ in range(options.num_batch_threads):
            threading.Thread(target=self._work, name="tfclf-batches", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._tasks)

    def run(
        self, feeds: Feeds, fetches: Sequence[str], *, call: RequestContext | None = None
    ) -> list[Fetched]:
        """As `Session.run`; what cannot share a batch (a scalar input, an output without rows) runs by itself.

        Raises: RequestError; UNAVAILABLE at once where the queue is full.
        """
        call = call or RequestContext()
        rows = _rows(feeds)
        if rows is None or not self._batchable.issuperset(itertools.chain(feeds, fetches)):
            return self._session.run(feeds, fetches, timeout=call.time_left())
        most, largest = self._options.max_batch_size, self._options.max_execution_batch_size
        if most is not None and rows > most:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {most}"
            )
        if rows <= largest:
            return self._wait(self._enqueue(feeds, fetches, rows, call))
        # One piece after the other, so that a large request leaves room for others between its pieces.
        pieces = []
        for start in range(0, rows, largest):
            piece = {name: array[start : start + largest] for name, array in feeds.items()}
            pieces.append(
                self._wait(self._enqueue(piece, fetches, len(next(iter(piece.values()))), call))
            )
        return [
            Fetched(
                np.concatenate([piece[index].array for piece in pieces]), pieces[0][index].dtype
            )
            for index in range(len(fetches))
        ]

    def close(self) -> None:
        """Refuses what comes and what waits; what runs is the session's to end."""
        with self._changed:
            self._closed = True
            waiting, self._tasks = self._tasks, deque()
            self._rows = 0
            self._changed.notify_all()
        for task in waiting:
            task.end(
                RequestError(
                    StatusCode.UNAVAILABLE, "The model was unloaded before the request ran"
                )
            )

    def _enqueue(
        self, feeds: Feeds, fetches: Sequence[str], rows: int, call: RequestContext
    ) -> _Task:
        call.time_left()
        padded = self._options.pad_variable_length_inputs
        shapes = tuple(
            (name, array.dtype, array.ndim if padded else array.shape[1:])
            for name, array in feeds.items()
        )
        task = _Task(feeds, tuple(fetches), rows, (shapes, tuple(fetches)), call)
        most = self._options.max_enqueued_batches * self._options.max_execution_batch_size
        with self._changed:
            if self._closed:
                raise RequestError(StatusCode.UNAVAILABLE, "The model is being unloaded")
            if self._rows + rows > most:
                waiting = -(-self._rows // self._options.max_execution_batch_size)
                raise RequestError(
                    StatusCode.UNAVAILABLE,
                    f"The batch scheduling queue to which this task was submitted is full; currently {waiting}",
                )
            self._tasks.append(task)
            self._rows += rows
            if len(self._tasks) == 1 or self._full:  # in between, somebody waits for either already
                self._changed.notify()
        call.when_cancelled(
            lambda: self._drop(task, RequestError(StatusCode.CANCELLED, "Cancelled"))
        )
        return task

    def _drop(self, task: _Task, reason: RequestError) -> None:
        """Nobody needs it any more: it leaves its place to others, unless it runs already."""
        with self._changed:
            if task not in self._tasks:
                return
            self._tasks.remove(task)
            self._rows -= task.rows
        task.end(reason)

    def _wait(self, task: _Task) -> list[Fetched]:
        left = None if task.call is None else task.call.time_left()
        if not task.done.wait(left):
            late = RequestError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
            self._drop(task, late)
            raise late
        if isinstance(task.answer, RequestError):
            raise task.answer
        assert task.answer is not None
        return task.answer

    def _work(self) -> None:
        while batch := self._take():
            rows = sum(task.rows for task in batch)
            try:
                self._answer(batch)
            except BaseException as error:
                for task in batch:
                    if not task.done.is_set():
                        task.end(_as_request_error(error))
            finally:
                with self._changed:
                    self._running.remove(rows)

    @property
    def _full(self) -> bool:
        return self._rows >= self._options.max_execution_batch_size

    def _not_before(self) -> float:
        """When what waits is to run."""
        if self._full:
            return -math.inf
        threads = self._options.num_batch_threads
        busy = 2 * len(self._running) >= threads and sum(self._running) >= threads
        patience = self._options.batch_timeout_micros / 1e6
        return self._tasks[0].queued + (max(patience, _PATIENCE) if busy else patience)

    def _take(self) -> list[_Task]:
        """The oldest task and those that fit with it; empty at the end."""
        with self._changed:
            while not self._tasks or (left := self._not_before() - time.monotonic()) > 0:
                if self._closed:
                    return []
                self._changed.wait(left if self._tasks else None)
            batch, rows, others = [self._tasks.popleft()], 0, deque[_Task]()
            rows = batch[0].rows
            while self._tasks and rows < self._options.max_execution_batch_size:
                task = self._tasks.popleft()
                if (
                    task.key == batch[0].key
                    and rows + task.rows <= self._options.max_execution_batch_size
                ):
                    batch.append(task)
                    rows += task.rows
                else:
                    others.append(task)
            self._tasks.extendleft(reversed(others))
            self._rows -= rows
            self._running.append(rows)
            if self._tasks:
                self._changed.notify()
            return batch

    def _answer(self, batch: Sequence[_Task]) -> None:
        live, timeouts = [], []
        for task in batch:
            try:
                timeouts.append(None if task.call is None else task.call.time_left())
                live.append(task)
            except RequestError as error:  # nobody waits for it any more
                task.end(error)
        if not live:
            return
        now = time.monotonic()
        rows = sum(task.rows for task in live)
        feeds, padding = self._merge(live, rows)
        limits = [timeout for timeout in timeouts if timeout is not None]
        timeout = max(limits) if len(limits) == len(live) else None
        try:
            fetched = self._session.run(feeds, live[0].fetches, timeout=timeout)
            _check_rows(fetched, rows + padding)
        except RequestError as error:
            if len(live) == 1:
                live[0].end(error)
                return
            for task in live:
                self._answer([task])
            return
        if self._observe is not None:
            self._observe(RanBatch(tuple((task.rows, now - task.queued) for task in live), padding))
        start = 0
        for task in live:
            end = start + task.rows
            task.end([Fetched(one.array[start:end], one.dtype) for one in fetched])
            start = end

    def _merge(self, tasks: Sequence[_Task], rows: int) -> tuple[Feeds, int]:
        padding = (
            next((size for size in self._options.allowed_batch_sizes if size >= rows), rows) - rows
        )
        merged = {}
        for name in tasks[0].feeds:
            arrays = [task.feeds[name] for task in tasks]
            if self._options.pad_variable_length_inputs:
                arrays = _padded(arrays)
            if padding and len(arrays[-1]):
                arrays.append(np.repeat(arrays[-1][:1], padding, axis=0))
            merged[name] = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return merged, padding


def _padded(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    shape = np.max([array.shape[1:] for array in arrays], axis=0)
    padded = []
    for array in arrays:
        full = np.empty((len(array), *shape), array.dtype)
        full[...] = array.flat[0] if array.size else array.dtype.type()
        full[tuple(slice(size) for size in array.shape)] = array
        padded.append(full)
    return padded


def _rows(feeds: Feeds) -> int | None:
    """The first dimension of all inputs; None where they have none, or not the same, or no rows at all."""
    sizes = {array.shape[0] if array.ndim else 0 for array in feeds.values()}
    return (sizes.pop() or None) if len(sizes) == 1 else None


def _batchable(signatures: Sequence[SignatureDef] | Any) -> frozenset[str]:
    """The tensors of which a batch can hold those of several requests, and give each its own back.

    An input's first dimension must be open. An output's other dimensions must be known besides: where they are
    not, such as in rows of token ids padded to their longest, an answer would depend on its company.
    """
    names: set[str] = set()
    for signature in signatures:
        names.update(info.name for info in signature.inputs.values() if _first_open(info))
        names.update(
            info.name
            for info in signature.outputs.values()
            if _first_open(info) and all(dim.size >= 0 for dim in info.tensor_shape.dim[1:])
        )
    return frozenset(names)


def _first_open(info: TensorInfo) -> bool:
    shape = info.tensor_shape
    return not shape.unknown_rank and len(shape.dim) > 0 and shape.dim[0].size < 0


def _check_rows(fetched: Sequence[Fetched], rows: int) -> None:
    if any(one.array.ndim == 0 or len(one.array) != rows for one in fetched):
        raise RequestError(
            StatusCode.FAILED_PRECONDITION,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
            "tensors",
        )


def _as_request_error(error: BaseException) -> RequestError:
    if isinstance(error, RequestError):
        return error
    code = StatusCode.RESOURCE_EXHAUSTED if isinstance(error, MemoryError) else StatusCode.INTERNAL
    return RequestError(code, "The batch failed in the server")
