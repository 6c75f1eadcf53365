"""A server swaps versions while a client goes on: no answer is read with another version's labels."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import tfclf
from tests.checkpoints import tiny_checkpoint
from tfclf.server import serve

from .conftest import NAME, connection, front
from .fronts import Behind
from .test_same_as_in_process import check

TEXTS = ["Stocks rally as oil prices fall", "Late goal wins the cup"]


@pytest.fixture(scope="module")
def versions(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, tuple[str, Any]]]:
    """Version 1, and version 2 with other labels in another order: addresses, and the same in process."""
    folder = tmp_path_factory.mktemp("swap")
    labels = {"0": "d", "1": "World", "2": "b"}
    source = tiny_checkpoint(folder / "checkpoint", seed=5, id2label=labels)
    second = tfclf.export(source, folder / "model", version=2)
    with ExitStack() as servers:
        yield {
            number: (servers.enter_context(serve(path, model_name=NAME, port=0)).address, tfclf.load(path))
            for number, path in ((1, exported), (2, second))
        }


@pytest.fixture
def swapping(versions: dict[int, tuple[str, Any]]) -> Behind:
    return Behind(versions[1][0])


def test_the_next_call_is_read_with_the_new_labels(
    form: str, protocol: str, versions: dict[int, tuple[str, Any]], swapping: Behind
) -> None:
    with front(protocol, swapping) as server, connection(form, server.address) as client:
        check(client.predict(TEXTS), versions[1][1].predict(TEXTS))
        swapping.address = versions[2][0]
        check(client.predict(TEXTS), versions[2][1].predict(TEXTS))


def test_a_swap_amid_a_call_loses_nothing(
    protocol: str, versions: dict[int, tuple[str, Any]], swapping: Behind
) -> None:
    def texts() -> Iterator[str]:
        for number in range(40):
            if number == 20:
                swapping.address = versions[2][0]
            yield TEXTS[number % 2]

    with front(protocol, swapping) as server, connection("blocking", server.address, in_flight=2) as client:
        found = list(client.predict(texts(), batch_size=2))
    old, new = (versions[number][1].predict(TEXTS) for number in (1, 2))
    assert len(found) == 40
    check(found[:2], old)
    check(found[-2:], new)
    for number, one in enumerate(found):
        either = [answers[number % 2] for answers in (old, new)]
        assert (one.label, list(one.probabilities)) in [(same.label, list(same.probabilities)) for same in either]


def test_a_pinned_version_that_has_gone_is_an_error(
    form: str, protocol: str, versions: dict[int, tuple[str, Any]], swapping: Behind
) -> None:
    with front(protocol, swapping) as server, connection(form, server.address, version=1) as client:
        client.predict(TEXTS)
        swapping.address = versions[2][0]
        with pytest.raises(tfclf.errors.ClientError, match=r"Specific\(served, 1\)"):
            client.predict(TEXTS)


@pytest.fixture
def older(exported: Path, tmp_path: Path) -> Path:
    """The tiny export as an older tfclf wrote it: without the signatures that tell of truncation."""
    import shutil

    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = Path(shutil.copytree(exported, tmp_path / "older" / "1"))
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for name in ("detail", "detail_pairs", "detail_xla"):
        del saved.meta_graphs[0].signature_def[name]
    path.write_bytes(saved.SerializeToString())
    return folder


def test_an_older_export_leaves_open_what_it_cannot_tell(older: Path, protocol: str) -> None:
    texts = ["short", "late goal " * 255, "late goal " * 300, "late goal " * 100]
    with (
        serve(older, model_name=NAME, port=0) as real,
        front(protocol, Behind(real.address)) as server,
        connection("blocking", server.address) as client,
    ):
        found = client.predict(texts)
        pairs = client.predict(texts, pairs=texts)
    assert [one.truncated for one in found] == [False, None, None, False]
    assert [one.truncated for one in pairs] == [None] * 4


def test_xla_without_its_signature_says_what_is_there(older: Path, form: str) -> None:
    with (
        serve(older, model_name=NAME, port=0) as server,
        connection(form, server.address, xla=True) as client,
        pytest.raises(tfclf.errors.ClientError, match="no signature 'detail_xla'; it has classify, encode, pairs"),
    ):
        client.predict(TEXTS)
