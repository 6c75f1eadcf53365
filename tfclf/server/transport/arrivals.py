"""The arrival of a call's message over gRPC, which may take its time, or never come.

gRPC for Python gives a call its thread before the message is there, and waits for it for ever: as many calls without
a message as there are threads, one connection's worth, and nobody is answered any more. Here such calls are ended,
after a minute, or after a second where they hold more than half of the threads. Then the newest half is spared: gRPC
has one thread for all that arrives, and while it is behind, honest messages take more than a second as well.

Bytes that are no message are refused here too: gRPC itself would write a traceback into the log for each, and would
parse in the one thread that all calls share.
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
    """Watches over calls whose message has not come yet; to be closed when the server has stopped.

    Args:
      threads: that answer calls.
      patience: seconds that a message may take.
      patience_in_a_crowd: where such calls hold more than half of the threads, for all but the newest of them.
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
        """The method's handler, which now gets its message as gRPC has it, and only then is run."""
        handler = continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        if details.method not in self._handlers:  # none but the methods that there are
            self._handlers[details.method] = self._patient(handler)
        return self._handlers[details.method]

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()

    def _patient(self, handler: Any) -> Any:
        behavior = handler.unary_stream if handler.response_streaming else handler.unary_unary

        def answer(messages: Iterator[bytes], context: grpc.ServicerContext, *more: Any) -> Any:
            return behavior(
                self._message(messages, context, handler.request_deserializer), context, *more
            )

        # A health Watch sends from other threads than its own, and says so by this attribute.
        answer.experimental_non_blocking = getattr(behavior, "experimental_non_blocking", False)  # type: ignore[attr-defined]
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        return make(
            answer, response_serializer=handler.response_serializer
        )  # one message or many look alike

    def _message(
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
        except DecodeError:  # the code is that of gRPC for C++, and so of TF Serving
            context.abort(
                grpc.StatusCode.INTERNAL, "The bytes that were sent are no message of this method"
            )

    def _watch(self) -> None:
        while not self._closed.wait(_TICK):
            for context in self.overdue(self._waiting.copy(), time.monotonic()):
                context.cancel()

    def overdue(self, waiting: Mapping[_Call, float], now: float) -> list[_Call]:
        """The calls to end, of those that wait since the given times."""
        newest_last = sorted(waiting, key=waiting.__getitem__)
        crowding = newest_last[: max(0, len(newest_last) - self._crowd)]
        late = [call for call in crowding if waiting[call] < now - self._patience_in_a_crowd]
        return late + [
            call for call in newest_last[len(crowding) :] if waiting[call] < now - self._patience
        ]
