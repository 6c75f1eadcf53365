"""JSON text as TF Serving's parser and writer, RapidJSON 1.1.0, treat it.

It covers which bodies parse, how errors are worded, and how numbers are printed.

Python's parser differs from RapidJSON. It refuses `Inf` and `-NaN` (`Infinity`, `-Infinity` and
`NaN` parse), lone surrogates and anything after a NUL. It returns the double nearest to a decimal,
while RapidJSON may be off in the last bits. The offset of an error may differ by a few bytes.

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
# Characters of a value in an error message; TF Serving shows all of it, even megabytes.
_LONGEST_SHOWN = 512
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
# Match every escape: after an escaped backslash, "ud800" is not a surrogate.
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


class DuplicateNames(dict[str, Any]):
    """An object with a name more than once; a lookup finds the first member, as in RapidJSON.

    >>> DuplicateNames([("text", 1), ("text", 2)])["text"]
    1

    Attributes:
      pairs: all members, in their order.
    """

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(reversed(pairs))
        self.pairs = pairs


class _TooBigError(ValueError):
    pass


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else DuplicateNames(pairs)


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _TooBigError(text)
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_make_object, parse_float=_parse_float)


def parse(body: bytes) -> dict[str, Any]:
    """Parse the JSON object in a request's body.

    >>> parse(b'{"instances": ["bon"]}')
    {'instances': ['bon']}
    >>> parse(b'{"instances": [1.]}')
    Traceback (most recent call last):
    tfclf.server.status.RequestError: JSON Parse error: Miss fraction part in number. at offset: 17

    Bytes that are not UTF-8 pass, as in RapidJSON: `encode` restores them.

    Raises: RequestError in TF Serving's words.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    text = body.removeprefix(_BOM).decode("utf-8", "surrogateescape")
    try:
        document = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            _check_surrogates(text)
    except json.JSONDecodeError as error:
        raise _parse_error(*_translate(text, error), text) from None
    except _TooBigError as error:
        raise _parse_error(
            "Number too big to be stored in double.", text.find(str(error)), text
        ) from None
    except ValueError:  # int() takes 4,300 digits at most
        # Search from the start of each run only: starting at each digit takes hours for a body of
        # runs of 4,300 digits.
        long = re.search(r"(?<!\d)\d{4301}", text)
        raise _parse_error(
            "Number too big to be stored in double.", long.start() if long else 0, text
        ) from None
    except RecursionError:
        raise invalid_argument("JSON Parse error: Lists or objects are nested too deeply") from None
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {show_value(document)} Is not object")
    return document


