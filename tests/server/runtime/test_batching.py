"""Requests of many clients share runs, and each gets the outputs it would get alone."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tests.server.fakes import wait_until
from tfclf.server.context import RequestContext
from tfclf.server.runtime import task_queue
from tfclf.server.runtime.batching import Batcher, Batching, RanBatch
from tfclf.server.runtime.session import Output, Session
from tfclf.server.status import RequestError, invalid_argument


def make_signature(
    inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]]
) -> SignatureDef:
    signature = SignatureDef()
    for infos, shapes in ((signature.inputs, inputs), (signature.outputs, outputs)):
        for name, shape in shapes.items():
            infos[name].name = name
            infos[name].tensor_shape.SetInParent()
            for size in shape:
                infos[name].tensor_shape.dim.add(size=size)
    return signature


class Slow:
    """A session that doubles x once `go` is set, and fails on a negative number."""

    def __init__(self) -> None:
        rows = make_signature(
            {"x": [-1], "matrix": [-1, -1]}, {"twice": [-1], "sums": [-1], "ragged": [-1, -1]}
        )
        self.signatures = {"rows": rows, "whole": make_signature({"x": [-1]}, {"total": []})}
        self.batches: list[Any] = []
        self.timeouts: list[float | None] = []
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        fetches: Sequence[str],
        *,
        timeout: float | None = None,
    ) -> list[Output]:
        (array,) = feeds.values()
        self.batches.append(array.tolist())
        self.timeouts.append(timeout)
        self.entered.release()
        assert self.go.wait(60)
        if (array < 0).any():
            raise invalid_argument("negative")
        return [
            Output(2 * array if array.ndim == 1 else array.sum(axis=1), types_pb2.DT_FLOAT)
            for _ in fetches
        ]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


Batchers = Callable[..., Batcher]


@pytest.fixture
def batcher(slow: Slow, pool: ThreadPoolExecutor) -> Iterator[Batchers]:
    """Make Batchers. `pool` comes first, hence ends last: its threads must be released before."""
    batchers = []

    def make(*, observe: Callable[[RanBatch], None] | None = None, **options: Any) -> Batcher:
        options = {"num_batch_threads": 1, "max_execution_batch_size": 8, **options}
        batchers.append(Batcher(cast(Session, slow), Batching(**options), observe=observe))
        return batchers[-1]

    yield make
    slow.go.set()
    for each in batchers:
        each.close()


def numbers(*values: float) -> dict[str, NDArray[Any]]:
    return {"x": np.asarray(values)}


def ask(
    batcher: Batcher, *values: float, call: RequestContext | None = None, fetch: str = "twice"
) -> list[float]:
    (one,) = batcher.run(numbers(*values), [fetch], call=call)
    return cast(list[float], one.array.tolist())


def queue_behind_one(
    batcher: Batcher, slow: Slow, pool: ThreadPoolExecutor, *requests: Callable[[], list[float]]
) -> list[Future[list[float]]]:
    """Queue requests together while a first one occupies the only thread, then release it."""
    first = pool.submit(ask, batcher, 0.0)
    assert slow.entered.acquire(timeout=60)
    futures = []
    for request in requests:
        futures.append(pool.submit(request))
        wait_until(_is_enqueued(batcher, futures))
    slow.go.set()
    assert first.result(60) == [0.0]
    return futures


def _is_enqueued(batcher: Batcher, futures: Sequence[Future[Any]]) -> Callable[[], bool]:
    return lambda: batcher.waiting >= len(futures) or futures[-1].done()


def test_a_lone_request_does_not_wait_for_company(batcher: Batchers, slow: Slow) -> None:
    slow.go.set()
    assert ask(batcher(), 1.0) == [2.0]


def test_what_waits_together_runs_together(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher()
    futures = queue_behind_one(
        made,
        slow,
        pool,
        lambda: ask(made, 1.0),
        lambda: ask(made, 2.0, 3.0),
        lambda: ask(made, 4.0),
    )
    assert [future.result(60) for future in futures] == [[2.0], [4.0, 6.0], [8.0]]
    assert slow.batches == [[0.0], [1.0, 2.0, 3.0, 4.0]]


def test_a_batch_is_no_larger_than_its_limit(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher(max_execution_batch_size=3)
    queue_behind_one(
        made,
        slow,
        pool,
        lambda: ask(made, 1.0, 2.0),
        lambda: ask(made, 3.0, 4.0),
        lambda: ask(made, 5.0),
    )
    wait_until(lambda: len(slow.batches) == 3)
    assert slow.batches == [[0.0], [1.0, 2.0, 5.0], [3.0, 4.0]]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setattr(task_queue, "_PATIENCE", seconds)


def test_a_small_batch_does_not_start_beside_one_that_keeps_the_machine_busy(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor, patience: Callable[[float], None]
) -> None:
    patience(60)
    made = batcher(num_batch_threads=2)
    first = pool.submit(ask, made, 0.0, 0.0)
    assert slow.entered.acquire(timeout=10)
    others = [pool.submit(ask, made, 1.0), pool.submit(ask, made, 1.0)]
    wait_until(lambda: made.waiting == 2)
    slow.go.set()
    assert [future.result(10) for future in (first, *others)] == [[0.0, 0.0], [2.0], [2.0]]
    assert slow.batches == [[0.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("running", "coming", "seconds"),
    [([0.0, 0.0], [1.0] * 8, 60), ([0.0, 0.0], [1.0], 0.01), ([0.0], [1.0], 60)],
    ids=["full", "has waited for long", "beside a single row"],
)
def test_a_batch_starts_beside_another_where_it_is(
    batcher: Batchers,
    slow: Slow,
    pool: ThreadPoolExecutor,
    patience: Callable[[float], None],
    running: list[float],
    coming: list[float],
    seconds: float,
) -> None:
    patience(seconds)
    made = batcher(num_batch_threads=2)
    for values in (running, coming):
        pool.submit(ask, made, *values)
        assert slow.entered.acquire(timeout=10)
    assert slow.batches == [running, coming]


def test_a_request_that_breaks_its_batch_fails_alone(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher()
    good, bad, also_good = queue_behind_one(
        made, slow, pool, lambda: ask(made, 1.0), lambda: ask(made, -1.0), lambda: ask(made, 2.0)
    )
    assert (good.result(60), also_good.result(60)) == ([2.0], [4.0])
    with pytest.raises(RequestError, match="negative"):
        bad.result(60)


def test_a_full_queue_refuses_at_once(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher(max_execution_batch_size=2, max_enqueued_batches=1)

    def refused() -> list[float]:
        with pytest.raises(
            RequestError, match=r"to which this task was submitted is full; currently 1"
        ) as raised:
            ask(made, 3.0)
        assert raised.value.code == StatusCode.UNAVAILABLE
        return []

    waiting, refusal = queue_behind_one(made, slow, pool, lambda: ask(made, 1.0, 2.0), refused)
    assert (waiting.result(60), refusal.result(60)) == ([2.0, 4.0], [])


def test_a_request_whose_deadline_passed_in_the_queue_is_not_run(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher()
    first = pool.submit(ask, made, 0.0)
    assert slow.entered.acquire(timeout=60)
    with pytest.raises(RequestError) as raised:
        ask(made, 1.0, call=RequestContext(timeout=0.05))
    assert (raised.value.code, made.waiting) == (StatusCode.DEADLINE_EXCEEDED, 0)
    slow.go.set()
    assert first.result(60) == [0.0]
    assert slow.batches == [[0.0]]


def test_a_request_whose_client_hung_up_is_not_run(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made, call = batcher(), RequestContext()

    def hang_up() -> list[float]:
        call.cancel()
        return []

    gone, _ = queue_behind_one(made, slow, pool, lambda: ask(made, 1.0, call=call), hang_up)
    with pytest.raises(RequestError) as raised:
        gone.result(60)
    assert (raised.value.code, slow.batches) == (StatusCode.CANCELLED, [[0.0]])


def test_a_client_that_hangs_up_gives_its_place_to_others_at_once(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made, call = batcher(), RequestContext()
    pool.submit(ask, made, 0.0)
    assert slow.entered.acquire(timeout=60)
    gone = pool.submit(ask, made, 1.0, call=call)
    wait_until(lambda: made.waiting == 1)
    call.cancel()
    with pytest.raises(RequestError):  # while the first one still runs
        gone.result(60)
    assert made.waiting == 0


def test_a_run_may_take_as_long_as_its_most_patient_request(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher()
    queue_behind_one(
        made,
        slow,
        pool,
        lambda: ask(made, 1.0, call=RequestContext(timeout=100)),
        lambda: ask(made, 2.0, call=RequestContext(timeout=1_000)),
    )
    wait_until(lambda: len(slow.timeouts) == 2)
    assert slow.timeouts[0] is None
    assert 100 < cast(float, slow.timeouts[1]) <= 1_000


def test_a_large_request_runs_in_pieces(batcher: Batchers, slow: Slow) -> None:
    slow.go.set()
    assert ask(batcher(max_execution_batch_size=2), 1.0, 2.0, 3.0, 4.0, 5.0) == [
        2.0,
        4.0,
        6.0,
        8.0,
        10.0,
    ]
    assert slow.batches == [[1.0, 2.0], [3.0, 4.0], [5.0]]


def test_a_large_request_is_refused_beyond_its_limit(batcher: Batchers) -> None:
    with pytest.raises(
        RequestError, match=r"^Task size 3 is larger than maximum input batch size 2$"
    ):
        ask(batcher(max_batch_size=2, max_execution_batch_size=2), 1.0, 2.0, 3.0)


def test_a_batch_is_filled_up_to_an_allowed_size(batcher: Batchers, slow: Slow) -> None:
    slow.go.set()
    ran: list[RanBatch] = []
    assert ask(batcher(allowed_batch_sizes=(4, 8), observe=ran.append), 1.0, 2.0, 3.0) == [
        2.0,
        4.0,
        6.0,
    ]
    assert slow.batches == [[1.0, 2.0, 3.0, 1.0]]
    assert (ran[0].rows, ran[0].padding, len(ran[0].requests)) == (3, 1, 1)


def sum_rows(batcher: Batcher, rows: Sequence[Sequence[float]]) -> list[float]:
    (one,) = batcher.run({"matrix": np.asarray(rows)}, ["sums"])
    return cast(list[float], one.array.tolist())


def test_rows_of_other_lengths_do_not_share_a_batch(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher()
    short, long = queue_behind_one(
        made,
        slow,
        pool,
        lambda: sum_rows(made, [[1.0, 2.0]]),
        lambda: sum_rows(made, [[1.0, 2.0, 3.0]]),
    )
    assert (short.result(60), long.result(60)) == ([3.0], [6.0])
    assert len(slow.batches) == 3


def test_rows_of_other_lengths_are_padded_with_their_first_element_where_asked(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor
) -> None:
    made = batcher(pad_variable_length_inputs=True)
    queue_behind_one(
        made, slow, pool, lambda: sum_rows(made, [[7.0]]), lambda: sum_rows(made, [[1.0, 2.0, 3.0]])
    )
    wait_until(lambda: len(slow.batches) == 2)
    assert slow.batches[1] == [[7.0, 7.0, 7.0], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize("fetch", ["total", "ragged"])
def test_an_output_that_is_not_one_row_a_row_runs_by_itself(
    batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor, fetch: str
) -> None:
    made = batcher(max_execution_batch_size=1)
    slow.go.set()
    assert ask(made, 1.0, 2.0, fetch=fetch) == [2.0, 4.0]
    assert slow.batches == [[1.0, 2.0]]


def test_no_rows_run_by_themselves(batcher: Batchers, slow: Slow) -> None:
    slow.go.set()
    assert ask(batcher()) == []


def test_closing_ends_what_waits(batcher: Batchers, slow: Slow, pool: ThreadPoolExecutor) -> None:
    made = batcher()

    def close() -> list[float]:
        made.close()
        return []

    waiting, _ = queue_behind_one(made, slow, pool, lambda: ask(made, 1.0), close)
    with pytest.raises(RequestError, match="unloaded") as raised:
        waiting.result(60)
    assert raised.value.code == StatusCode.UNAVAILABLE


def test_closing_ends_the_threads(slow: Slow) -> None:
    before = set(threading.enumerate())
    made = Batcher(cast(Session, slow), Batching(num_batch_threads=3))
    threads = {
        thread for thread in set(threading.enumerate()) - before if thread.name == "tfclf-batches"
    }
    made.close()
    for thread in threads:
        thread.join(60)
    assert len(threads) == 3
    assert not any(thread.is_alive() for thread in threads)


def test_a_failure_of_ours_reaches_the_request(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> list[Output]:
        raise KeyError("a text")

    monkeypatch.setattr(slow, "run", run)
    made = Batcher(cast(Session, slow), Batching(num_batch_threads=1))
    with pytest.raises(RequestError, match="failed in the server") as raised:
        ask(made, 1.0)
    assert raised.value.code == StatusCode.INTERNAL
    made.close()


@pytest.fixture(scope="session")
def echo(echo_base: Path) -> Session:
    from tfclf._tensorflow import load_text_ops

    load_text_ops()
    return Session(echo_base / "1")


@settings(max_examples=25, deadline=None)
@given(
    requests=st.lists(
        st.lists(st.text(max_size=8), min_size=1, max_size=6), min_size=1, max_size=12
    ),
    max_batch_size=st.integers(1, 10),
    threads=st.integers(1, 3),
)
def test_however_requests_are_put_together_each_gets_what_it_would_get_alone(
    echo: Session, requests: list[list[str]], max_batch_size: int, threads: int
) -> None:
    inputs = echo.signatures["serving_default"].inputs["text"].name
    outputs = [info.name for _, info in sorted(echo.signatures["serving_default"].outputs.items())]
    feeds = [
        {inputs: np.array([text.encode() for text in texts], dtype=object)} for texts in requests
    ]
    batcher = Batcher(
        echo, Batching(max_execution_batch_size=max_batch_size, num_batch_threads=threads)
    )
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda each: batcher.run(each, outputs), feeds))
    batcher.close()
    for each, batched in zip(feeds, together, strict=True):
        alone = echo.run(each, outputs)
        for one, other in zip(batched, alone, strict=True):
            assert one.array.tolist() == other.array.tolist()
