"""The server's log: one record a line, as text or JSON, on the standard library's logging.

Nothing is installed when this is imported; a program calls `configure` once. A record whose only argument is a
mapping (`_log.debug("method=%(method)s", {"method": ...})`) has those as fields in JSON.

What clients send must not get into the log by accident: an exception is logged by its type and place, since its
message may quote a text; uvicorn's and grpc's loggers are held to that too, and TensorFlow, whose warnings on stderr
quote texts (local_rendezvous.cc), is asked for errors alone. And it must not forge lines: control characters are
escaped, and the lines of a record after its first are indented.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

from tfclf.errors import InputError, TfclfError

if TYPE_CHECKING:
    from tfclf.server.request_record import RequestRecord

_LEVELS = ("debug", "info", "warning", "error", "critical")
_FORMATS = ("text", "json")
_OURS = ("tfclf", "uvicorn", "grpc")
_DT_STRING = 7  # types.proto; a program configures its log before it imports TensorFlow
_texts_log = logging.getLogger("tfclf.server.texts")


def configure(
    *,
    level: str = "info",
    format: str = "text",  # noqa: A002
    stream: TextIO | None = None,
) -> logging.Handler:
    """Sends the log of the process to a stream; called again, it replaces what it did.

    To be called before TensorFlow is imported, which reads TF_CPP_MIN_LOG_LEVEL then; where that is set, it stays.

    Args:
      level: debug, info, warning, error or critical; at debug, each request is a line. Other libraries than uvicorn
        and grpc are logged from warning on.
      format: text or json.
      stream: stderr by default.
    Returns: the handler, which stands at the root logger.
    Raises: InputError.
    """
    if level.lower() not in _LEVELS:
        raise InputError(f"log level {level!r} is unknown. Expected one of {', '.join(_LEVELS)}.")
    if format not in _FORMATS:
        raise InputError(
            f"log format {format!r} is unknown. Expected one of {', '.join(_FORMATS)}."
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    handler = _Handler(sys.stderr if stream is None else stream)
    handler.setFormatter(_JsonFormatter() if format == "json" else _TextFormatter())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel("WARNING")
    handler.setLevel(level.upper())
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name in (
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
    ):  # uvicorn's own configuration, if it came first
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # It has a line a request at info, where ours, which say more, are at debug.
    logging.getLogger("uvicorn.access").setLevel("INFO" if level.lower() == "debug" else "WARNING")
    return handler


def text_log(*, characters: int = 200) -> Callable[["RequestRecord"], None]:
    """An Observer of Service that logs, at debug, the texts of each request, cut to so many characters.

    For finding a fault only: texts are private. No level and no flag of logging turns this on, only this call does.
    """

    def observe(ended: "RequestRecord") -> None:
        if not _texts_log.isEnabledFor(logging.DEBUG):
            return
        for name, text in _texts(ended.request):
            shown = text[: 4 * characters].decode("utf-8", "replace")[:characters]
            _texts_log.debug(
                "input=%(input)r text=%(text)r", {"input": shorten(name), "text": shown}
            )

    return observe


def shorten(name: str) -> str:
    """A name from outside as the log has it: at most 200 characters."""
    return name if len(name) <= 200 else f"{name[:200]}..."


def _texts(request: Any) -> Iterator[tuple[str, bytes]]:
    """What a request holds for the model to read, by the input's name. tf.Examples are left out: they are not text."""
    for name, tensor in getattr(request, "inputs", {}).items():
        if tensor.dtype == _DT_STRING:
            for text in tensor.string_val or [tensor.tensor_content]:
                yield name, text


class _Handler(logging.StreamHandler[TextIO]):
    """A type of its own, so that `configure` finds it again."""


class _Formatter(logging.Formatter):
    """What both forms share: no words of an exception, unless it is one of ours."""

    def message(self, record: logging.LogRecord) -> str:
        """The record's message, without what its exception says."""
        message = record.getMessage().rstrip()
        for error in _chain(record):
            if str(error) and not isinstance(error, TfclfError):
                message = message.replace(str(error), type(error).__name__)
        return message

    def place(self, record: logging.LogRecord) -> str:
        """Types and places of the record's exception and of those behind it; empty without one."""
        parts = []
        for error in _chain(record):
            name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
            said = f": {error}" if isinstance(error, TfclfError) else ""
            parts.append("".join(traceback.format_tb(error.__traceback__)) + name + said)
        return "\nbehind it:\n".join(parts)


def _chain(record: logging.LogRecord) -> list[BaseException]:
    chain: list[BaseException] = []
    error = record.exc_info[1] if record.exc_info else None
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record)} {record.levelname:7} {record.name} "
        lines = "\n".join(filter(None, (self.message(record), self.place(record)))).split("\n")
        return head + "\n    ".join(_escape(line) for line in lines)


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = dict(record.args) if isinstance(record.args, Mapping) else {}
        fields |= {"time": _time(record), "level": record.levelname, "logger": record.name}
        fields["message"] = self.message(record)
        if place := self.place(record):
            fields["exception"] = place
        return json.dumps(fields, default=repr)  # ASCII: nothing in it can end the line


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _escape(line: str) -> str:
    """The line without control characters, which could move a terminal's cursor or end the line for some reader."""
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in line
    )
