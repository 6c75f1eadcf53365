"""Ranks, thresholds and abstention of a client are those of the classifier in process."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tfclf
from tests.client.conftest import NAME, Model, connection, front, record_runs
from tests.client.fronts import Behind
from tfclf.errors import InputError
from tfclf.saved_model.manifest import Manifest
from tfclf.server import serve
from tfclf.server.process import Server

TEXTS = ["news", "late goal", "a b c"]


@pytest.fixture
def ask(form: str, protocol: str, models: Callable[[str], Model]) -> Any:
    def predict(name: str, **options: Any) -> Any:
        behind = Behind(models(name).address)
        with front(protocol, behind) as server, connection(form, server.address) as client:
            return client.predict(TEXTS, **options)

    return predict


def test_a_client_ranks_labels(ask: Any, models: Callable[[str], Model]) -> None:
    expected = models("tiny").classifier.predict(TEXTS, top_k=2)
    labels = [[label for label, _ in one.top] for one in ask("tiny", top_k=2)]
    assert labels == [[label for label, _ in one.top or ()] for one in expected]


def test_a_client_applies_thresholds(ask: Any, models: Callable[[str], Model]) -> None:
    expected = models("multi-label").classifier.predict(TEXTS, threshold=0.5)
    assert [one.labels for one in ask("multi-label", threshold=0.5)] == [
        one.labels for one in expected
    ]


def test_a_client_abstains(ask: Any) -> None:
    predictions = ask("tiny", abstain_below=1.0)
    assert all(one.label is None and "is below 1" in one.reason for one in predictions)


def test_a_client_learns_that_a_model_is_not_multi_label(ask: Any) -> None:
    with pytest.raises(InputError, match="single-label model"):
        ask("tiny", threshold=0.5)


def test_a_client_refuses_a_rule_for_a_regression(ask: Any) -> None:
    with pytest.raises(InputError, match="is a regression"):
        ask("regression", top_k=1)


def test_without_calibration_there_are_no_calibrated_thresholds(ask: Any) -> None:
    with pytest.raises(InputError, match="holds no calibrated thresholds"):
        ask("multi-label", threshold="calibrated")


@pytest.fixture(scope="module")
def calibrated(
    multi_label_export: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, tfclf.Classifier]]:
    """Serve a multi-label export whose thresholds tell its labels apart."""
    version = tmp_path_factory.mktemp("calibrated") / "model" / "1"
    shutil.copytree(multi_label_export, version)
    scores = tfclf.load(version).predict(TEXTS[0]).probabilities or {}
    thresholds = {
        "red": 0.0,
        "green": max(scores["green"] - 0.01, 0.0),
        "blue": min(scores["blue"] + 0.01, 1.0),
    }
    replace(Manifest.read(version), thresholds=thresholds).write(version)
    with serve(version.parent, model_name=NAME, port=0, rest_port=0) as server:
        yield server, tfclf.load(version)


def test_calibrated_thresholds_hold_over_the_wire(
    form: str, protocol: str, calibrated: tuple[Server, tfclf.Classifier]
) -> None:
    server, classifier = calibrated
    address = server.address if protocol == "grpc" else str(server.rest_url)
    with connection(form, address) as client:
        predictions = client.predict(TEXTS, threshold="calibrated")
    expected = classifier.predict(TEXTS, threshold="calibrated")
    assert [one.labels for one in predictions] == [one.labels for one in expected]
    assert predictions[0].labels == ("red", "green")


def test_a_model_with_calibrated_thresholds_need_not_be_run_to_learn_its_type(
    calibrated: tuple[Server, tfclf.Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = calibrated
    runs = record_runs(server, monkeypatch)
    with connection("blocking", server.address) as client:
        client.predict(TEXTS, threshold=0.5)
    assert len(runs) == 1


def test_a_stream_takes_a_rule(form: str, protocol: str, models: Callable[[str], Model]) -> None:
    if form != "asyncio":
        pytest.skip("only AsyncClient has stream")
    behind = Behind(models("tiny").address)
    with front(protocol, behind) as server, connection(form, server.address) as client:
        assert [len(one.top) for one in client.stream(TEXTS, top_k=3)] == [3, 3, 3]
