"""The server's log: one record per line, as text or JSON, on the standard library's logging.

Importing this module installs nothing; a program calls `configure` once. If a record's only
argument is a mapping (`_log.debug("method=%(method)s", {"method": ...})`), its keys become fields
in JSON.

The content of requests must not get into the log by accident:

- An exception is logged by its type and place, since its message may quote a text. This holds for
  uvicorn's and grpc's loggers too.
- TensorFlow's warnings on stderr quote texts (local_rendezvous.cc), so it logs errors only.
- Nothing that clients send can forge a line: control characters are escaped, and the lines of a
  record after its first are indented.
"""

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from types import TracebackType
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
    """Send the log of the process to a stream; a second call replaces the first.

    Call it before TensorFlow is imported, which then reads TF_CPP_MIN_LOG_LEVEL; a value that is
    set already stays.

    Args:
      level: debug, info, warning, error or critical; debug writes a line per request. Libraries
        other than uvicorn and grpc are logged from warning on.
      format: text or json.
      stream: stderr by default.
    Returns: the handler, which is added to the root logger.
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
    # Undo uvicorn's own configuration, in case it came first.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # uvicorn writes its line per request at info; our own, which says more, is written at debug.
    logging.getLogger("uvicorn.access").setLevel("INFO" if level.lower() == "debug" else "WARNING")
    return handler


def cover_process() -> None:
    """Write into the log what Python and gRPC would write to stderr by themselves.

    That is warnings, and exceptions that nobody catches. A program whose log is JSON calls this
    after `configure`, so every line that it writes is JSON.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's C code writes text
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(
        args.exc_type, args.exc_value, args.exc_traceback
    )


def announce(message: str, *, level: int = logging.INFO) -> None:
    """Write a line that is shown at every level, such as where the server can be reached."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            handler.handle(logging.LogRecord("tfclf.server", level, "", 0, message, None, None))


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if error is not None:
        logging.getLogger("tfclf.server").critical(
            "uncaught %s", kind.__name__, exc_info=(kind, error, trace)
        )


def text_log(*, characters: int = 200) -> Callable[["RequestRecord"], None]:
    """Return an Observer of Service that logs the texts of each request at debug, truncated.

    Use it to find a fault only: texts are private. No log level turns it on, only this call.
    """

    def observe(record: "RequestRecord") -> None:
        if not _texts_log.isEnabledFor(logging.DEBUG):
            return
        for name, text in _find_texts(record.request):
            shown = text[: 4 * characters].decode("utf-8", "replace")[:characters]
            _texts_log.debug(
                "input=%(input)r text=%(text)r", {"input": shorten(name), "text": shown}
            )

    return observe


def shorten(name: str) -> str:
    """Shorten a name that a client sent to the 200 characters that the log shows."""
    return name if len(name) <= 200 else f"{name[:200]}..."


def _find_texts(request: Any) -> Iterator[tuple[str, bytes]]:
    """Find the strings of a request, with their inputs' names; tf.Examples are no text."""
    for name, tensor in getattr(request, "inputs", {}).items():
        if tensor.dtype == _DT_STRING:
            for text in tensor.string_val or [tensor.tensor_content]:
                yield name, text


class _Handler(logging.StreamHandler[TextIO]):
    """A stream handler whose type lets `configure` find it again."""


class _Formatter(logging.Formatter):
    """The base of both forms; it leaves out what an exception says, unless it is one of ours."""

    def message(self, record: logging.LogRecord) -> str:
        """Return the record's message without the words of its exception."""
        message = record.getMessage().rstrip()
        for error in _list_causes(record):
            if str(error) and not isinstance(error, TfclfError):
                message = message.replace(str(error), type(error).__name__)
        return message

    def place(self, record: logging.LogRecord) -> str:
        """Return types and places of the record's exception and its causes; empty without one."""
        parts = []
        for error in _list_causes(record):
            name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
            words = f": {error}" if isinstance(error, TfclfError) else ""
            parts.append("".join(traceback.format_tb(error.__traceback__)) + name + words)
        return "\ncaused by:\n".join(parts)


def _list_causes(record: logging.LogRecord) -> list[BaseException]:
    """List the record's exception and what it was raised from, as a traceback would show them."""
    causes: list[BaseException] = []
    error = record.exc_info[1] if record.exc_info else None
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return causes


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        head = f"{_timestamp(record)} {record.levelname:7} {record.name} "
        lines = "\n".join(filter(None, (self.message(record), self.place(record)))).split("\n")
        return head + "\n    ".join(_escape(line) for line in lines)


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = dict(record.args) if isinstance(record.args, Mapping) else {}
        fields |= {"time": _timestamp(record), "level": record.levelname, "logger": record.name}
        fields["message"] = self.message(record)
        if place := self.place(record):
            fields["exception"] = place
        return json.dumps(fields, default=repr)  # ASCII only, so nothing in it ends the line


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _escape(line: str) -> str:
    r"""Escape control characters, which could move a terminal's cursor or end a line.

    >>> print(_escape("café\x1b[2J\u2028"))
    café\x1b[2J\u2028
    """
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in line
    )
