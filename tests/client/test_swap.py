"""A server swaps versions under a client: no response is read with another version's labels."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tfclf
from tests.client.conftest import NAME, Model, connection, export_small, front
from tests.client.fronts import Behind
from tests.client.test_same_as_in_process import check_same
from tests.signatures import drop_signatures
from tfclf.errors import ClientError
from tfclf.server import serve

TEXTS = ["Stocks rally as oil prices fall", "Late goal wins the cup"]


@pytest.fixture(scope="module")
def versions(
    models: Callable[[str], Model], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, tuple[str, Any]]]:
    """Addresses and classifiers of version 1 and of version 2, which has other labels."""
    first = models("tiny")
    folder = tmp_path_factory.mktemp("swap")
    labels = {"0": "d", "1": "World", "2": "b"}
    called = ("classify", "detail")
    second = export_small(folder, version=2, signatures=called, seed=5, id2label=labels)
    with serve(second, model_name=NAME, port=0) as server:
        yield {1: (first.address, first.classifier), 2: (server.address, tfclf.load(second))}


@pytest.fixture
def swapping(versions: dict[int, tuple[str, Any]]) -> Behind:
    return Behind(versions[1][0])


def test_the_next_call_is_read_with_the_new_labels(
    form: str, protocol: str, versions: dict[int, tuple[str, Any]], swapping: Behind
) -> None:
    with front(protocol, swapping) as server, connection(form, server.address) as client:
        check_same(client.predict(TEXTS), versions[1][1].predict(TEXTS))
        swapping.address = versions[2][0]
        check_same(client.predict(TEXTS), versions[2][1].predict(TEXTS))


def test_a_swap_amid_a_call_loses_nothing(
    protocol: str, versions: dict[int, tuple[str, Any]], swapping: Behind
) -> None:
    def texts() -> Iterator[str]:
        for number in range(40):
            if number == 20:
                swapping.address = versions[2][0]
            yield TEXTS[number % 2]

    with (
        front(protocol, swapping) as server,
        connection("blocking", server.address, in_flight=2) as client,
    ):
        predictions = list(client.predict(texts(), batch_size=2))
    old, new = (versions[number][1].predict(TEXTS) for number in (1, 2))
    assert len(predictions) == 40
    check_same(predictions[:2], old)
    check_same(predictions[-2:], new)
    for number, one in enumerate(predictions):
        either = [version[number % 2] for version in (old, new)]
        assert (one.label, list(one.probabilities)) in [
            (same.label, list(same.probabilities)) for same in either
        ]


def test_a_pinned_version_that_has_gone_is_an_error(
    form: str, protocol: str, versions: dict[int, tuple[str, Any]], swapping: Behind
) -> None:
    with front(protocol, swapping) as server, connection(form, server.address, version=1) as client:
        client.predict(TEXTS)
        swapping.address = versions[2][0]
        with pytest.raises(ClientError, match=r"Specific\(served, 1\)"):
            client.predict(TEXTS)


@pytest.fixture(scope="module")
def older(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of an older tfclf's export, without the signatures that report truncation."""
    folder = Path(shutil.copytree(small, tmp_path_factory.mktemp("older") / "older" / "1"))
    (folder / "assets.extra" / "tf_serving_warmup_requests").unlink()  # older ones call less
    drop_signatures(folder, "detail", "detail_pairs")
    with serve(folder, model_name=NAME, port=0) as server:
        yield server.address


def test_an_older_export_leaves_open_what_it_cannot_tell(older: str, protocol: str) -> None:
    # Two tokens a repetition, or more: the vocabulary is small.
    texts = ["short", "goal " * 2000, "goal " * 20]
    with front(protocol, Behind(older)) as server, connection("blocking", server.address) as client:
        assert [one.truncated for one in client.predict(texts)] == [False, None, False]
        assert [one.truncated for one in client.predict(texts, pairs=texts)] == [None] * 3


def test_an_older_export_leaves_open_whether_a_full_row_was_cut(older: str) -> None:
    with connection("blocking", older) as client:
        texts = ["a " * words for words in range(505, 515)]
        counts = [len(ids) for ids in client.tokenize(texts)]
        truncated = [one.truncated for one in client.predict(texts)]
    assert set(counts) >= {511, 512}
    assert truncated == [False if count < 512 else None for count in counts]


def test_xla_without_its_signature_says_what_is_there(older: str, form: str) -> None:
    with (
        connection(form, older, xla=True) as client,
        pytest.raises(
            ClientError, match="no signature 'detail_xla'; it has classify, encode, explain"
        ),
    ):
        client.predict(TEXTS)
