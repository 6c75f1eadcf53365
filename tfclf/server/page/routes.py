"""The page's routes: its files, held in memory, /page/models.json and /page/pieces.json."""

import hashlib
from collections.abc import Callable
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tfclf.server.page.models import describe_models
from tfclf.server.page.options import Page
from tfclf.server.page.pieces import pieces_route
from tfclf.server.runtime.registry import Registry

MODELS_PATH = "/page/models.json"
_INDEX, _DOCS = "index.html", "docs.html"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
# Scripts, styles and requests of this server only; nothing inline; in no frame of another page.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOT_STORED = {**_HEADERS, "Cache-Control": "no-store"}


def page_routes(registry: Registry, page: Page, *, grpc_port: Callable[[], int]) -> list[Route]:
    """Return the routes of the page.

    Args:
      grpc_port: returns the port that the page names in its gRPC example; 0: none.
    """
    folder = files("tfclf.server.page") / "files"
    found = {each.name: each.read_bytes() for each in folder.iterdir() if "." in each.name}

    def show_models(_: Request) -> Response:
        facts = describe_models(registry, page, grpc_port=grpc_port())
        return JSONResponse(facts, headers=_NOT_STORED)

    return [
        Route("/", _send_file(_INDEX, found.pop(_INDEX))),
        Route("/docs", _send_file(_DOCS, found.pop(_DOCS))),
        Route(MODELS_PATH, show_models),
        pieces_route(registry, _NOT_STORED),
        *(Route(f"/page/{name}", _send_file(name, body)) for name, body in found.items()),
    ]


def _send_file(name: str, body: bytes) -> Callable[[Request], Response]:
    kind = f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8"
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # A browser asks each time whether its copy is still good: after an update no old file mixes
    # with new ones.
    headers = {**_HEADERS, "Cache-Control": "no-cache", "ETag": tag}

    def send(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers={**headers, "Content-Type": kind})

    return send
