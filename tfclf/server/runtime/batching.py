"""Batching: one run answers requests of many clients, as in TF Serving's batching session.

A request that breaks a batch, such as a text that an op refuses, costs the others nothing: each of
them then runs by itself.

Source: TF Serving, batching_session.cc.
"""

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from grpc import StatusCode

from tfclf._tensorflow import count_cores
from tfclf.server.context import RequestContext
from tfclf.server.runtime.merging import (
    Feeds,
    batch_key,
    batchable_tensors,
    check_output_rows,
    count_rows,
    join_outputs,
    merge_feeds,
    split_feeds,
    split_outputs,
)
from tfclf.server.runtime.session import Output, Session
from tfclf.server.runtime.task_queue import Task, TaskQueue
from tfclf.server.status import RequestError, invalid_argument


@dataclass(frozen=True)
class Batching:
    """How requests are batched; the names are those of TF Serving's batching file.

    Attributes:
      max_execution_batch_size: rows in a batch.
      max_batch_size: rows in a request; a larger one is refused. None: any number. A request larger
        than a batch runs in pieces.
      batch_timeout_micros: how long a partial batch waits for more rows once a thread is free.
      max_enqueued_batches: the queue's limit in full batches; requests beyond it are refused.
      num_batch_threads: batches that run at once.
      allowed_batch_sizes: a batch is filled to the next of these by repeating a row; empty: no
        filling.
      pad_variable_length_inputs: pads other dimensions to the longest, each tensor with its own
        first element.
    """

    max_execution_batch_size: int = 64
    max_batch_size: int | None = None
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 100
    num_batch_threads: int = field(default_factory=count_cores)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False


@dataclass(frozen=True)
class RanBatch:
    """A batch that has run.

    Attributes:
      requests: for each request in it, its rows and the seconds it waited.
      padding: rows added to reach an allowed size.
    """

    requests: tuple[tuple[int, float], ...]
    padding: int

    @property
    def rows(self) -> int:
        """Rows of all requests, without padding.

        >>> RanBatch(requests=((2, 0.001), (1, 0.004)), padding=1).rows
        3
        """
        return sum(rows for rows, _ in self.requests)


class Batcher:
    """The threads that run a session's requests in batches; call `run` from any number of threads.

    Args:
      observe: called after each batch that has run; it must not raise.
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
        self._batchable = batchable_tensors(session.signatures.values())
        self._queue = TaskQueue(
            batch_rows=options.max_execution_batch_size,
            most_rows=options.max_enqueued_batches * options.max_execution_batch_size,
            threads=options.num_batch_threads,
            timeout=options.batch_timeout_micros / 1e6,
        )
        for _ in range(options.num_batch_threads):
            threading.Thread(target=self._work, name="tfclf-batches", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def run(
        self, feeds: Feeds, fetches: Sequence[str], *, call: RequestContext | None = None
    ) -> list[Output]:
        """Run a request in a batch, with the arguments and outputs of `Session.run`.

        A request that cannot share a batch (a scalar input, an output without rows) runs by itself.

        Raises: RequestError; UNAVAILABLE at once if the queue is full.
        """
        call = call or RequestContext()
        rows = count_rows(feeds)
        if rows is None or not self._batchable.issuperset(itertools.chain(feeds, fetches)):
            return self._session.run(feeds, fetches, timeout=call.time_left())
        most, largest = self._options.max_batch_size, self._options.max_execution_batch_size
        if most is not None and rows > most:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {most}"
            )
        if rows <= largest:
            return self._queue_and_wait(feeds, fetches, rows, call)
        # Queue one piece after the other, so that other requests run between them.
        return join_outputs(
            [
                self._queue_and_wait(piece, fetches, piece_rows, call)
                for piece, piece_rows in split_feeds(feeds, rows, largest=largest)
            ]
        )

    def close(self) -> None:
        """Refuse new and queued requests; the session ends the batches that run."""
        self._queue.close()

    def _queue_and_wait(
        self, feeds: Feeds, fetches: Sequence[str], rows: int, call: RequestContext
    ) -> list[Output]:
        call.time_left()
        key = batch_key(feeds, fetches, pad=self._options.pad_variable_length_inputs)
        task = Task(feeds, tuple(fetches), rows, key, call)
        self._queue.put(task)
        call.when_cancelled(
            lambda: self._queue.drop(task, RequestError(StatusCode.CANCELLED, "Cancelled"))
        )
        if not task.wait(call.time_left()):
            late = RequestError(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
            self._queue.drop(task, late)
            raise late
        if isinstance(task.result, RequestError):
            raise task.result
        assert task.result is not None
        return task.result

    def _work(self) -> None:
        while batch := self._queue.take():
            try:
                self._run_batch(batch)
            except BaseException as error:
                for task in batch:  # those that have a result keep it
                    task.finish(_to_request_error(error))
            finally:
                self._queue.release(batch)

    def _run_batch(self, batch: Sequence[Task]) -> None:
        """Run tasks together, or each by itself if that fails."""
        live, timeouts = [], []
        for task in batch:
            try:
                timeouts.append(task.call.time_left())
                live.append(task)
            except RequestError as error:  # nobody waits for it any more
                task.finish(error)
        if not live:
            return
        started = time.monotonic()
        rows = [task.rows for task in live]
        feeds, padding = merge_feeds(
            [task.feeds for task in live],
            sum(rows),
            allowed_sizes=self._options.allowed_batch_sizes,
            pad=self._options.pad_variable_length_inputs,
        )
        limits = [timeout for timeout in timeouts if timeout is not None]
        timeout = max(limits) if len(limits) == len(live) else None
        try:
            outputs = self._session.run(feeds, live[0].fetches, timeout=timeout)
            check_output_rows(outputs, sum(rows) + padding)
        except RequestError as error:
            if len(live) == 1:
                live[0].finish(error)
                return
            for task in live:
                self._run_batch([task])
            return
        if self._observe is not None:
            waits = tuple((task.rows, started - task.queued) for task in live)
            self._observe(RanBatch(waits, padding))
        for task, part in zip(live, split_outputs(outputs, rows), strict=True):
            task.finish(part)


def _to_request_error(error: BaseException) -> RequestError:
    if isinstance(error, RequestError):
        return error
    code = StatusCode.RESOURCE_EXHAUSTED if isinstance(error, MemoryError) else StatusCode.INTERNAL
    return RequestError(code, "The batch failed in the server")
