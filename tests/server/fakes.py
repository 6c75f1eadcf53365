"""Fake versions, which take no time to load and remember what was done with them."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tfclf.errors import SavedModelError
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.session import Session

PATIENCE = 60.0  # seconds; a busy machine may stall for a while


class FakeSession:
    """A session that remembers whether it was closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.closed = False

    def close(self) -> None:
        self.closed = True


def fake_servable(name: str, version: int, folder: Path = Path("nowhere")) -> Servable:
    return Servable(name, version, cast(Session, FakeSession(folder)))


def is_closed(servable: Servable) -> bool:
    return cast(FakeSession, servable._session).closed


class Loads:
    """A `load` for a Manager; it waits while `gate` is shut.

    It fails for versions whose saved_model.pb says `corrupt`.
    """

    def __init__(self) -> None:
        self.tried: list[tuple[str, int]] = []
        self.servables: list[Servable] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, name: str, version: int, folder: Path) -> Servable:
        self.tried.append((name, version))
        assert self.gate.wait(PATIENCE)
        if (folder / "saved_model.pb").read_text() == "corrupt":
            raise SavedModelError(f"{folder} cannot be loaded: it is corrupt")
        servable = fake_servable(name, version, folder)
        self.servables.append(servable)
        return servable


def write_version(base: Path, version: int, content: str = "fine") -> Path:
    """Make a folder that looks like a version, in one step."""
    beside = base.parent / f"{base.name}-{version}-on-its-way"
    beside.mkdir(parents=True)
    (beside / "saved_model.pb").write_text(content)
    base.mkdir(exist_ok=True)
    return beside.rename(base / str(version))


def wait_until(true: Callable[[], Any], *, seconds: float = PATIENCE) -> None:
    """Wait for a condition; fail only if it never comes true, since no test depends on timing."""
    patience = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < patience, "it never came true"
        time.sleep(0.005)
