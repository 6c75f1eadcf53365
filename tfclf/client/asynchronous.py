"""AsyncClient: `Client` for asyncio."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tfclf.client.batches import (
    Batch,
    Row,
    check_not_both_async,
    group_rows_async,
    read_rows,
    read_rows_async,
)
from tfclf.client.connect import CLIENT_DEFAULT, describe_client, open_transport, resolve_address
from tfclf.client.conversation import Conversation
from tfclf.client.messages import Metadata, VersionStatus
from tfclf.client.options import (
    ExplainOptions,
    Options,
    PredictOptions,
    check_seconds,
    check_timeout,
    check_whole_number,
    check_windows,
)
from tfclf.client.tls import Tls
from tfclf.decision import Rule, Threshold
from tfclf.errors import InputError
from tfclf.explanation import Explanation
from tfclf.inputs import as_pairs, count_texts
from tfclf.prediction import Prediction
from tfclf.progress import show_progress

if TYPE_CHECKING:
    from typing_extensions import Unpack

_T = TypeVar("_T")


class AsyncClient:
    """`Client` for asyncio, with the same options: `await` a list, `async for` over a stream.

        async with tfclf.AsyncClient("localhost:8500", model="demo") as client:
            predictions = await client.predict(texts)
            async for prediction in client.stream(lines):
                ...

    It belongs to one event loop, the one that runs at its first use. Any number of the loop's tasks
    may call at once.

    Raises: InputError, MissingExtraError.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str | None = None,
        version: int | str | None = None,
        timeout: float | None = 60.0,
        retries: int = 4,
        batch_size: int = 32,
        batch_bytes: int = 1 << 21,
        in_flight: int = 4,
        xla: bool = False,
        tls: Tls | bool | None = None,
    ) -> None:
        self._options = Options.from_arguments(
            model=model,
            version=version,
            timeout=timeout,
            retries=retries,
            batch_size=batch_size,
            batch_bytes=batch_bytes,
            in_flight=in_flight,
            xla=xla,
        )
        self._address, self._tls = resolve_address(address, tls)
        self._conversation: Conversation | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # that of the conversation

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the client was made with; the copy connects anew, wherever it is."""
        arguments = self._options.to_arguments()
        return partial(AsyncClient, **arguments, tls=self._tls), (self._address.given,)

    def __repr__(self) -> str:
        return describe_client("AsyncClient", self._address, self._options)

    @overload
    async def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        abstain_below: None = None,
        **options: Unpack[PredictOptions],
    ) -> Prediction: ...
    @overload
    async def predict(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: None = None,
        **options: Unpack[PredictOptions],
    ) -> list[Prediction]: ...
    @overload
    async def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        abstain_below: float,
        **options: Unpack[PredictOptions],
    ) -> Prediction[str | None]: ...
    @overload
    async def predict(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: float,
        **options: Unpack[PredictOptions],
    ) -> list[Prediction[str | None]]: ...
    async def predict(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: str | Iterable[str] | None = None,
        top_k: int | None = None,
        threshold: Threshold | None = None,
        abstain_below: float | None = None,
        batch_size: int | None = None,
        timeout: float | None = CLIENT_DEFAULT,
        progress: bool = False,
    ) -> Prediction[str | None] | list[Any]:
        """Return one `Prediction` per text, in order; one str gives one `Prediction`.

        Arguments and errors are those of `Client.predict`.
        """
        is_one = isinstance(texts, str)
        stream = self._predict(
            [texts] if isinstance(texts, str) else texts,
            as_pairs(pairs) if is_one else pairs,
            Rule.of(top_k, threshold, abstain_below),
            batch_size=batch_size,
            timeout=timeout,
            progress=progress,
        )
        predictions = [prediction async for prediction in stream]
        return predictions[0] if is_one else predictions

    @overload
    def stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: None = None,
        **options: Unpack[PredictOptions],
    ) -> AsyncIterator[Prediction]: ...
    @overload
    def stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: float,
        **options: Unpack[PredictOptions],
    ) -> AsyncIterator[Prediction[str | None]]: ...
    def stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        top_k: int | None = None,
        threshold: Threshold | None = None,
        abstain_below: float | None = None,
        batch_size: int | None = None,
        timeout: float | None = CLIENT_DEFAULT,
        progress: bool = False,
    ) -> AsyncIterator[Any]:
        """Stream predictions, for `async for`: read texts lazily, in constant memory.

        Args:
          texts: an ordinary or an async iterable; an async one takes no pairs.
        """
        return self._predict(
            texts,
            pairs,
            Rule.of(top_k, threshold, abstain_below),
            batch_size=batch_size,
            timeout=timeout,
            progress=progress,
        )

    def _predict(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        pairs: Iterable[str] | None,
        rule: Rule | None,
        *,
        batch_size: int | None,
        timeout: float | None,
        progress: bool,
    ) -> AsyncIterator[Prediction]:
        check_not_both_async(texts, pairs)
        total = None if isinstance(texts, AsyncIterable) else count_texts(texts)
        ask = partial(Conversation.predict, rule=rule)
        predictions = self._stream(texts, pairs, ask, batch_size, timeout)
        return _show_progress(predictions, total) if progress else predictions

    @overload
    async def explain(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Explanation: ...
    @overload
    async def explain(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Explanation]: ...
    async def explain(
        self,
        texts: str | Iterable[str] | AsyncIterable[str],
        *,
        pairs: str | Iterable[str] | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int | None = None,
        timeout: float | None = CLIENT_DEFAULT,
        progress: bool = False,
    ) -> Explanation | list[Explanation]:
        """Return one `Explanation` per text, in order; one str gives one `Explanation`.

        Arguments and errors are those of `Client.explain`. Cancelling the task that awaits it
        cancels the requests in flight.
        """
        if isinstance(texts, str):
            (one,) = await self.explain(
                [texts],
                pairs=as_pairs(pairs),
                long=long,
                stride=stride,
                batch_size=batch_size,
                timeout=timeout,
                progress=progress,
            )
            return one
        check_not_both_async(texts, pairs)
        in_windows = check_windows(long, stride, has_pairs=pairs is not None)
        ask = partial(Conversation.explain, in_windows=in_windows, stride=stride)
        explanations = self._stream(texts, pairs, ask, batch_size, timeout)
        if progress:
            total = None if isinstance(texts, AsyncIterable) else count_texts(texts)
            explanations = _show_progress(explanations, total)
        return [explanation async for explanation in explanations]

    async def tokenize(
        self, texts: Iterable[str] | AsyncIterable[str], *, timeout: float | None = CLIENT_DEFAULT
    ) -> list[list[int]]:
        """Return the token ids of each text, special tokens and truncation included."""
        return [
            ids async for ids in self._stream(texts, None, Conversation.tokenize, None, timeout)
        ]

    async def metadata(self, *, timeout: float | None = CLIENT_DEFAULT) -> Metadata:
        """Return the version that answers and its signatures. Raises: ClientError."""
        return await self._connect().metadata(self._timeout(timeout))

    async def status(self, *, timeout: float | None = CLIENT_DEFAULT) -> tuple[VersionStatus, ...]:
        """Return the state of each version: loading, available, unloading. Raises: ClientError."""
        return await self._connect().status(self._timeout(timeout))

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return when the model answers.

        Raises: ClientError if it does not answer within `timeout` seconds.
        """
        await self._connect().wait_until_ready(check_seconds(timeout))

    async def close(self) -> None:
        """Close the connection and cancel in-flight requests."""
        if self._conversation is not None and not (self._loop and self._loop.is_closed()):
            await self._connect().close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _connect(self) -> Conversation:
        # Not in __init__: a connection belongs to the loop that runs when it is created.
        loop = asyncio.get_running_loop()
        if self._loop not in (None, loop):
            raise InputError(
                "this AsyncClient was first used in another event loop, and its connection belongs "
                "to that one. Make an AsyncClient in each loop: inside the coroutine that "
                "asyncio.run runs, for example."
            )
        if self._conversation is None:
            self._loop = loop
            transport = open_transport(self._address, self._options, self._tls, asynchronous=True)
            self._conversation = Conversation(transport, self._address, self._options)
        return self._conversation

    def _timeout(self, timeout: float | None) -> float | None:
        return self._options.timeout if timeout is CLIENT_DEFAULT else check_timeout(timeout)

    def _stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        pairs: Iterable[str] | None,
        ask: Callable[[Conversation, Batch, float | None], Coroutine[Any, Any, list[_T]]],
        batch_size: int | None,
        timeout: float | None,
    ) -> AsyncIterator[_T]:
        rows: Iterable[Row] | AsyncIterable[Row]
        if isinstance(texts, AsyncIterable):
            rows = read_rows_async(texts)
        else:
            rows = read_rows(texts, pairs)
        size = self._options.batch_size
        if batch_size is not None:
            size = check_whole_number(batch_size, "batch_size")
        batches = group_rows_async(rows, size=size, size_bytes=self._options.batch_bytes)
        return self._run(batches, ask, self._timeout(timeout))

    async def _run(
        self,
        batches: AsyncIterator[Batch],
        ask: Callable[[Conversation, Batch, float | None], Coroutine[Any, Any, list[_T]]],
        timeout: float | None,
    ) -> AsyncIterator[_T]:
        """Answer batches in tasks, a bounded number in flight; yield rows in order."""
        conversation = self._connect()
        in_flight: deque[asyncio.Task[list[_T]]] = deque()
        begun = False
        try:
            async for batch in batches:
                if not begun:
                    await conversation.begin(timeout)
                    begun = True
                in_flight.append(asyncio.create_task(ask(conversation, batch, timeout)))
                if len(in_flight) == self._options.in_flight:
                    for row in await in_flight.popleft():
                        yield row
            while in_flight:
                for row in await in_flight.popleft():
                    yield row
        finally:  # also when the caller abandons the iterator
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)


async def _show_progress(rows: AsyncIterator[_T], total: int | None) -> AsyncIterator[_T]:
    ticks = show_progress(itertools.count(), total=total, unit="texts")
    try:
        async for row in rows:
            next(ticks)
            yield row
    finally:
        ticks.close()  # type: ignore[attr-defined]
