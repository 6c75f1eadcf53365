"""The queue of a Batcher: which tasks run next, together, and when.

No timer is needed. An idle thread takes what is queued, up to the limit of a batch: a lone request
never waits for company, and under load batches fill by themselves while earlier ones run.

For that, half of the threads hold back while the others keep the machine busy. A row occupies one
core, a batch two; one more batch beside them, of the few requests that have come since, would cost
more than it gains. The threads that hold back take full batches, and requests that a slow batch has
kept waiting too long.

Source: TensorFlow, batching_util/shared_batch_scheduler.h.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode

from tfclf.server.context import RequestContext
from tfclf.server.runtime.merging import Feeds
from tfclf.server.runtime.session import Output
from tfclf.server.status import RequestError

# Seconds that a request waits behind slow batches while threads hold back. Far above what a batch
# costs at any size (7 ms for the bundled model): short batches beside long ones then cost little.
_PATIENCE = 0.25


def _make_locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Task:
    """A request, or a piece of one, on its way through the queue.

    Attributes:
      key: tasks with the same key may share a batch.
      call: the request's deadline.
      queued: when it was made, by `time.monotonic`.
    """

    feeds: Feeds
    fetches: tuple[str, ...]
    rows: int
    key: tuple[Any, ...]
    call: RequestContext
    queued: float = field(default_factory=time.monotonic)
    result: list[Output] | RequestError | None = None
    # Locked until there is a result. A plain lock wakes a thread at half the cost of an Event.
    _done: threading.Lock = field(default_factory=_make_locked)

    def finish(self, result: list[Output] | RequestError) -> None:
        """Hand over the outputs, or the error; only the first call counts."""
        if self.result is None:
            self.result = result
            self._done.release()

    def wait(self, timeout: float | None) -> bool:
        """Wait for the result in the one thread that needs it; return whether there is one."""
        return self._done.acquire(timeout=-1 if timeout is None else timeout)


class TaskQueue:
    """Tasks that wait for a thread; safe to use from many threads.

    Args:
      batch_rows: rows in a full batch.
      most_rows: rows that may wait.
      threads: threads that take batches.
      timeout: seconds that a partial batch waits for more rows once a thread is free.
    """

    def __init__(self, *, batch_rows: int, most_rows: int, threads: int, timeout: float) -> None:
        self._batch_rows = batch_rows
        self._most_rows = most_rows
        self._threads = threads
        self._timeout = timeout
        self._tasks: deque[Task] = deque()
        self._rows = 0  # of all queued tasks
        self._running: list[int] = []  # the rows of each batch
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._tasks)

    def put(self, task: Task) -> None:
        """Queue a task. Raises: RequestError, UNAVAILABLE, if the queue is full or closed."""
        with self._changed:
            if self._closed:
                raise RequestError(StatusCode.UNAVAILABLE, "The model is being unloaded")
            if self._rows + task.rows > self._most_rows:
                waiting = -(-self._rows // self._batch_rows)
                raise RequestError(
                    StatusCode.UNAVAILABLE,
                    "The batch scheduling queue to which this task was submitted is full; "
                    f"currently {waiting}",
                )
            self._tasks.append(task)
            self._rows += task.rows
            # In between, a thread already waits for a full batch or for the start time.
            if len(self._tasks) == 1 or self._is_full:
                self._changed.notify()

    def drop(self, task: Task, reason: RequestError) -> None:
        """Remove a task that nobody needs any more, and free its place, unless it runs already."""
        with self._changed:
            if task not in self._tasks:
                return
            self._tasks.remove(task)
            self._rows -= task.rows
        task.finish(reason)

    def take(self) -> list[Task]:
        """Wait until a batch may start; return its tasks: the oldest and those that fit with it.

        Call `release` when the batch has run. An empty list means that the queue is closed.
        """
        with self._changed:
            while not self._tasks or (left := self._start_time - time.monotonic()) > 0:
                if self._closed:
                    return []
                self._changed.wait(left if self._tasks else None)
            batch, others = [self._tasks.popleft()], deque[Task]()
            rows = batch[0].rows
            while self._tasks and rows < self._batch_rows:
                task = self._tasks.popleft()
                if task.key == batch[0].key and rows + task.rows <= self._batch_rows:
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

    def release(self, batch: Sequence[Task]) -> None:
        """Note that a batch from `take` has run."""
        with self._changed:
            self._running.remove(sum(task.rows for task in batch))

    def close(self) -> None:
        """Refuse new and queued tasks."""
        with self._changed:
            self._closed = True
            waiting, self._tasks = self._tasks, deque()
            self._rows = 0
            self._changed.notify_all()
        unloaded = "The model was unloaded before the request ran"
        for task in waiting:
            task.finish(RequestError(StatusCode.UNAVAILABLE, unloaded))

    @property
    def _is_full(self) -> bool:
        return self._rows >= self._batch_rows

    @property
    def _start_time(self) -> float:
        """The earliest time at which a thread may take the queued tasks."""
        if self._is_full:
            return -math.inf
        busy = 2 * len(self._running) >= self._threads and sum(self._running) >= self._threads
        patience = max(self._timeout, _PATIENCE) if busy else self._timeout
        return self._tasks[0].queued + patience
