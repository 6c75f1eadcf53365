"""The pieces of token ids: POST /page/pieces.json.

The ids are those of a text, so they stand in the body: addresses are kept in logs and histories.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from grpc import StatusCode
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tensorflow_serving.apis.model_pb2 import ModelSpec

from tfclf.server.runtime.registry import Registry
from tfclf.server.status import RequestError

PIECES_PATH = "/page/pieces.json"
_MOST_BYTES = 1 << 20
_LONGEST_BODY = 10.0  # seconds for a body to arrive
_LARGEST_VERSION = (1 << 63) - 1
_EXPECTED = 'expected a JSON object such as {"model": "news", "version": 1, "ids": [101, 102]}'


def pieces_route(registry: Registry, headers: Mapping[str, str]) -> Route:
    """Return the route: from {"model", "version", "ids"} to {"pieces"}, null for an id without one.

    Args:
      headers: of every response.
    """

    async def answer(request: Request) -> Response:
        try:
            body = await asyncio.wait_for(_read_body(request), _LONGEST_BODY)
        except asyncio.TimeoutError:
            return _refuse(408, f"The body did not arrive in {_LONGEST_BODY:g} seconds.", headers)
        if body is None:
            return _refuse(413, f"The body has over {_MOST_BYTES:,} bytes.", headers)
        # In a thread: the first request for a version reads its file.
        status, content = await asyncio.to_thread(_name_pieces, registry, body)
        return JSONResponse(content, status_code=status, headers=dict(headers))

    return Route(PIECES_PATH, answer, methods=["POST"])


async def _read_body(request: Request) -> bytes | None:
    """Return the body; None if it is too long."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                return None
    except ClientDisconnect:
        pass  # nobody reads the answer
    return body


def _name_pieces(registry: Registry, body: bytes) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object of the answer."""
    try:
        content = json.loads(body)
        model, version, ids = content["model"], content["version"], content["ids"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 400, {"error": f"The body is not what was expected: {_EXPECTED}."}
    if not (
        isinstance(model, str)
        and _is_whole(version)
        and version <= _LARGEST_VERSION
        and isinstance(ids, list)
        and all(_is_whole(one) for one in ids)
    ):
        return 400, {"error": f"The body is not what was expected: {_EXPECTED}."}
    try:
        spec = ModelSpec(name=model)
        spec.version.value = version
        pieces = registry.find(spec).pieces
    except (RequestError, ValueError) as error:
        missing = isinstance(error, RequestError) and error.code is StatusCode.NOT_FOUND
        return 404 if missing else 400, {"error": str(error)}
    if not pieces:
        return 404, {
            "error": f"Version {version} of {model!r} does not have the pieces of its ids. Export "
            f"the model again with this version of tfclf."
        }
    return 200, {"pieces": [pieces[one] if one < len(pieces) else None for one in ids]}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _refuse(status: int, message: str, headers: Mapping[str, str]) -> Response:
    """Answer before the body is read: the connection cannot be used again."""
    return JSONResponse(
        {"error": message}, status_code=status, headers={**headers, "Connection": "close"}
    )
