"""A model on a server gets the same figures as in process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import tfclf
from tfclf.cli.evaluate.command import evaluate as evaluate_command
from tfclf.cli.evaluate.models import Served, connect_model
from tfclf.data import labelled_rows
from tfclf.errors import ClientError, InputError
from tfclf.evaluation import Report, evaluate
from tfclf.prediction import Prediction
from tfclf.sample_texts import HEADLINES
from tfclf.server import serve


@dataclass(frozen=True)
class Running:
    addresses: dict[str, str]
    data: Path
    report: Report


@pytest.fixture(scope="module")
def running(
    exported: Path, classifier: tfclf.Classifier, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("served") / "rows.jsonl"
    labels = classifier.labels
    lines = [
        {"text": text, "label": labels[number % len(labels)]}
        for number, text in enumerate([*HEADLINES, "été", ""])
    ]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    report = evaluate(classifier.predict, labelled_rows(data, labels), labels, mistakes=3)
    with serve(exported, model_name="served", port=0, rest_port=0) as server:
        addresses = {"grpc": server.address, "rest": f"http://127.0.0.1:{server.rest_port}"}
        yield Running(addresses, data, report)


def run(*arguments: object) -> Any:
    app = typer.Typer()
    app.command()(evaluate_command)
    outcome = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_its_figures_are_those_in_process(running: Running, protocol: str) -> None:
    address = running.addresses[protocol]
    found = run(running.data, "--server", address, "--model", "served", "--mistakes", "3")
    expected = running.report.to_dict()
    for name in ("eval_accuracy", "eval_macro_f1", "confusion_matrix", "labels", "eval_samples"):
        assert found[name] == expected[name]
    assert found["eval_loss"] == pytest.approx(expected["eval_loss"], abs=1e-5)
    assert [one["row"] for one in found["worst_mistakes"]] == [
        one["row"] for one in expected["worst_mistakes"]
    ]
    assert found["about"]["models"][0] == {
        "name": "served",
        "server": address,
        "version": "1",
        "labels": ", ".join(running.report.labels),
    }


def test_it_is_compared_with_one_in_process(running: Running, exported: Path) -> None:
    server = ("--server", running.addresses["grpc"], "--model", "served")
    found = run(exported, running.data, "--compare", *server)
    assert found["label_agreement"] == 1.0
    assert found["largest_probability_difference"] < 1e-5


def test_its_worst_mistakes_are_explained_as_in_process(
    running: Running, classifier: tfclf.Classifier
) -> None:
    server = ("--server", running.addresses["grpc"], "--model", "served")
    found = run(running.data, *server, "--mistakes", "1", "--explain")
    (mistake,) = found["worst_mistakes"]
    words = [(word["text"], word["effect"]) for word in mistake["strongest_words"]]
    expected = {word.text: word.effect for word in classifier.explain(mistake["text"]).words}
    assert words
    assert dict(words) == pytest.approx({text: expected[text] for text, _ in words}, abs=1e-3)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_the_only_model_of_a_server_needs_no_name(running: Running, protocol: str) -> None:
    found = run(running.data, "--server", running.addresses[protocol])
    assert found["eval_samples"] == running.report.samples
    assert found["about"]["models"][0]["name"] == "served"


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "nope"), "NOT_FOUND.*Expected a model that the server has"),
        (("--model", "served", "--model-version", "7"), "version 7: NOT_FOUND"),
    ],
)
def test_what_the_server_has_not_is_told(
    running: Running, protocol: str, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        run(running.data, "--server", running.addresses[protocol], *options)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(InputError, match="the address is 'ftp://x'"):
        run("rows.csv", "--server", "ftp://x")


class FakeClient:
    """Give the predictions that a test chooses, and record the requested versions."""

    answers: tuple[Prediction, ...] = ()
    versions: tuple[object, ...] = ()

    def __init__(self, address: str, *, version: object = None, **_: object) -> None:
        type(self).versions += (version,)

    def __enter__(self) -> "FakeClient":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def metadata(self) -> Any:
        return SimpleNamespace(model="m", version=3, signatures={})

    def predict(self, texts: list[str], **_: object) -> list[Prediction]:
        return [self.answers[number % len(self.answers)] for number in range(len(texts))]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    fresh = type("FreshClient", (FakeClient,), {})
    monkeypatch.setattr("tfclf.client.Client", fresh)
    return fresh


def connect(version: str | None = None) -> Any:
    with connect_model(
        Served("http://h:1", "m", version), xla=None, batch_size=2, progress=False
    ) as model:
        return model


def test_one_version_is_asked_whatever_is_swapped_meanwhile(fake: type[FakeClient]) -> None:
    fake.answers = (Prediction("a", 0.6, {"a": 0.6, "b": 0.4}),)
    connect("stable")
    assert fake.versions == ("stable", 3)


def test_a_version_may_be_a_number(fake: type[FakeClient]) -> None:
    fake.answers = (Prediction("a", 0.6, {"a": 0.6, "b": 0.4}),)
    connect("12")
    assert fake.versions == (12, 3)


@pytest.mark.parametrize(
    ("probabilities", "independent"),
    [({"a": 0.6, "b": 0.4}, False), ({"a": 0.6, "b": 0.5}, True), ({"a": 0.1}, True)],
)
def test_labels_by_themselves_are_known_by_their_sum(
    fake: type[FakeClient], probabilities: dict[str, float], independent: bool
) -> None:
    fake.answers = (Prediction("a", probabilities["a"], probabilities),)
    model = connect()
    assert (tuple(model.subject.labels), model.subject.independent) == (
        tuple(probabilities),
        independent,
    )


def test_an_older_export_on_a_server_is_not_explained(fake: type[FakeClient]) -> None:
    fake.answers = (Prediction("a", 0.6, {"a": 0.6, "b": 0.4}),)
    assert connect().explain is None


def test_a_regression_is_refused(fake: type[FakeClient]) -> None:
    fake.answers = (Prediction("value", 3.2, None),)
    with pytest.raises(InputError, match="at http://h:1 is a regression"):
        connect()
