"""The id of a request, which stands in the log and beside the response.

A client may choose it, to find its own request in the log again; else the server makes one.
"""

import re
import uuid

# Headers over REST; over gRPC the same keys of the metadata.
HEADER = "x-request-id"
TRACEPARENT = "traceparent"
# Printable ASCII without spaces and quotes: nothing that could end a line, a field or a header.
_USABLE = re.compile(r"[!#-&(-+\--\[\]-~]{1,128}")


def choose_request_id(given: str | bytes | None) -> str:
    """Return the client's id if it is short and printable, else a new one.

    >>> choose_request_id("order-17"), choose_request_id(b"a/b+c=")
    ('order-17', 'a/b+c=')
    >>> len(choose_request_id("two words")), len(choose_request_id(129 * "a"))
    (32, 32)
    """
    text = given.decode("latin-1") if isinstance(given, bytes) else given or ""
    return text if _USABLE.fullmatch(text) else uuid.uuid4().hex
