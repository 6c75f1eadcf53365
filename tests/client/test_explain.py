"""`explain` of a client: that of the model in process, over both protocols and in both forms."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tfclf
from tests.client.conftest import NAME, Model, connection, front
from tests.client.fronts import Behind
from tests.signatures import drop_signatures
from tfclf import progress
from tfclf.errors import ClientError, InputError
from tfclf.explanation import Explanation
from tfclf.server import serve

TEXTS = ["A late goal, again!", "", "caf\u00e9 \U0001f44d\0 \u4eca\u65e5"]


@pytest.fixture(scope="module")
def older(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of an export that was made before tfclf could explain."""
    folder = Path(shutil.copytree(small, tmp_path_factory.mktemp("older") / "older" / "1"))
    drop_signatures(folder, "explain", "explain_pairs", "explain_windows")
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


LONG_TEXT = "A late goal wins the cup, and the visitors go home. " * 6


@pytest.fixture(scope="module")
def short_server(short_export: Path) -> Iterator[Model]:
    """A server of a model that reads 64 tokens."""
    with serve(short_export, model_name=NAME, port=0, rest_port=0) as server:
        yield Model(server.address, tfclf.load(short_export))


@pytest.mark.parametrize("stride", [None, 8])
def test_windows_are_those_in_process(form: str, short_server: Model, stride: int | None) -> None:
    with connection(form, short_server.address) as client:
        given = client.explain([LONG_TEXT, "goal"], long="windows", stride=stride)
    expected = short_server.classifier.explain([LONG_TEXT, "goal"], long="windows", stride=stride)
    check_same(given, expected)
    assert given[0].prediction.windows == expected[0].prediction.windows
    assert given[0].prediction.truncated is False


def test_the_stride_is_found_out_once(short_server: Model) -> None:
    behind = Behind(short_server.address)
    with front("grpc", behind) as server, connection("blocking", server.address) as client:
        for _ in range(2):
            client.explain("goal", long="windows")
    called = [one.request.model_spec.signature_name for one in behind.seen]
    assert called.count("explain_windows") == 2
    assert called.count("tokenize") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"long": "cut"}, "long is 'cut'; expected 'truncate' or 'windows'"),
        ({"stride": 8}, "a stride is for long='windows'"),
        ({"long": "windows", "stride": -1}, "stride is -1"),
        ({"long": "windows", "pairs": ["b"]}, "windows are for single texts"),
    ],
)
def test_windows_that_cannot_be_are_refused(
    client: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        client.explain(["a"], **options)


def test_a_stride_that_is_too_large_is_told_by_the_server(short_server: Model) -> None:
    with (
        connection("blocking", short_server.address) as client,
        pytest.raises(ClientError, match="stride must be at least 0 and below 62"),
    ):
        client.explain("goal", long="windows", stride=62)


def test_a_bar_counts_the_texts(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes standard error for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_QUIET_SECONDS", -1.0)
    client.explain(["goal"] * 2, batch_size=1, progress=True)
    assert "of 2 texts" in capsys.readouterr().err


def test_a_cancelled_task_ends_at_once(short_server: Model) -> None:
    async def cancel() -> None:
        async with tfclf.AsyncClient(short_server.address, model=NAME) as client:
            await client.predict("goal")
            task = asyncio.create_task(client.explain([LONG_TEXT] * 64, batch_size=1))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await client.predict("goal")).score  # the connection lives on

    asyncio.run(cancel())
