"""The arrival of a gRPC call's message, which may be late or never come.

gRPC for Python gives a call a thread before its message is there, and waits for the message for
ever. One connection can open as many calls without a message as there are threads, and then nobody
gets an answer. This module cancels such calls after a minute, or after a second if they hold more
than half of the threads. In that case it spares the newest half: a single gRPC thread receives
everything, and when it lags, honest messages take more than a second as well.

It also refuses bytes that do not parse. gRPC itself would log a traceback for each of them, and
would parse in the one thread that all calls share.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

_TICK = 0.25
_Call = TypeVar("_Call", bound=Hashable)


class Arrivals(grpc.ServerInterceptor):
    """A gRPC interceptor that cancels calls whose message is late; close it after the server.

    Args:
      threads: the number of threads that answer calls.
      patience: seconds that a message may take.
      patience_in_a_crowd: the same if waiting calls hold more than half of the threads; it does not
        apply to the newest of them.
    """

    def __init__(
        self, threads: int, *, patience: float = 60.0, patience_in_a_crowd: float = 1.0
    ) -> None:
        self._crowd = threads // 2
        self._patience = patience
        self._patience_in_a_crowd = patience_in_a_crowd
        self._waiting: dict[grpc.ServicerContext, float] = {}
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="tfclf-arrivals", daemon=True).start()

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """Return the method's handler, wrapped to receive and parse its message itself."""
        handler = continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        if details.method not in self._handlers:  # existing methods only, so it cannot grow
            self._handlers[details.method] = self._wrap(handler)
        return self._handlers[details.method]

    def close(self) -> None:
        """End the watching thread."""
        self._closed.set()

    def _wrap(self, handler: Any) -> Any:
        behavior = handler.unary_stream if handler.response_streaming else handler.unary_unary

        def receive_and_run(
            messages: Iterator[bytes], context: grpc.ServicerContext, *more: Any
        ) -> Any:
            request = self._receive(messages, context, handler.request_deserializer)
            return behavior(request, context, *more)

        # A health Watch sends from threads other than its own, and says so by this attribute.
        non_blocking = getattr(behavior, "experimental_non_blocking", False)
        receive_and_run.experimental_non_blocking = non_blocking  # type: ignore[attr-defined]
        # As a stream of requests: on the wire, one message and many look alike.
        make_handler = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make_handler(receive_and_run, response_serializer=handler.response_serializer)

    def _receive(
        self, messages: Iterator[bytes], context: grpc.ServicerContext, read: Callable[[bytes], Any]
    ) -> Any:
        self._waiting[context] = time.monotonic()
        try:
            sent = next(messages)
        except StopIteration:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, "The method requires exactly one request message."
            )
        finally:
            del self._waiting[context]
        try:
            return read(sent)
        except DecodeError:  # gRPC for C++, hence TF Serving, answers with the same code
            context.abort(
                grpc.StatusCode.INTERNAL, "The bytes that were sent are no message of this method"
            )

    def _watch(self) -> None:
        while not self._closed.wait(_TICK):
            for context in self.find_overdue(self._waiting.copy(), time.monotonic()):
                context.cancel()

    def find_overdue(self, waiting: Mapping[_Call, float], now: float) -> list[_Call]:
        """Return the calls to cancel, given the times since which calls wait.

        >>> arrivals = Arrivals(threads=4, patience=60, patience_in_a_crowd=1)
        >>> arrivals.find_overdue({"a": 7.0, "b": 8.0, "c": 9.0}, now=10.0)  # 3 of 4 threads
        ['a']
        >>> arrivals.find_overdue({"b": 8.0, "c": 9.0}, now=10.0)
        []
        >>> arrivals.close()
        """
        newest_last = sorted(waiting, key=waiting.__getitem__)
        crowding = newest_last[: max(0, len(newest_last) - self._crowd)]
        late = [call for call in crowding if waiting[call] < now - self._patience_in_a_crowd]
        return late + [
            call for call in newest_last[len(crowding) :] if waiting[call] < now - self._patience
        ]
