"""A small Hugging Face hub, enough for huggingface_hub to fetch a model; and its cache by hand."""

import hashlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.catalog.pull.server import LocalServer

COMMIT = "c" * 40


class Hub(LocalServer):
    """Serves one model, `org/name`, with `files`, those of `large` as LFS.

    Attributes:
      status: of every response.
      sent: names of the files that were fetched, in order.
      false_digest: whether it states another SHA-256 of large files than they have.
    """

    def __init__(self, files: Mapping[str, bytes], *, large: frozenset[str] = frozenset()) -> None:
        self.files = dict(files)
        self.large = large
        self.status = 200
        self.error_code = ""
        self.sent: list[str] = []
        self.false_digest = False
        super().__init__(_handler(self))

    def described(self) -> dict[str, object]:
        """As /api/models/org/name answers."""
        files = []
        for name, content in self.files.items():
            digest = hashlib.sha256(b"other" if self.false_digest else content).hexdigest()
            lfs = (
                {"sha256": digest, "size": len(content), "pointerSize": 1}
                if name in self.large
                else None
            )
            files.append(
                {
                    "rfilename": name,
                    "size": len(content),
                    "blobId": "b" * 40,
                    **({"lfs": lfs} if lfs else {}),
                }
            )
        return {
            "_id": "1",
            "id": "org/name",
            "sha": COMMIT,
            "siblings": files,
            "tags": [],
            "downloads": 0,
        }


def in_cache(
    cache: Path, repository: str, files: Mapping[str, bytes], *, revision: str = "main"
) -> Path:
    """The folder of a model in huggingface_hub's cache, as its documentation describes it."""
    model = cache / f"models--{repository.replace('/', '--')}"
    folder = model / "snapshots" / COMMIT
    folder.mkdir(parents=True, exist_ok=True)
    (model / "refs").mkdir(exist_ok=True)
    (model / "refs" / revision).write_text(COMMIT, encoding="utf-8")
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            if hub.status != 200:
                self._send(
                    hub.status,
                    {"X-Error-Code": hub.error_code} if hub.error_code else {},
                    b"{}",
                    body,
                )
            elif path.startswith("/api/models/org/name"):
                content = json.dumps(hub.described()).encode()
                self._send(200, {"Content-Type": "application/json"}, content, body)
            elif (
                path.startswith(start := f"/org/name/resolve/{COMMIT}/")
                and path.removeprefix(start) in hub.files
            ):
                name = path.removeprefix(start)
                content = hub.files[name]
                if body:
                    hub.sent.append(name)
                etag = hashlib.sha256(content).hexdigest()
                self._send(200, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, content, body)
            else:
                self._send(404, {"X-Error-Code": "RepoNotFound"}, b"{}", body)

        def _send(
            self, status: int, headers: Mapping[str, str], content: bytes, body: bool
        ) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    return Handler
