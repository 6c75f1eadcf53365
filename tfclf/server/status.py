"""How a request fails: a canonical status code and a message, the same over gRPC and REST."""

from grpc import StatusCode

_BY_NUMBER = {code.value[0]: code for code in StatusCode}
_LONGEST_MESSAGE = 1024  # bytes; TF Serving, grpc_status_util.cc


class RequestError(Exception):
    """A request that gets a status instead of an answer.

    It never leaves the server, so it stands outside the tree of `tfclf.errors`: each protocol turns it into
    its own form. Codes and messages are TF Serving's, letter for letter, because clients match on them.
    """

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_argument(message: str) -> RequestError:
    """The code of nearly every mistake in a request."""
    return RequestError(StatusCode.INVALID_ARGUMENT, message)


def status_code(number: int) -> StatusCode:
    """The code with a canonical number, which TensorFlow's errors carry as `error_code`.

    >>> status_code(3).name
    'INVALID_ARGUMENT'
    """
    return _BY_NUMBER.get(number, StatusCode.UNKNOWN)


def cut(message: str, *, longest: int = _LONGEST_MESSAGE) -> str:
    """The message as TF Serving sends it over gRPC: 1,024 bytes at most, then `...TRUNCATED`."""
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= longest:
        return encoded.decode("utf-8")
    # The cut may fall inside a character, which a Python client could not decode: leave its first bytes out.
    return encoded[:longest].decode("utf-8", "ignore") + "...TRUNCATED"
