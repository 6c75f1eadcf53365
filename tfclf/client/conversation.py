"""The requests behind each call of a client, for both protocols, blocking or not."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from tfclf.client.address import Address
from tfclf.client.batches import Batch
from tfclf.client.messages import (
    Metadata,
    Refused,
    Request,
    Response,
    Transport,
    VersionChoice,
    VersionStatus,
)
from tfclf.client.options import Options
from tfclf.client.reasons import Reason
from tfclf.client.refusals import to_client_error
from tfclf.client.served import (
    ServedModel,
    count_tokens,
    describe,
    find_max_length,
    find_problem_type,
    other_export,
)
from tfclf.decision import Decide, Rule
from tfclf.errors import ClientError, InputError
from tfclf.explanation import Explanation, make_explanations
from tfclf.prediction import Prediction, make_predictions
from tfclf.problem_types import REGRESSION, SINGLE_LABEL
from tfclf.saved_model import signature_names

_T = TypeVar("_T")
_MAX_SWAPS = 3  # in a row, during one request; more than that is an error and not a swap
_POLL_SECONDS = 0.25


class Conversation:
    """The state of a client: what it knows of the version that answers now.

    Any thread may read and replace that state.

    A server swaps versions while it serves. Over gRPC, a response says which version gave it. If
    that is another version than before, the client learns its labels before it reads the response.
    REST responses do not say. There the client finds out the version at the start of each
    `predict`, and asks for it by number; if the server no longer finds that version, the client
    finds out the next one and asks again. Either way, no response is ever read with another
    version's labels.

    Two exports may have one number, after a restart or on two servers behind one address. Beside
    each response our server says by which facts it is read (`ServedModel.gave`). Without that, the
    labels in a response must go with its probabilities (`ServedModel.check_labels`).
    """

    def __init__(self, transport: Transport, address: Address, options: Options) -> None:
        self._transport = transport
        self._address = address
        self._options = options
        self._choice = VersionChoice(options.version, options.label)
        self._known: ServedModel | None = None
        self._described: dict[tuple[int, str], ServedModel] = {}  # by version and facts
        # By ServedModel.key, of those for which they had to be found out.
        self._problem_types: dict[tuple[object, ...], str] = {}
        self._strides: dict[tuple[object, ...], int] = {}

    async def begin(self, timeout: float | None) -> None:
        """Find out, before the first batch of a call, what may have changed since the last call.

        Raises: ClientError, as do the methods below.
        """
        await self._translate_refusals(lambda: self._begin(timeout))

    async def predict(
        self, batch: Batch, timeout: float | None, rule: Rule | None = None
    ) -> list[Prediction]:
        """Return one prediction per row.

        Args:
          rule: ranks, thresholds and abstention. The client decides them from the probabilities:
            the wire is TF Serving's.
        Raises: InputError, too, if the rule does not fit the model.
        """
        return await self._translate_refusals(lambda: self._predict(batch, timeout, rule))

    async def explain(
        self,
        batch: Batch,
        timeout: float | None,
        *,
        in_windows: bool = False,
        stride: int | None = None,
    ) -> list[Explanation]:
        """Return one explanation per row.

        Args:
          in_windows: whether long texts are read in windows; then there are no pairs.
          stride: of windows; by default a quarter of the model's length limit, as in process.
        Raises: InputError, too, if a stride is needed and none is given.
        """
        columns = [list(column) for column in zip(*batch, strict=True)]
        inputs = dict(zip(("text", "text_pair"), columns, strict=False))

        async def make_request(served: ServedModel) -> Request:
            paired = len(columns) == 2
            signature = served.explain_signature(paired=paired, in_windows=in_windows)
            if not in_windows:
                return Request(signature, inputs)
            step = await self._choose_stride(served, timeout) if stride is None else stride
            return Request(signature, {**inputs, "stride": [step] * len(batch)})

        async def read(response: Response, served: ServedModel) -> list[Explanation]:
            outputs = response.outputs
            if in_windows:
                outputs = {**outputs, "truncated": [False] * len(batch)}
            return list(make_explanations(outputs, columns, served.labels))

        return await self._translate_refusals(lambda: self._ask(make_request, read, timeout))

    async def tokenize(self, batch: Batch, timeout: float | None) -> list[list[int]]:
        """Return the token ids of each row, without padding."""
        texts = [row[0] for row in batch]
        outputs = ("input_ids", "attention_mask")
        request = Request(signature_names.TOKENIZE, {"text": texts}, outputs)

        async def read(response: Response, _: ServedModel) -> list[list[int]]:
            rows = zip(*(response.outputs[name] for name in outputs), strict=True)
            return [
                [token for token, real in zip(ids, mask, strict=True) if real] for ids, mask in rows
            ]

        async def make_request(_: ServedModel) -> Request:
            return request

        return await self._translate_refusals(lambda: self._ask(make_request, read, timeout))

    async def metadata(self, timeout: float | None) -> Metadata:
        """Return the signatures of the version that would answer."""
        return await self._translate_refusals(
            lambda: self._transport.metadata(self._choice, timeout)
        )

    async def status(self, timeout: float | None) -> tuple[VersionStatus, ...]:
        """Return the status of each version that the server has or had."""
        return await self._translate_refusals(lambda: self._transport.status(self._choice, timeout))

    async def wait_until_ready(self, timeout: float) -> None:
        """Return when the model answers; the first `predict` then has nothing to find out.

        Metadata decides, not GetModelStatus: the version that is AVAILABLE may not be the requested
        one, and a server whose manager is starting answers NOT_FOUND to either.
        """
        end = time.monotonic() + timeout
        answered: Refused | None = None
        while True:
            left = end - time.monotonic()
            try:
                limit = max(left, 0.001)
                self._known = await self._find_model(
                    partial(describe, self._transport, self._choice, timeout=limit)
                )
                return
            except Refused as refused:
                may_become_ready = (
                    refused.retriable
                    or refused.code in ("NOT_FOUND", "DEADLINE_EXCEEDED")
                    # A server knows a label only once the label's version is loaded.
                    or refused.reason is Reason.UNKNOWN_LABEL
                )
                if not may_become_ready or end - time.monotonic() <= _POLL_SECONDS:
                    suffix = ""
                    if may_become_ready:
                        suffix = f" It was asked again for {timeout:g} seconds."
                    # The last call has little time left. What the server said before tells more.
                    ended_early = refused.code == "DEADLINE_EXCEEDED"
                    shown = answered if ended_early and answered else refused
                    raise self._to_error(shown, suffix) from None
                if refused.code != "DEADLINE_EXCEEDED":
                    answered = refused
            await self._transport.sleep(_POLL_SECONDS)

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def _begin(self, timeout: float | None) -> None:
        if self._known is not None:
            if self._transport.reports_version or self._choice.version is not None:
                return
            versions = await self._transport.status(self._choice, timeout)
            available = [one.version for one in versions if one.state == "AVAILABLE"]
            if available and max(available) == self._known.version:
                return
        self._known = await describe(self._transport, self._choice, timeout=timeout)

    async def _predict(
        self, batch: Batch, timeout: float | None, rule: Rule | None
    ) -> list[Prediction]:
        columns = [list(column) for column in zip(*batch, strict=True)]
        inputs = dict(zip(("text", "text_pair"), columns, strict=False))

        async def make_request(served: ServedModel) -> Request:
            signature = served.signature(paired=len(columns) == 2, xla=self._options.xla)
            return Request(signature, inputs)

        async def read(response: Response, served: ServedModel) -> list[Prediction]:
            outputs = response.outputs
            if "truncated" not in outputs and len(columns) == 1:
                limit = served.max_length
                choice = VersionChoice(version=served.version)
                counts = await count_tokens(self._transport, choice, columns[0], timeout)
                # A row as long as the limit may or may not be truncated.
                outputs = {
                    **outputs,
                    "truncated": [None if limit is None or n >= limit else False for n in counts],
                }
            decide = None if rule is None else await self._bind(rule, served, timeout)
            return list(make_predictions(outputs, served.labels, decide))

        return await self._ask(make_request, read, timeout)

    async def _bind(self, rule: Rule, served: ServedModel, timeout: float | None) -> Decide:
        """Check the rule against a version; find out its problem type if that matters."""
        problem_type = SINGLE_LABEL if served.labels else REGRESSION
        if rule.threshold is not None and served.labels:
            if served.key not in self._problem_types:
                found = await find_problem_type(self._transport, served, timeout)
                self._problem_types[served.key] = found
            problem_type = self._problem_types[served.key]
        name = self._transport.model
        return rule.bind(
            served.labels, name=name, problem_type=problem_type, calibrated=served.thresholds
        )

    async def _choose_stride(self, served: ServedModel, timeout: float | None) -> int:
        """Return a quarter of a version's length limit, which is found out once."""
        if served.key not in self._strides:
            choice = VersionChoice(version=served.version)
            signatures = served.metadata.signatures
            limit = await find_max_length(self._transport, choice, signatures, timeout)
            if limit is None:
                raise InputError(
                    f"long='windows' is given without a stride, and the length limit of "
                    f"{self._transport.model}, of which it is a quarter, cannot be found out. "
                    f"Give stride=, the tokens that two neighbouring windows share."
                )
            self._strides[served.key] = limit // 4
        return self._strides[served.key]

    async def _ask(
        self,
        make_request: Callable[[ServedModel], Awaitable[Request]],
        read: Callable[[Response, ServedModel], Awaitable[list[_T]]],
        timeout: float | None,
    ) -> list[_T]:
        """Send a request and `read` the response with the labels of the version that gave it."""
        for attempt in range(_MAX_SWAPS):
            served = self._known
            if served is None:
                served = self._known = await describe(
                    self._transport, self._choice, timeout=timeout
                )
            choice = self._choice
            if not self._transport.reports_version:
                choice = VersionChoice(version=served.version)
            try:
                request = await make_request(served)
                response = await self._transport.predict(request, choice, timeout)
                if not served.gave(response):
                    served = self._known = await self._find_giver(response, served, timeout)
                served.check_labels(response)
                return await read(response, served)
            except Refused as refused:
                if not _may_be_swapped(refused) or attempt == _MAX_SWAPS - 1:
                    raise
                self._known = None
        raise AssertionError("the last attempt returns or raises")

    async def _find_giver(
        self, response: Response, served: ServedModel, timeout: float | None
    ) -> ServedModel:
        """Return the export that gave a response, which is not the one that was known last.

        Raises: Refused if the server no longer describes it.
        """
        version = served.version if response.version is None else response.version
        self._described[served.version, served.metadata.facts] = served
        giver = self._described.get((version, response.facts)) if response.facts else None
        if giver is None:
            giver = await describe(self._transport, VersionChoice(version=version), timeout=timeout)
        if not giver.gave(response):
            raise other_export(version, "an answer does not go")
        return giver

    async def _translate_refusals(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Await `ask()`. Raises: ClientError for a Refused."""
        try:
            return await self._find_model(ask)
        except Refused as refused:
            raise self._to_error(refused) from None

    async def _find_model(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Await `ask()`; if the user named no model and the server has but one, ask it for that.

        Raises: Refused.
        """
        try:
            return await ask()
        except Refused as refused:
            names = () if self._options.named else refused.models
            if len(names) != 1 or names[0] == self._transport.model:
                raise
            self._transport.model = names[0]
            self._known = None
        return await ask()

    def _to_error(self, refused: Refused, suffix: str = "") -> ClientError:
        options = replace(self._options, model=self._transport.model)
        return to_client_error(refused, self._address, options, suffix)


def _may_be_swapped(refused: Refused) -> bool:
    """Whether the version is gone, or another export has its place."""
    return refused.code == "NOT_FOUND" or refused.reason in (
        Reason.UNKNOWN_SIGNATURE,
        Reason.MISSING_SIGNATURE,
        Reason.OTHER_EXPORT,
    )
