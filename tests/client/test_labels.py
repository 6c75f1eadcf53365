"""The embedded server sends the labels beside its metadata; a client then need not ask for them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from samples.checkpoints import LABELS
from tests.client.conftest import NAME, Model, connection, record_runs
from tfclf.server import serve
from tfclf.server.process import Server


@pytest.fixture(scope="module")
def server(small: Path) -> Iterator[Server]:
    with serve(small, model_name=NAME, port=0, rest_port=0) as running:
        yield running


@pytest.fixture
def direct(form: str, protocol: str, server: Server) -> Iterator[Any]:
    """A client of the server itself, in both forms and over both protocols."""
    address = server.address if protocol == "grpc" else str(server.rest_url)
    with connection(form, address) as client:
        yield client


def test_the_metadata_holds_the_labels(direct: Any) -> None:
    assert direct.metadata().labels == LABELS


def test_the_first_prediction_runs_the_model_once(
    direct: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = record_runs(server, monkeypatch)
    direct.predict(["news"])
    assert len(runs) == 1


def test_a_server_that_does_not_send_them_is_asked(client: Any) -> None:
    assert client.metadata().labels == ()
    assert tuple(client.predict("news").probabilities) == LABELS


def test_a_regression_has_none(models: Callable[[str], Model]) -> None:
    with connection("blocking", models("regression").address) as client:
        assert client.metadata().labels == ()
