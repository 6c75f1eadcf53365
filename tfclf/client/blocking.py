"""Client: a served model, called like a loaded one."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar, overload

from tfclf.client.batches import Batch, batches, rows_of
from tfclf.client.connect import AS_GIVEN, connected, prepared
from tfclf.client.conversation import Conversation
from tfclf.client.messages import Metadata, VersionStatus
from tfclf.client.options import Options, checked_seconds, checked_timeout, whole
from tfclf.client.tls import Tls
from tfclf.inputs import as_pairs
from tfclf.prediction import Prediction
from tfclf.progress import shown

_T = TypeVar("_T")


class Client:
    """A model on a server: TF Serving, or `tfclf serve`.

        with tfclf.Client("localhost:8500", model="demo") as client:
            client.predict(["Ceasefire talks resume after a night of shelling"])[0].label  # 'World'

    Predictions are those that `Classifier.predict` gives in process, to the last bit where the server runs each
    request by itself, and within float32's rounding where it gathers several into one batch. May be used by several
    threads at once.

    Args:
      address: 'localhost:8500' or 'grpc://...' for gRPC, 'http://localhost:8501' for REST; 'grpcs://' and 'https://'
        with TLS. gRPC is several times as fast as REST.
      model: what the server calls it; by default 'default', as tensorflow_model_server does.
      version: a number, or a label such as 'stable'; by default the latest.
      timeout: seconds for a request, its retries included; the server hears of it over gRPC. None: no limit.
      retries: further attempts, 4 at most, 0.2 seconds and more apart, at a server that is UNAVAILABLE: not there,
        starting, stopping, or with its queue full. Other errors would only come again.
      batch_size: rows in a request.
      batch_bytes: of text in a request; one text that is longer goes by itself.
      in_flight: requests under way at once, of one that goes through many texts.
      xla: asks the signatures that XLA compiles; for a server with a GPU and XLA switched on.
      tls: `Tls` or True: TLS with the public authorities.
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
        place, security = prepared(address, tls)
        transport = connected(place, self._options, security, asynchronous=False)
        self._talk = Conversation(transport, place, self._options)
        self._threads = ThreadPoolExecutor(
            self._options.in_flight, thread_name_prefix="tfclf-client"
        )

    # What the overlap warns of is meant: a list is typed as one only where the caller can see that it is.
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: str,
        *,
        pairs: str | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> Prediction: ...
    @overload
    def predict(  # type: ignore[overload-overlap]
        self,
        texts: Sequence[str],
        *,
        pairs: Iterable[str] | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> list[Prediction]: ...
    @overload
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: Iterable[str] | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> Iterator[Prediction]: ...
    def predict(
        self,
        texts: Iterable[str],
        *,
        pairs: str | Iterable[str] | None = None,
        batch_size: int | None = None,
        timeout: float | None = AS_GIVEN,
        progress: bool = False,
    ) -> Prediction | list[Prediction] | Iterator[Prediction]:
        """One `Prediction` a text, in order.

        Args:
          texts: of one str comes its prediction; of a list comes a list; of any other iterable an iterator that reads
            as it goes, in constant memory, with `in_flight` requests under way.
          pairs: the second text of each row, as many as there are texts; of one str one.
          batch_size, timeout: as the client's, for this call.
          progress: shows a bar on standard error, once it takes longer than a second.
        Raises: InputError for anything but text, naming its index; ClientError.
        """
        if isinstance(texts, str):
            several = as_pairs(pairs)
            (one,) = self.predict(
                [texts], pairs=several, batch_size=batch_size, timeout=timeout, progress=progress
            )
            return one
        rows = rows_of(texts, pairs)
        total = len(texts) if isinstance(texts, Sequence) else None
        predictions = self._stream(rows, self._talk.predict, batch_size, timeout)
        if progress:
            predictions = shown(predictions, total=total, unit="texts")
        return predictions if total is None else list(predictions)

    def tokenize(
        self, texts: Iterable[str], *, timeout: float | None = AS_GIVEN
    ) -> list[list[int]]:
        """The token ids of each text, special tokens and truncation included. Raises: as `predict`."""
        return list(self._stream(rows_of(texts, None), self._talk.tokenize, None, timeout))

    def metadata(self, *, timeout: float | None = AS_GIVEN) -> Metadata:
        """The version that answers, and its signatures. Raises: ClientError."""
        return finished(self._talk.metadata(self._timeout(timeout)))

    def status(self, *, timeout: float | None = AS_GIVEN) -> tuple[VersionStatus, ...]:
        """How far each version of the model is: loading, available, unloading. Raises: ClientError."""
        return finished(self._talk.status(self._timeout(timeout)))

    def wait_until_ready(self, timeout: float = 60.0) -> None:
        """Returns when the model answers. Raises: ClientError where it does not within `timeout` seconds."""
        finished(self._talk.wait_until_ready(checked_seconds(timeout)))

    def close(self) -> None:
        """Ends the connection, and the requests under way."""
        finished(self._talk.close())
        self._threads.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _timeout(self, timeout: float | None) -> float | None:
        return self._options.timeout if timeout is AS_GIVEN else checked_timeout(timeout)

    def _stream(
        self,
        rows: Iterable[tuple[bytes, ...]],
        ask: Callable[[Batch, float | None], Coroutine[Any, Any, list[_T]]],
        batch_size: int | None,
        timeout: float | None,
    ) -> Iterator[_T]:
        size = self._options.batch_size if batch_size is None else whole(batch_size, "batch_size")
        limit = self._timeout(timeout)
        gathered = batches(rows, size=size, size_bytes=self._options.batch_bytes)
        return self._answers(gathered, lambda batch: finished(ask(batch, limit)), limit)

    def _answers(
        self, gathered: Iterator[Batch], answer: Callable[[Batch], list[_T]], timeout: float | None
    ) -> Iterator[_T]:
        first = list(itertools.islice(gathered, 2))
        if not first:
            return
        finished(self._talk.begin(timeout))
        if len(first) == 1:  # most calls: no thread need be woken
            yield from answer(first[0])
            return
        under_way: deque[Future[list[_T]]] = deque()
        try:
            for batch in itertools.chain(first, gathered):
                under_way.append(self._threads.submit(answer, batch))
                if (
                    len(under_way) > self._options.in_flight
                ):  # one more than there are threads: none of them waits
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:  # also where the caller stops to listen
            for future in under_way:
                future.cancel()


def finished(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine over a blocking transport returns: it never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    coroutine.close()
    raise AssertionError("a blocking transport has suspended")
