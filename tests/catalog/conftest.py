"""A server, a cache of its own, and no setting of the machine's that would be heard."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.pull.server import FileServer, zip_of
from tfclf.catalog import pull as download
from tfclf.catalog.local import Record
from tfclf.catalog.pull import archive

Fetch = Callable[..., tuple[Path, Record]]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "TFCLF_MIRROR",
        "TFCLF_OFFLINE",
        "HF_HUB_OFFLINE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("TFCLF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(zip_of()) as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """The seconds that a download waited, in its words; nothing waits here."""
    return []


@pytest.fixture
def fetch(server: FileServer, tmp_path: Path, waits: list[float]) -> Fetch:
    """Fetches the server's file as the archive of a model."""
    patience = download.Patience(tries=4, sleep=waits.append)

    def from_server(path: str = "/models/x.zip", **options: Any) -> tuple[Path, Record]:
        usual: dict[str, Any] = {
            "settings": download.Settings(tmp_path / "cache"),
            "patience": patience,
        }
        return archive.fetch("model", f"{server.url}{path}", **(usual | options))

    return from_server
