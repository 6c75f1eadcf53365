"""How a request fails: a canonical status code and a message, the same over gRPC and REST."""

from grpc import StatusCode

_BY_NUMBER = {code.value[0]: code for code in StatusCode}
_LONGEST_MESSAGE = 1024  # bytes; TF Serving, grpc_status_util.cc


class RequestError(Exception):
    """A request that gets a status instead of an answer.

    It never leaves the server, so it stands outside the tree of `tfclf.errors`: each protocol turns
    it into its own form. Codes and messages are TF Serving's to the letter: clients match on them.
    """

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_argument(message: str) -> RequestError:
    """Return an INVALID_ARGUMENT error, the code of nearly every mistake in a request."""
    return RequestError(StatusCode.INVALID_ARGUMENT, message)


def status_code(number: int) -> StatusCode:
    """Return the code with a canonical number, which TensorFlow's errors carry as `error_code`.

    >>> status_code(3).name
    'INVALID_ARGUMENT'
    """
    return _BY_NUMBER.get(number, StatusCode.UNKNOWN)


def truncate(message: str, *, longest: int = _LONGEST_MESSAGE) -> str:
    """Return a message as TF Serving sends it over gRPC: at most 1,024 bytes, then `...TRUNCATED`.

    >>> truncate("abcdé", longest=5)  # é takes bytes 4 and 5
    'abcd...TRUNCATED'
    """
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= longest:
        return encoded.decode("utf-8")
    # Leave out a character that the limit splits: a Python client could not decode its first bytes.
    return encoded[:longest].decode("utf-8", "ignore") + "...TRUNCATED"
