"""Client: a served model, called like a loaded one."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from tfclf.client.batches import Batch, Row, group_rows, read_rows
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
from tfclf.errors import ClientError, InputError
from tfclf.explanation import Explanation
from tfclf.inputs import IndexedTexts, as_pairs
from tfclf.prediction import Prediction
from tfclf.progress import match_texts

if TYPE_CHECKING:
    from typing_extensions import Unpack

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Connection:
    """What a client has in one process."""

    process: int
    conversation: Conversation
    threads: ThreadPoolExecutor


class Client:
    """A model on a server: TF Serving, or `tfclf serve`.

        with tfclf.Client("localhost:8500", model="demo") as client:
            client.predict(["Ceasefire talks resume after a night of shelling"])[0].label  # 'World'

        Client("localhost:8500")                      # gRPC, the only model, latest version
        Client("localhost:8500", version="stable")    # by label; or version=3
        Client("http://localhost:8501", timeout=5)    # REST; 5 seconds, retries included
        Client("localhost:8500", batch_size=64, in_flight=8)      # many texts to a large server
        Client("localhost:8500", xla=True)            # a server with a GPU and XLA switched on
        Client("grpcs://models.example", tls=Tls(ca="ca.pem"))    # TLS with your own authority

    Predictions equal those of `Classifier.predict` in process: to the last bit if the server runs
    each request by itself, and within float32's rounding if it batches several requests. Several
    threads may use one client at once. A forked child connects anew, and so does a pickled copy.

    Args:
      address: 'localhost:8500' or 'grpc://...' for gRPC, 'http://localhost:8501' for REST;
        'grpcs://' and 'https://' with TLS. gRPC is several times as fast as REST.
      model: the server's name for the model. By default 'default', as in tensorflow_model_server;
        if a server of tfclf has no such model and only one other, that one.
      version: a number, or a label such as 'stable'; the latest by default.
      timeout: seconds for a request, its retries included; None sets no limit. Over gRPC the server
        learns the deadline too.
      retries: further attempts, at most 4, at least about 0.2 seconds apart, when the server is
        UNAVAILABLE: away, starting, stopping, or its queue is full. Other errors would only come
        again.
      batch_size: rows in a request.
      batch_bytes: bytes of text in a request; a single longer text travels alone.
      in_flight: requests in flight at once, for a call with many texts.
      xla: call the signatures compiled by XLA; for a server with a GPU and XLA switched on.
      tls: `Tls(...)`, or True for TLS with the public authorities.
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
        self._connections = [self._connect()]

    def __repr__(self) -> str:
        return describe_client("Client", self._address, self._options)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the client was made with; the copy connects anew, wherever it is."""
        return partial(Client, **self._options.to_arguments(), tls=self._tls), (
            self._address.given,
        )

    # The overlap is intended: the result is typed as a list only for a known Sequence. The last
    # three are the first three with `abstain_below`.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        abstain_below: None = None,
        **options: Unpack[PredictOptions],
    ) -> Prediction: ...
    @overload
    def predict(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: None = None,
        **options: Unpack[PredictOptions],
    ) -> list[Prediction]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: None = None,
        **options: Unpack[PredictOptions],
    ) -> Iterator[Prediction]: ...
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        abstain_below: float,
        **options: Unpack[PredictOptions],
    ) -> Prediction[str | None]: ...
    @overload
    def predict(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: float,
        **options: Unpack[PredictOptions],
    ) -> list[Prediction[str | None]]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        abstain_below: float,
        **options: Unpack[PredictOptions],
    ) -> Iterator[Prediction[str | None]]: ...
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: str | Iterable[str] | None = None,
        top_k: int | None = None,
        threshold: Threshold | None = None,
        abstain_below: float | None = None,
        batch_size: int | None = None,
        timeout: float | None = CLIENT_DEFAULT,
        progress: bool = False,
    ) -> (
        Prediction[str | None] | list[Any] | Iterator[Any]
    ):  # the overloads say what the list and the iterator hold
        """Return one `Prediction` per text, in order.

        Args:
          texts: one str gives its prediction. A list gives a list, and so does a Series, an array
            or a tensor. Any other iterable gives an iterator that reads texts lazily, in constant
            memory, with `in_flight` requests at once.
          pairs: the second text of each row, as many as there are texts; one str for one str.
          top_k, threshold, abstain_below: as in `Classifier.predict`; computed here, from the
            probabilities. Of servers, only tfclf's sends the thresholds of a calibrated export.
          batch_size, timeout: replace the client's own for this call.
          progress: show a bar on standard error if the call takes longer than a second.
        Raises: InputError for anything but text, naming its index, and for options that do not fit
          the model; ClientError.
        """
        ask = partial(Conversation.predict, rule=Rule.of(top_k, threshold, abstain_below))
        predictions = self._stream(_read_rows(texts, pairs), ask, batch_size, timeout)
        return match_texts(texts, predictions, progress=progress)  # type: ignore[no-any-return]

    @overload
    def explain(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Explanation: ...
    @overload
    def explain(
        self,
        texts: IndexedTexts,
        *,
        pairs: Iterable[str] | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Explanation]: ...
    @overload
    def explain(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Iterator[Explanation]: ...
    def explain(
        self,
        texts: str | Iterable[str],
        *,
        pairs: str | Iterable[str] | None = None,
        long: str = "truncate",
        stride: int | None = None,
        batch_size: int | None = None,
        timeout: float | None = CLIENT_DEFAULT,
        progress: bool = False,
    ) -> Explanation | list[Explanation] | Iterator[Explanation]:
        """Return one `Explanation` per text, in order, with the kinds of results of `predict`.

        A text of 40 words costs the server 41 times as much as `predict`: mind the timeout. An
        iterator that is closed, as by leaving its loop, sends no further requests.

        Args:
          texts, pairs: as in `predict`.
          long: 'truncate', or 'windows' to read all of a long text, as in `Classifier.explain`.
          stride: tokens that two neighbouring windows share; by default a quarter of the model's
            length limit, which the client finds out once.
          batch_size, timeout: replace the client's own for this call.
          progress: show a bar on standard error if the call takes longer than a second. It moves by
            requests: give a small batch_size with it.
        Raises: as `predict`; also ClientError if the model was exported before tfclf could explain.
        """
        in_windows = check_windows(long, stride, has_pairs=pairs is not None)
        ask = partial(Conversation.explain, in_windows=in_windows, stride=stride)
        explanations = self._stream(_read_rows(texts, pairs), ask, batch_size, timeout)
        return match_texts(texts, explanations, progress=progress)  # type: ignore[no-any-return]

    def tokenize(
        self, texts: Iterable[str], *, timeout: float | None = CLIENT_DEFAULT
    ) -> list[list[int]]:
        """Return the token ids of each text, special tokens and truncation included.

        Raises: the errors of `predict`.
        """
        rows = read_rows(texts, None)
        return list(self._stream(rows, Conversation.tokenize, None, timeout))

    def metadata(self, *, timeout: float | None = CLIENT_DEFAULT) -> Metadata:
        """Return the version that answers and its signatures. Raises: ClientError."""
        return run_to_completion(self._conversation.metadata(self._timeout(timeout)))

    def status(self, *, timeout: float | None = CLIENT_DEFAULT) -> tuple[VersionStatus, ...]:
        """Return the state of each version: loading, available, unloading. Raises: ClientError."""
        return run_to_completion(self._conversation.status(self._timeout(timeout)))

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Return when the model answers.

        Raises: ClientError if it does not answer within `timeout` seconds.
        """
        run_to_completion(self._conversation.wait_until_ready(check_seconds(timeout)))

    def close(self) -> None:
        """Close the connection and cancel in-flight requests."""
        connection = self._connections[-1]
        if connection.process != os.getpid():  # a fork's parent closes its own
            return
        run_to_completion(connection.conversation.close())
        connection.threads.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _connection(self) -> _Connection:
        """The connection of this process.

        After a fork the child opens its own: two processes on one connection read each other's
        responses, and a child does not have its parent's threads.
        """
        if self._connections[-1].process != os.getpid():
            # The parent's stays in the list: to drop it would close it.
            self._connections.append(self._connect())
        return self._connections[-1]

    @property
    def _conversation(self) -> Conversation:
        return self._connection.conversation

    def _connect(self) -> _Connection:
        transport = open_transport(self._address, self._options, self._tls, asynchronous=False)
        return _Connection(
            os.getpid(),
            Conversation(transport, self._address, self._options),
            ThreadPoolExecutor(self._options.in_flight, thread_name_prefix="tfclf-client"),
        )

    def _timeout(self, timeout: float | None) -> float | None:
        return self._options.timeout if timeout is CLIENT_DEFAULT else check_timeout(timeout)

    def _stream(
        self,
        rows: Iterable[tuple[bytes, ...]],
        ask: Callable[[Conversation, Batch, float | None], Coroutine[Any, Any, list[_T]]],
        batch_size: int | None,
        timeout: float | None,
    ) -> Iterator[_T]:
        size = self._options.batch_size
        if batch_size is not None:
            size = check_whole_number(batch_size, "batch_size")
        limit = self._timeout(timeout)
        batches = group_rows(rows, size=size, size_bytes=self._options.batch_bytes)
        return self._run(batches, ask, limit)

    def _run(
        self,
        batches: Iterator[Batch],
        ask: Callable[[Conversation, Batch, float | None], Coroutine[Any, Any, list[_T]]],
        timeout: float | None,
    ) -> Iterator[_T]:
        """Answer batches in threads, a bounded number in flight; yield rows in order."""
        first = list(itertools.islice(batches, 2))
        if not first:
            return
        connection = self._connection

        def answer(batch: Batch) -> list[_T]:
            return run_to_completion(ask(connection.conversation, batch, timeout))

        run_to_completion(connection.conversation.begin(timeout))
        if len(first) == 1:  # the usual call: no need to wake a thread
            yield from answer(first[0])
            return
        in_flight: deque[Future[list[_T]]] = deque()
        try:
            for batch in itertools.chain(first, batches):
                _check_process(connection.process)
                try:
                    in_flight.append(connection.threads.submit(answer, batch))
                except RuntimeError:
                    raise ClientError(
                        f"the client of {self._address} was closed while an iterator of its "
                        f"predictions was still read. Read all of it before the client's `with` "
                        f"block ends, or give a list of texts.",
                        code="CANCELLED",
                    ) from None
                # One batch more than there are threads keeps every thread busy.
                if len(in_flight) > self._options.in_flight:
                    yield from in_flight.popleft().result()
            while in_flight:
                _check_process(connection.process)
                yield from in_flight.popleft().result()
        finally:  # also when the caller abandons the iterator
            for future in in_flight:
                future.cancel()


def _check_process(process: int) -> None:
    if process != os.getpid():
        raise InputError(
            f"this iterator was begun in process {process}, and process {os.getpid()} is a fork of "
            f"it: the threads that answer it are in the other one. Make the call anew here."
        )


def _read_rows(texts: Any, pairs: Any) -> Iterator[Row]:
    """Read rows as `read_rows` does; one str is one row."""
    if isinstance(texts, str):
        return read_rows([texts], as_pairs(pairs))
    return read_rows(texts, pairs)


def run_to_completion(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of a coroutine on a blocking transport, which never suspends.

    >>> async def double(number: int) -> int:
    ...     return 2 * number
    >>> run_to_completion(double(3))
    6
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    coroutine.close()
    raise AssertionError("a blocking transport has suspended")
