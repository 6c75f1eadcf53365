"""`explain` of a client: that of the model in process, over both protocols and in both forms."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tests.client.conftest import NAME, Model, connection
from tfclf.errors import ClientError, InputError
from tfclf.explanation import Explanation
from tfclf.server import serve

TEXTS = ["A late goal, again!", "", "caf\u00e9 \U0001f44d\0 \u4eca\u65e5"]


@pytest.fixture(scope="module")
def older(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of an export that was made before tfclf could explain."""
    folder = Path(shutil.copytree(small, tmp_path_factory.mktemp("older") / "older" / "1"))
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    for name in ("explain", "explain_pairs"):
        del saved.meta_graphs[0].signature_def[name]
    path.write_bytes(saved.SerializeToString())
    with serve(folder, model_name=NAME, port=0) as server:
        yield server.address


def check_same(given: list[Explanation], expected: list[Explanation]) -> None:
    assert [one.text for one in given] == [one.text for one in expected]
    for one, other in zip(given, expected, strict=True):
        assert one.prediction.label == other.prediction.label
        assert one.complete == other.complete
        for word, same in zip(one.words, other.words, strict=True):
            assert (word.text, word.start, word.end, word.place) == (
                same.text,
                same.start,
                same.end,
                same.place,
            )
            assert word.effects == pytest.approx(dict(same.effects), abs=1e-5)


def test_explanations_are_those_in_process(client: Any, models: Callable[[str], Model]) -> None:
    classifier = models("tiny").classifier
    check_same(client.explain(TEXTS), classifier.explain(TEXTS))
    pairs = ["the cup", "news", ""]
    check_same(client.explain(TEXTS, pairs=pairs), classifier.explain(TEXTS, pairs=pairs))
    check_same([client.explain(TEXTS[0])], [classifier.explain(TEXTS[0])])


@pytest.mark.verify  # as test_explain.py of tests/explaining does in process
def test_a_regression_is_explained(models: Callable[[str], Model], form: str) -> None:
    model = models("regression")
    with connection(form, model.address) as client:
        check_same(client.explain(TEXTS), model.classifier.explain(TEXTS))


def test_a_model_without_the_signature_is_refused(form: str, older: str) -> None:
    with (
        connection(form, older) as client,
        pytest.raises(ClientError, match=r"no signature 'explain'.*export an older one again"),
    ):
        client.explain(TEXTS)


def test_what_is_no_text_is_refused(client: Any) -> None:
    with pytest.raises(InputError, match=r"texts\[1\] is None"):
        client.explain(["a", None])
