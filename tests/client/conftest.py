"""Servers for clients, over both protocols, and both forms of the client with one interface."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tfclf
from samples.checkpoints import DEMO, edit_json, tiny_checkpoint, write_small_tokenizer
from tests.client.fronts import Behind, GrpcFront, RestFront
from tests.signatures import few_signatures
from tfclf import AsyncClient, Client, Prediction
from tfclf.server import serve
from tfclf.server.process import Server

PROTOCOLS = ("grpc", "rest")
FORMS = ("blocking", "asyncio")
MODELS = ("demo", "tiny", "multi-label", "regression")
NAME = "served"


@dataclass(frozen=True)
class Model:
    """A served model, and the same model in process."""

    address: str
    classifier: tfclf.Classifier


Connect = Callable[..., Any]


@pytest.fixture(scope="package")
def models(
    small: Path, regression_export: Path, multi_label_export: Path
) -> Iterator[Callable[[str], Model]]:
    """Models by name; each is served at its first use."""
    exports = {
        "demo": DEMO,
        "tiny": small,
        "regression": regression_export,
        "multi-label": multi_label_export,
    }
    running: dict[str, Model] = {}
    with ExitStack() as servers:

        def model(name: str) -> Model:
            if name not in running:
                path = exports[name]
                server = servers.enter_context(serve(path, model_name=NAME, port=0))
                running[name] = Model(server.address, tfclf.load(path))
            return running[name]

        yield model


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 of an export with a small vocabulary, quick to make."""
    return export_small(tmp_path_factory.mktemp("small"))


# What clients call, and what an error lists.
_CALLED = (
    *("classify", "detail", "detail_pairs", "pairs", "windows", "tokenize", "encode"),
    *("explain", "explain_pairs", "explain_windows"),
)


def export_small(
    folder: Path,
    *,
    version: int | None = None,
    signatures: Sequence[str] = _CALLED,
    **changes: Any,
) -> Path:
    checkpoint = tiny_checkpoint(folder / "checkpoint", n_layers=1, **changes)
    write_small_tokenizer(checkpoint)
    edit_json(checkpoint / "tokenizer_config.json", tokenizer_class=None)
    with few_signatures(*signatures):
        return tfclf.export(checkpoint, folder / "model", version=version)


class Blocking:
    """Client, unchanged."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._client = Client(*args, **{"model": NAME, **options})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class Asyncio:
    """AsyncClient with Client's interface: each call runs to completion in a loop of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient(*args, **{"model": NAME, **options})

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            return self._loop.run_until_complete(getattr(self._client, name)(*args, **options))

        return call

    def stream(self, texts: Iterable[str], **options: Any) -> list[Prediction]:
        async def gather() -> list[Prediction]:
            return [prediction async for prediction in self._client.stream(texts, **options)]

        return self._loop.run_until_complete(gather())

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def connection(form: str, address: str, **options: Any) -> Iterator[Any]:
    client = (Blocking if form == "blocking" else Asyncio)(address, **options)
    try:
        yield client
    finally:
        client.close()


def record_runs(server: Server, patch: pytest.MonkeyPatch) -> list[object]:
    """Return the list that gets an entry for each run of the server's only model."""
    (servable,) = server.service.registry
    runs: list[object] = []
    run = servable.run

    def record(*given: Any, **named: Any) -> Any:
        runs.append(given)
        return run(*given, **named)

    patch.setattr(servable, "run", record)
    return runs


@contextmanager
def front(protocol: str, behind: Behind) -> Iterator[GrpcFront | RestFront]:
    server = (GrpcFront if protocol == "grpc" else RestFront)(behind)
    try:
        yield server
    finally:
        behind.close()
        server.stop()


@pytest.fixture
def behind(models: Callable[[str], Model]) -> Behind:
    """The tiny model's server, for a front to stand before."""
    return Behind(models("tiny").address)


@pytest.fixture
def address(protocol: str, behind: Behind) -> Iterator[str]:
    """The address of a front before the tiny model."""
    with front(protocol, behind) as server:
        yield server.address


@pytest.fixture
def client(form: str, address: str) -> Iterator[Any]:
    """A client of that front, in both forms and over both protocols."""
    with connection(form, address) as made:
        yield made
