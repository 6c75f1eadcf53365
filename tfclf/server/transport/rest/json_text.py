"""JSON text as TF Serving's parser and writer (RapidJSON 1.1.0) have it: what parses, what an error says, how a
number is printed.

Where Python's parser differs from RapidJSON: it refuses `Inf` and `-NaN` (`Infinity`, `-Infinity` and `NaN` parse),
lone surrogates and anything after a NUL; it gives the double nearest to a decimal, where RapidJSON may
be off in the last bits; the offset of an error may differ by a few bytes.

Source: tensorflow/serving, util/json_tensor.cc; RapidJSON, error/en.h, prettywriter.h.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import Any

import numpy as np
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfclf.server.status import RequestError, invalid_argument

_BOM = b"\xef\xbb\xbf"
_LONGEST_SHOWN = (
    512  # characters of a value in an error message; TF Serving shows all of it, megabytes or not
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
# Every escape, so that one after an escaped backslash is not taken for one.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F])|.)",
    re.DOTALL,
)
_PHRASES = {
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Illegal trailing comma before end of array": "Invalid value.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid escape character in string.",
    "Extra data": "The document root must not be followed by other values.",
}


class Repeated(dict[str, Any]):
    """An object in which a name comes twice: the first one is found, as in RapidJSON.

    Attributes:
      pairs: all members, in their order.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        self.pairs = pairs


class _TooBigError(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(pairs)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _TooBigError(text)
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a request's body.

    Bytes that are not UTF-8 are let through, as RapidJSON does: `encoded` gives them back.

    Raises: RequestError with TF Serving's words.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    try:
        document = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            _check_surrogates(text)
    except json.JSONDecodeError as error:
        raise _parse_error(*_explained(text, error), text) from None
    except _TooBigError as error:
        raise _parse_error(
            "Number too big to be stored in double.", text.find(str(error)), text
        ) from None
    except ValueError:  # int() takes 4,300 digits at most
        # From each run's beginning alone: from each of its digits, a body of runs of 4,300 would take hours.
        long = re.search(r"(?<!\d)\d{4301}", text)
        raise _parse_error(
            "Number too big to be stored in double.", long.start() if long else 0, text
        ) from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: Lists or objects are nested too deeply") from None
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {shown(document)} Is not object")
    return document


def read_signature_name(document: dict[str, Any], spec: ModelSpec) -> None:
    """Puts the document's signature_name, if any, into a spec. Raises: RequestError."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    spec.signature_name = readable(name)


def _check_surrogates(text: str) -> None:
    """Half a character could not be told from a byte that is no UTF-8."""
    for escape in _ESCAPE.finditer(text):
        if escape["lone"]:
            raise _parse_error("The surrogate pair in string is invalid.", escape.start(), text)


def _parse_error(phrase: str, position: int, text: str) -> RequestError:
    offset = len(text[:position].encode("utf-8", "surrogatepass"))
    return invalid_argument(f"JSON Parse error: {phrase} at offset: {offset}")


def _explained(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """RapidJSON's words for what Python's parser found, and the place."""
    position = error.pos
    if error.msg == "Expecting value":
        return ("Invalid value." if text.strip(" \t\r\n") else "The document is empty."), position
    following = text[position : position + 1]
    if text[position - 1 : position].isdecimal() and following in (".", "e", "E"):
        part = "fraction part" if following == "." else "exponent"
        return f"Miss {part} in number.", position + 1
    if error.msg == "Expecting ',' delimiter":
        closing = "]" if _in_array(text[:position]) else "}"
        kind = "an array element" if closing == "]" else "an object member"
        return f"Missing a comma or {closing} after {kind}.", position
    if error.msg.startswith("Unterminated"):
        position = len(text)
    return _PHRASES.get(error.msg, "Unspecific syntax error."), position


def _in_array(before: str) -> bool:
    open_: list[str] = []
    for character in re.findall(r"[\[\]{}]", _STRING.sub("", before)):
        if character in "[{":
            open_.append(character)
        elif open_:
            open_.pop()
    return bool(open_) and open_[-1] == "["


def encoded(text: str) -> bytes:
    """The bytes of a string from `parse`, also where they were no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def readable(text: str | bytes) -> str:
    """A string for a protobuf's string field or an error, U+FFFD where it is no UTF-8."""
    return (text if isinstance(text, bytes) else encoded(text)).decode("utf-8", "replace")


def quoted(text: str) -> str:
    """A JSON string with all its characters; only quotes, backslashes and controls are escaped."""
    return encode_basestring(text)


def decimals(values: Iterable[float], *, single: bool) -> list[str]:
    """Numbers as TF Serving prints them: six digits where those are enough to read the same number back.

    >>> decimals([0.5, 9e6, float("nan"), 1 / 3], single=False)
    ['0.5', '9e+06', 'NaN', '0.33333333333333331']

    Args:
      single: whether they are float32, which need nine digits at most; a double may need seventeen.
    """
    values = tuple(values)
    texts = ("%g " * len(values) % values).split()
    read = np.array([float(text) for text in texts])
    if single:
        with np.errstate(over="ignore"):
            read = read.astype(np.float32)
    exact = (read == np.array(values)).tolist()
    return [
        _decimal(text if same else f"{value:.{9 if single else 17}g}")
        for value, text, same in zip(values, texts, exact, strict=True)
    ]


def _decimal(text: str) -> str:
    if "." in text or "e" in text:
        return text
    if text[-1].isdecimal():
        return text + ".0"
    return "NaN" if "nan" in text else text.replace("inf", "Infinity")


def shown(value: Any) -> str:
    """A value in an error message, in four-space indents; its beginning only where it is long."""
    if type(value) is float:
        single = abs(value) <= float(np.finfo(np.float32).max)
        return decimals([float(np.float32(value)) if single else value], single=single)[0]
    pieces, size = [], 0
    for piece in _pieces(value, "\n"):
        pieces.append(piece)
        size += len(piece)
        if size > _LONGEST_SHOWN:
            return readable("".join(pieces)[:_LONGEST_SHOWN]) + "..."
    return readable("".join(pieces))


def _pieces(value: Any, line: str) -> Iterator[str]:
    if isinstance(value, str):
        yield quoted(value[: _LONGEST_SHOWN + 1])
    elif isinstance(value, list | dict) and value:
        opening, closing = "[]" if isinstance(value, list) else "{}"
        members: Iterable[Any] = (
            value if isinstance(value, list) else getattr(value, "pairs", value.items())
        )
        separator = opening
        for member in members:
            yield separator + line + "    "
            separator = ","
            if closing == "}":
                yield quoted(member[0][: _LONGEST_SHOWN + 1]) + ": "
            yield from _pieces(member[1] if closing == "}" else member, line + "    ")
        yield line + closing
    else:
        yield json.dumps(value)


def array(texts: Sequence[str], sizes: Sequence[int], depth: int | None) -> str:
    """Values as nested lists of the shape `sizes`; the text alone for a scalar.

    Args:
      texts: JSON values, row by row.
      depth: how deep the list stands, each element on a line of its own; None: all on one line.
    """
    level = list(texts)
    for index in range(len(sizes) - 1, -1, -1):
        if depth is None:
            before, between, after = "", ", ", ""
        else:
            line = "\n" + "    " * (depth + index)
            before, between, after = line + "    ", "," + line + "    ", line
        size = sizes[index]
        if not size:
            level = ["[]"] * math.prod(sizes[:index])
            continue
        level = [
            f"[{before}{between.join(level[start : start + size])}{after}]"
            for start in range(0, len(level), size)
        ]
    return level[0]
