"""AsyncClient: `Client` for asyncio."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar, overload

from tfclf.client.batches import Batch, async_batches, async_rows_of, check_not_both_async, rows_of
from tfclf.client.connect import AS_GIVEN, connected, prepared
from tfclf.client.conversation import Conversation
from tfclf.client.messages import Metadata, VersionStatus
from tfclf.client.options import Options, checked_seconds, checked_timeout, whole
from tfclf.client.tls import Tls
from tfclf.inputs import as_pairs
from tfclf.prediction import Prediction
from tfclf.progress import shown

_T = TypeVar("_T")


class AsyncClient:
    """As `Client`, with the same options, for asyncio: `await` for a list, `async for` for a stream.

        async with tfclf.AsyncClient("localhost:8500", model="demo") as client:
            predictions = await client.predict(texts)
            async for prediction in client.stream(lines):
                ...

    For one event loop, the one that runs at its first use; any number of its tasks may call at once.

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
        self._options = Options.checked(
            model=model,
            version=version,
            timeout=timeout,
            retries=retries,
            batch_size=batch_size,
            batch_bytes=batch_bytes,
            in_flight=in_flight,
            xla=xla,
        )
        self._place, self._tls = prepared(address, tls)
        self._talk: Conversation | None = None

    @overload
    async def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> Prediction: ...
    @overload
    async def predict(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> list[Prediction]: ...
    async def predict(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: str | Iterable[str] | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> Prediction | list[Prediction]:
        """One `Prediction` a text, in order, or one of one str; arguments and errors as `Client.predict`'s."""
        if isinstance(texts, str):
            several = as_pairs(pairs)
            (one,) = await self.predict(
                [texts], pairs=several, batch_size=batch_size, timeout=timeout, progress=progress
            )
            return one
        answers = self.stream(
            texts, pairs=pairs, batch_size=batch_size, timeout=timeout, progress=progress
        )
        return [prediction async for prediction in answers]

    def stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        *,
        pairs: Iterable[str] | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> AsyncIterator[Prediction]:
        """As `predict`, read and answered as it goes, in constant memory; for `async for`.

        Args:
          texts: may be read with `async for` too; then without pairs.
        """
        check_not_both_async(texts, pairs)
        total = len(texts) if progress and isinstance(texts, Sequence) else None
        answers = self._stream(texts, pairs, Conversation.predict, batch_size, timeout)
        return _shown(answers, total) if progress else answers

    async def tokenize(
        self, texts: Iterable[str] | AsyncIterable[str], *, timeout: float | None = AS_GIVEN
    ) -> list[list[int]]:
        """The token ids of each text, special tokens and truncation included."""
        return [
            ids async for ids in self._stream(texts, None, Conversation.tokenize, None, timeout)
        ]

    async def metadata(self, *, timeout: float | None = AS_GIVEN) -> Metadata:
        """The version that answers, and its signatures. Raises: ClientError."""
        return await self._conversation().metadata(self._timeout(timeout))

    async def status(self, *, timeout: float | None = AS_GIVEN) -> tuple[VersionStatus, ...]:
        """How far each version of the model is: loading, available, unloading. Raises: ClientError."""
        return await self._conversation().status(self._timeout(timeout))

    async def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Returns when the model answers. Raises: ClientError where it does not within `timeout` seconds."""
        await self._conversation().wait_until_ready(checked_seconds(timeout))

    async def close(self) -> None:
        """Ends the connection, and the requests under way."""
        if self._talk is not None:
            await self._talk.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _conversation(self) -> Conversation:
        # Not in __init__: a connection belongs to the loop that runs when it is made.
        if self._talk is None:
            transport = connected(self._place, self._options, self._tls, asynchronous=True)
            self._talk = Conversation(transport, self._place, self._options)
        return self._talk

    def _timeout(self, timeout: float | None) -> float | None:
        return self._options.timeout if timeout is AS_GIVEN else checked_timeout(timeout)

    def _stream(
        self,
        texts: Iterable[str] | AsyncIterable[str],
        pairs: Iterable[str] | None,
        ask: Callable[[Conversation, Batch, float | None], Coroutine[Any, Any, list[_T]]],
        batch_size: int | None,
        timeout: float | None,
    ) -> AsyncIterator[_T]:
        rows = async_rows_of(texts) if isinstance(texts, AsyncIterable) else rows_of(texts, pairs)
        size = self._options.batch_size if batch_size is None else whole(batch_size, "batch_size")
        gathered = async_batches(rows, size=size, size_bytes=self._options.batch_bytes)
        return self._answers(gathered, ask, self._timeout(timeout))

    async def _answers(
        self,
        gathered: AsyncIterator[Batch],
        ask: Callable[[Conversation, Batch, float | None], Coroutine[Any, Any, list[_T]]],
        timeout: float | None,
    ) -> AsyncIterator[_T]:
        talk = self._conversation()
        under_way: deque[asyncio.Task[list[_T]]] = deque()
        begun = False
        try:
            async for batch in gathered:
                if not begun:
                    await talk.begin(timeout)
                    begun = True
                under_way.append(asyncio.create_task(ask(talk, batch, timeout)))
                if len(under_way) == self._options.in_flight:
                    for answer in await under_way.popleft():
                        yield answer
            while under_way:
                for answer in await under_way.popleft():
                    yield answer
        finally:  # also where the caller stops to listen
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


async def _shown(answers: AsyncIterator[_T], total: int | None) -> AsyncIterator[_T]:
    ticks = shown(itertools.count(), total=total, unit="texts")
    try:
        async for answer in answers:
            next(ticks)
            yield answer
    finally:
        ticks.close()  # type: ignore[attr-defined]
