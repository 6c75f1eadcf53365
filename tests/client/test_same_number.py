"""Two exports with one version number: no answer is read with the other one's labels."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tfclf
from samples.checkpoints import LABELS
from tests.client.conftest import NAME, Model, connection, export_small, front
from tests.client.fronts import Behind
from tests.client.test_same_as_in_process import check_same
from tfclf.client.messages import Metadata, Refused, Response
from tfclf.client.served import ServedModel
from tfclf.errors import ClientError
from tfclf.saved_model.model_list import digest_facts
from tfclf.server import serve
from tfclf.server.lifecycle.loading import Loader
from tfclf.server.process import Server

TEXT = "Stocks rally as oil prices fall"


@dataclass(frozen=True)
class Other:
    """An export that gives the numbers of `small`, with two labels in each other's place."""

    path: Path
    classifier: tfclf.Classifier


_CALLED = ("classify", "detail", "explain")


def _export_with_swapped(folder: Path, one: str, two: str) -> Other:
    labels = [{one: two, two: one}.get(label, label) for label in LABELS]
    id2label = {str(index): label for index, label in enumerate(labels)}
    path = export_small(folder, signatures=_CALLED, id2label=id2label)
    return Other(path, tfclf.load(path))


@pytest.fixture(scope="module")
def predicted(models: Callable[[str], Model]) -> str:
    return models("tiny").classifier.predict(TEXT).label


@pytest.fixture(scope="module")
def relabelled(predicted: str, tmp_path_factory: pytest.TempPathFactory) -> Other:
    """The predicted label has another name in this one."""
    other = next(label for label in LABELS if label != predicted)
    return _export_with_swapped(tmp_path_factory.mktemp("relabelled"), predicted, other)


@pytest.fixture(scope="module")
def reordered(predicted: str, tmp_path_factory: pytest.TempPathFactory) -> Other:
    """Only labels that are not predicted have each other's place."""
    one, two = [label for label in LABELS if label != predicted][:2]
    return _export_with_swapped(tmp_path_factory.mktemp("reordered"), one, two)


@pytest.fixture(scope="module")
def second(relabelled: Other) -> Iterator[str]:
    """The address of a server of `relabelled`."""
    with serve(relabelled.path, model_name=NAME, port=0) as server:
        yield server.address


def test_the_next_answer_has_the_new_labels_though_the_server_does_not_tell(
    client: Any, behind: Behind, second: str, relabelled: Other
) -> None:
    client.predict([TEXT])
    behind.address = second
    check_same(client.predict([TEXT]), relabelled.classifier.predict([TEXT]))


def test_an_explanation_has_the_new_labels(second: str, behind: Behind, relabelled: Other) -> None:
    with (
        front("grpc", behind) as server,
        connection("blocking", server.address) as client,
    ):
        client.predict([TEXT])
        behind.address = second
        (explanation,) = client.explain([TEXT])
    check_same([explanation.prediction], relabelled.classifier.predict([TEXT]))


@pytest.fixture(scope="module")
def swap(small: Path, reordered: Other) -> Iterator[tuple[Server, Callable[[], None]]]:
    """A server, and what puts the other one of two exports in its place, as a reload does."""
    with serve(small, model_name=NAME, port=0, rest_port=0) as server:
        registry = server.service.registry
        waiting = [Loader()(NAME, 1, reordered.path)]

        def change() -> None:
            replaced = registry.add(waiting.pop())
            assert replaced is not None
            waiting.append(replaced)

        yield server, change
        waiting[0].close()


def test_our_server_tells_of_labels_that_no_answer_shows(
    form: str,
    protocol: str,
    swap: tuple[Server, Callable[[], None]],
    reordered: Other,
    models: Callable[[str], Model],
) -> None:
    server, change = swap
    with connection(form, server.address if protocol == "grpc" else str(server.rest_url)) as client:
        for classifier in (models("tiny").classifier, reordered.classifier):
            check_same(client.predict([TEXT]), classifier.predict([TEXT]))
            change()  # twice: the first one is in its place again


def test_exports_that_answer_in_turn_are_described_once_each(
    form: str,
    swap: tuple[Server, Callable[[], None]],
    reordered: Other,
    models: Callable[[str], Model],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, change = swap
    described: list[object] = []
    metadata = server.service.get_model_metadata

    def count(*given: Any, **named: Any) -> Any:
        described.append(given)
        return metadata(*given, **named)

    monkeypatch.setattr(server.service, "get_model_metadata", count)
    with connection(form, server.address) as client:
        for classifier in (models("tiny").classifier, reordered.classifier) * 3:
            check_same(client.predict([TEXT]), classifier.predict([TEXT]))
            change()
    assert len(described) == 2


def test_a_label_that_never_goes_with_the_labels_is_an_error(
    client: Any, behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.predict([TEXT])
    ask = behind.predict

    def rename(*given: Any) -> Any:
        response = ask(*given)
        if "label" in response.outputs:
            response.outputs["label"].string_val[0] = b"Weather"
        return response

    monkeypatch.setattr(behind, "predict", rename)
    with pytest.raises(ClientError, match=r"different exports.*'Weather'.*a version number of"):
        client.predict([TEXT])


@pytest.mark.parametrize(
    ("label", "probabilities", "fits"),
    [
        (b"a", [0.49999997, 0.5], True),
        (b"b", [0.5, 0.5], True),
        (b"a", [0.4999, 0.5001], False),
        (b"c", [0.5, 0.5], False),
        (b"a", [0.6, 0.3, 0.1], False),
        (b"a", [float("nan"), float("nan")], True),
    ],
)
def test_a_label_fits_if_it_is_the_likeliest_within_a_rounding(
    label: bytes, probabilities: list[float], fits: bool
) -> None:
    served = ServedModel(Metadata("m", 1, {}), ("a", "b"), None)
    response = Response(1, {"label": [label], "probabilities": [probabilities]})
    with nullcontext() if fits else pytest.raises(Refused, match="does not go with the labels"):
        served.check_labels(response)


def test_other_thresholds_are_other_facts() -> None:
    facts = [digest_facts("multi_label_classification", ["a"], [half], 8) for half in (0.5, 0.4)]
    assert facts[0] != facts[1]
