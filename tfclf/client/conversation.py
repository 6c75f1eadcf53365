"""What a client and a server say to one another, whatever the protocol, blocking or not."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tfclf.client.address import Address
from tfclf.client.batches import Batch
from tfclf.client.messages import Answer, Ask, Choice, Metadata, Refused, Transport, VersionStatus
from tfclf.client.options import Options
from tfclf.client.refusals import client_error
from tfclf.client.served import Served, describe, token_counts
from tfclf.errors import ClientError
from tfclf.prediction import Prediction, predictions_of

_T = TypeVar("_T")
_SWAPS = 3  # in a row, while one batch is asked about; more is no swap but a mistake
_POLL = 0.25


class Conversation:
    """The state is what is known of the version that answers now; it may be read and replaced by any thread.

    A server swaps versions while it serves. Over gRPC an answer says which version gave it; when that is another one
    than before, its labels are learnt before the answer is read. REST's answers do not say, so that there the
    version is found out at the start of each `predict` and asked for by number; when it is gone in between, so that
    the server no longer finds it, the next one is found out and asked. Either way no answer is ever read with another
    version's labels.
    """

    def __init__(self, transport: Transport, address: Address, options: Options) -> None:
        self._transport = transport
        self._address = address
        self._options = options
        self._choice = Choice(options.version, options.label)
        self._known: Served | None = None

    async def begin(self, timeout: float | None) -> None:
        """Before the batches of one call: what may have changed since the last one is found out."""
        await self._worded(lambda: self._begin(timeout))

    async def predict(self, batch: Batch, timeout: float | None) -> list[Prediction]:
        """One prediction a row. Raises: ClientError, as all of these."""
        return await self._worded(lambda: self._predict(batch, timeout))

    async def tokenize(self, batch: Batch, timeout: float | None) -> list[list[int]]:
        """The token ids of each row, without padding."""
        texts = [row[0] for row in batch]
        asked = Ask("tokenize", {"text": texts}, ("input_ids", "attention_mask"))

        async def read(answer: Answer, _: Served) -> list[list[int]]:
            rows = zip(answer.outputs["input_ids"], answer.outputs["attention_mask"], strict=True)
            return [
                [token for token, real in zip(ids, mask, strict=True) if real] for ids, mask in rows
            ]

        return await self._worded(lambda: self._ask(lambda _: asked, read, timeout))

    async def metadata(self, timeout: float | None) -> Metadata:
        """The signatures of the version that would answer."""
        return await self._worded(lambda: self._transport.metadata(self._choice, timeout))

    async def status(self, timeout: float | None) -> tuple[VersionStatus, ...]:
        """Of the versions that the server has or had."""
        return await self._worded(lambda: self._transport.status(self._choice, timeout))

    async def wait_until_ready(self, timeout: float) -> None:
        """Returns once the model answers; it asks as `predict` would, so that the first call finds all known.

        Metadata and not GetModelStatus decides: a version that is AVAILABLE elsewhere may still not be the one asked
        for, and a server whose manager is starting says NOT_FOUND to either.
        """
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                self._known = await describe(
                    self._transport, self._choice, timeout=max(left, 0.001)
                )
                return
            except Refused as refused:
                hopeful = refused.again or refused.code in ("NOT_FOUND", "DEADLINE_EXCEEDED")
                # A label is set when its version is there; until then it is unknown.
                hopeful |= self._choice.label is not None and "label" in refused.details
                if not hopeful or end - time.monotonic() <= _POLL:
                    waited = f" It was asked again for {timeout:g} seconds." if hopeful else ""
                    raise self._error(refused, waited) from None
            await self._transport.sleep(_POLL)

    async def close(self) -> None:
        """Ends the connection."""
        await self._transport.close()

    async def _begin(self, timeout: float | None) -> None:
        if self._known is not None:
            if self._transport.tells_version or self._choice.version is not None:
                return
            versions = await self._transport.status(self._choice, timeout)
            available = [one.version for one in versions if one.state == "AVAILABLE"]
            if available and max(available) == self._known.version:
                return
        self._known = await describe(self._transport, self._choice, timeout=timeout)

    async def _predict(self, batch: Batch, timeout: float | None) -> list[Prediction]:
        columns = [list(column) for column in zip(*batch, strict=True)]
        inputs = dict(zip(("text", "text_pair"), columns, strict=False))

        def asked(served: Served) -> Ask:
            signature = served.signature(paired=len(columns) == 2, xla=self._options.xla)
            return Ask(signature, inputs, served.outputs(signature))

        async def read(answer: Answer, served: Served) -> list[Prediction]:
            outputs = answer.outputs
            if "truncated" not in outputs and len(columns) == 1:
                limit = served.max_length
                counts = await token_counts(
                    self._transport, Choice(version=served.version), columns[0], timeout
                )
                outputs = {
                    **outputs,
                    "truncated": [None if limit is None or n >= limit else False for n in counts],
                }
            return list(predictions_of(outputs, served.labels))

        return await self._ask(asked, read, timeout)

    async def _ask(
        self,
        asked: Callable[[Served], Ask],
        read: Callable[[Answer, Served], Awaitable[list[_T]]],
        timeout: float | None,
    ) -> list[_T]:
        """What `read` makes of an answer, given what is known of the version that gave it."""
        for attempt in range(_SWAPS):
            served = self._known
            if served is None:
                served = self._known = await describe(
                    self._transport, self._choice, timeout=timeout
                )
            choice = (
                self._choice if self._transport.tells_version else Choice(version=served.version)
            )
            try:
                answer = await self._transport.predict(asked(served), choice, timeout)
                if answer.version not in (None, served.version):
                    served = await describe(
                        self._transport, Choice(version=answer.version), timeout=timeout
                    )
                    self._known = served
                return await read(answer, served)
            except Refused as refused:
                # Of a version that has gone, or that has other signatures than the one before it.
                stale = refused.code == "NOT_FOUND" or "ignature" in refused.details
                if not stale or attempt == _SWAPS - 1:
                    raise
                self._known = None
        raise AssertionError("the last attempt returns or raises")

    async def _worded(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        try:
            return await ask()
        except Refused as refused:
            raise self._error(refused) from None

    def _error(self, refused: Refused, more: str = "") -> ClientError:
        return client_error(refused, self._address, self._options, more)