def read_signature_name(document: dict[str, Any], spec: ModelSpec) -> None:
    """Copy the document's signature_name, if any, into a spec. Raises: RequestError."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {show_value(document)} not formatted correctly. 'signature_name' key "
            "must be a string value."
        )
    spec.signature_name = make_readable(name)


def _check_surrogates(text: str) -> None:
    """Refuse half a character, which would look like a byte that is not UTF-8."""
    for escape in _ESCAPE.finditer(text):
        if escape["lone"]:
            raise _parse_error("The surrogate pair in string is invalid.", escape.start(), text)


def _parse_error(phrase: str, position: int, text: str) -> RequestError:
    offset = len(text[:position].encode("utf-8", "surrogatepass"))
    return invalid_argument(f"JSON Parse error: {phrase} at offset: {offset}")


def _translate(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """Return RapidJSON's words for an error of Python's parser, and the position."""
    position = error.pos
    if error.msg == "Expecting value":
        return ("Invalid value." if text.strip(" \t\r\n") else "The document is empty."), position
    following = text[position : position + 1]
    if text[position - 1 : position].isdecimal() and following in (".", "e", "E"):
        part = "fraction part" if following == "." else "exponent"
        return f"Miss {part} in number.", position + 1
    if error.msg == "Expecting ',' delimiter":
        closing = "]" if _ends_in_array(text[:position]) else "}"
        kind = "an array element" if closing == "]" else "an object member"
        return f"Missing a comma or {closing} after {kind}.", position
    if error.msg.startswith("Unterminated"):
        position = len(text)
    return _PHRASES.get(error.msg, "Unspecific syntax error."), position


def _ends_in_array(before: str) -> bool:
    """Return whether the innermost open bracket of a text belongs to an array.

    >>> _ends_in_array('{"a": [1, {"]": 2}'), _ends_in_array('{"a": [1]')
    (True, False)
    """
    open_: list[str] = []
    for character in re.findall(r"[\[\]{}]", _STRING.sub("", before)):
        if character in "[{":
            open_.append(character)
        elif open_:
            open_.pop()
    return bool(open_) and open_[-1] == "["


def encode(text: str) -> bytes:
    r"""Return the bytes of a string from `parse`, even if they are not UTF-8.

    >>> encode(parse(b'{"text": "\xff"}')["text"])
    b'\xff'
    """
    return text.encode("utf-8", "surrogateescape")


def make_readable(text: str | bytes) -> str:
    r"""Replace what is not UTF-8 by U+FFFD, for a protobuf's string field or an error message.

    >>> make_readable(b"caf\xc3\xa9 \xff")
    'café �'
    """
    return (text if isinstance(text, bytes) else encode(text)).decode("utf-8", "replace")


def quote(text: str) -> str:
    r"""Return a JSON string; only quotes, backslashes and control characters are escaped.

    >>> print(quote('a "café"\n'))
    "a \"café\"\n"
    """
    return encode_basestring(text)


def format_decimals(values: Iterable[float], *, single: bool) -> list[str]:
    """Print numbers as TF Serving does: with six digits if they identify the number, or with more.

    >>> format_decimals([0.5, 9e6, float("nan"), 1 / 3], single=False)
    ['0.5', '9e+06', 'NaN', '0.33333333333333331']

    Args:
      single: whether they are float32, which need at most nine digits; a double may need seventeen.
    """
    values = tuple(values)
    texts = ("%g " * len(values) % values).split()
    read = np.array([float(text) for text in texts])
    if single:
        with np.errstate(over="ignore"):
            read = read.astype(np.float32)
    exact = (read == np.array(values)).tolist()
    return [
        _complete_decimal(text if same else f"{value:.{9 if single else 17}g}")
        for value, text, same in zip(values, texts, exact, strict=True)
    ]


def _complete_decimal(text: str) -> str:
    """Turn C's `%g` into a JSON number, or into RapidJSON's name for a value that is not one.

    >>> [_complete_decimal(text) for text in ("3", "9e+06", "-inf", "nan")]
    ['3.0', '9e+06', '-Infinity', 'NaN']
    """
    if "." in text or "e" in text:
        return text
    if text[-1].isdecimal():
        return text + ".0"
    return "NaN" if "nan" in text else text.replace("inf", "Infinity")


def show_value(value: Any) -> str:
    """Return a value for an error message, indented by four spaces; of a long one, its beginning.

    >>> print(show_value([{"a": 0.1}, True]))
    [
        {
            "a": 0.1
        },
        true
    ]
    """
    if type(value) is float:
        single = abs(value) <= float(np.finfo(np.float32).max)
        return format_decimals([float(np.float32(value)) if single else value], single=single)[0]
    pieces, size = [], 0
    for piece in _generate_pieces(value, "\n"):
        pieces.append(piece)
        size += len(piece)
        if size > _LONGEST_SHOWN:
            return make_readable("".join(pieces)[:_LONGEST_SHOWN]) + "..."
    return make_readable("".join(pieces))


def _generate_pieces(value: Any, line: str) -> Iterator[str]:
    if isinstance(value, str):
        yield quote(value[: _LONGEST_SHOWN + 1])
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
                yield quote(member[0][: _LONGEST_SHOWN + 1]) + ": "
            yield from _generate_pieces(member[1] if closing == "}" else member, line + "    ")
        yield line + closing
    else:
        yield json.dumps(value)


def format_array(texts: Sequence[str], sizes: Sequence[int], depth: int | None) -> str:
    """Write values as nested lists of the shape `sizes`, a scalar as its text alone.

    >>> format_array(["1", "2", "3", "4"], [2, 2], None)
    '[[1, 2], [3, 4]]'
    >>> print(format_array(["1", "2"], [2], 1))
    [
            1,
            2
        ]

    Args:
      texts: JSON values, row by row.
      depth: the list's depth in the document, for one element per line; None: all on one line.
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
