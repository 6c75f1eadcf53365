"""Texts are read as they are needed, sent in requests of bounded size, and answered in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.conftest import NAME, Model, connection, front
from tests.client.fronts import Behind
from tfclf import AsyncClient, Client, Prediction
from tfclf.client.address import Address
from tfclf.client.batches import group_rows
from tfclf.client.rest_transport import AsyncRestTransport
from tfclf.errors import ClientError, InputError
from tfclf.sample_texts import HEADLINES

MANY = [f"{HEADLINES[index % 8]} {index}" for index in range(200)]


@given(lengths=st.lists(st.integers(0, 50)), size=st.integers(1, 5), size_bytes=st.integers(1, 60))
def test_batches_hold_every_row_once_and_keep_to_both_limits(
    lengths: list[int], size: int, size_bytes: int
) -> None:
    rows = [(b"x" * length, b"y") for length in lengths]
    batches = list(group_rows(iter(rows), size=size, size_bytes=size_bytes))
    assert [row for batch in batches for row in batch] == rows
    assert all(1 <= len(batch) <= size for batch in batches)
    assert all(len(batch) == 1 or sum(map(len, sum(batch, ()))) <= size_bytes for batch in batches)


def test_a_full_batch_does_not_wait_for_a_further_row() -> None:
    read: list[int] = []

    def rows() -> Iterator[tuple[bytes]]:
        for number in range(3):
            read.append(number)
            yield (b"x",)

    next(group_rows(rows(), size=2, size_bytes=100))
    assert read == [0, 1]


def test_a_list_gives_a_list_and_a_generator_an_iterator(address: str) -> None:
    with Client(address, model=NAME) as client:
        assert isinstance(client.predict(MANY[:2]), list)
        predictions = client.predict(text for text in MANY[:2])
        assert iter(predictions) is predictions
        assert len(list(predictions)) == 2


def test_order_is_kept_with_many_requests_under_way(
    form: str, address: str, behind: Behind
) -> None:
    with connection(form, address, in_flight=8) as client:
        alone = client.predict(MANY, batch_size=200)
        together = client.predict(MANY, batch_size=3)
    assert [one.score for one in together] == pytest.approx([one.score for one in alone], abs=1e-5)


def test_requests_under_way_are_bounded_and_more_than_one(
    form: str, address: str, behind: Behind
) -> None:
    with connection(form, address, in_flight=3) as client:
        client.predict(MANY[:1])  # it asks for the labels first, alone
        behind.company = 3
        client.predict(MANY[:60], batch_size=3)
    assert behind.most_at_once == 3


def test_texts_are_read_no_further_than_requests_need(address: str) -> None:
    read: list[str] = []

    def texts() -> Iterator[str]:
        for text in MANY:
            read.append(text)
            yield text

    with Client(address, model=NAME, in_flight=2) as client:
        predictions = client.predict(texts(), batch_size=5)
        next(predictions)
        assert len(read) <= 5 * (2 + 1)
        assert len(list(predictions)) == len(MANY) - 1


def test_who_stops_listening_leaves_no_request_behind(address: str, behind: Behind) -> None:
    with Client(address, model=NAME, in_flight=2) as client:
        predictions = client.predict(iter(MANY), batch_size=1)
        next(predictions)
        predictions.close()  # type: ignore[attr-defined]
        sent = len(behind.seen)
        client.predict(MANY[:1])
        assert len(behind.seen) <= sent + 3
    assert sent < 20


def test_texts_that_are_read_with_async_for(address: str) -> None:
    async def texts() -> AsyncIterator[str]:
        for text in MANY[:50]:
            await asyncio.sleep(0)
            yield text

    async def ask() -> tuple[list[Prediction], list[Prediction]]:
        async with AsyncClient(address, model=NAME, batch_size=8) as client:
            streamed = [prediction async for prediction in client.stream(texts(), progress=True)]
            return streamed, await client.predict(MANY[:50])

    streamed, expected = asyncio.run(ask())
    assert [one.label for one in streamed] == [one.label for one in expected]


def test_an_async_stream_that_is_left_early_cancels_what_is_under_way(
    address: str, behind: Behind
) -> None:
    async def ask() -> int:
        async with AsyncClient(address, model=NAME, batch_size=1, in_flight=2) as client:
            stream = client.stream(MANY)
            await stream.__anext__()
            await stream.aclose()  # type: ignore[attr-defined]
            return len(behind.seen)

    assert asyncio.run(ask()) < 20


@pytest.mark.parametrize("turns", range(4))
def test_a_cancellation_is_not_lost_if_the_response_comes_with_it(turns: int) -> None:
    class Http:
        def __init__(self) -> None:
            self.response = asyncio.get_running_loop().create_future()

        async def send(self, _: object) -> Any:
            return await self.response

    async def cancel() -> None:
        options = AsyncClient("http://localhost:1")._options
        transport = AsyncRestTransport(Address.parse("http://localhost:1"), options, None)
        await transport.close()
        http = transport._client = Http()
        task = asyncio.create_task(transport._send(httpx.Request("GET", "http://localhost"), 60))
        await asyncio.sleep(0.01)
        http.response.set_result(httpx.Response(200))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():  # else the answer was there before
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())


def test_many_tasks_share_a_client(address: str) -> None:
    async def ask() -> list[list[Prediction]]:
        async with AsyncClient(address, model=NAME) as client:
            return await asyncio.gather(*(client.predict([text]) for text in MANY[:40]))

    assert [len(predictions) for predictions in asyncio.run(ask())] == [1] * 40


def test_many_threads_share_a_client(address: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Client(address, model=NAME) as client, ThreadPoolExecutor(16) as threads:
        alone = client.predict(MANY)
        together = list(threads.map(lambda text: client.predict([text])[0], MANY))
    assert [one.label for one in together] == [one.label for one in alone]


def test_long_texts_are_split_by_bytes(form: str, address: str, behind: Behind) -> None:
    with connection(form, address, batch_bytes=1000) as client:
        assert len(client.predict(["late goal " * 60] * 4)) == 4
    sizes = [
        request.inputs["text"].tensor_shape.dim[0].size for request in predict_requests(behind)
    ]
    assert sizes == [1, 1, 1, 1]


def test_answers_larger_than_grpcs_default_limit_come_back(models: Callable[[str], Model]) -> None:
    """Token ids of 4,000 long texts: more than 4 MiB."""
    model = models("tiny")
    with Client(model.address, model=NAME, batch_size=4000, batch_bytes=1 << 30) as client:
        rows = client.tokenize(["goal " * 600] * 4000)
    assert sum(map(len, rows)) == 4000 * 512


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (b"one text", "bare bytes b'one text'; expected a list"),
        (None, "texts is None"),
        (["a", None], r"texts\[1\] is None .*missing value"),
        ([["a"]], r"texts\[0\] is \['a'\]"),
        (["a"] * 40 + [7], r"texts\[40\] is 7 \(int\); expected str"),
    ],
    ids=["bare", "none", "None within", "nested", "number in the second batch"],
)
def test_what_is_no_text_is_refused_as_in_process(client: Any, texts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        client.predict(texts)


def test_pairs_that_do_not_match_are_refused(client: Any) -> None:
    with pytest.raises(InputError, match="2 texts and 1 pairs"):
        client.predict(["a", "b"], pairs=["c"])
    with pytest.raises(InputError, match="pairs ended after 1"):
        client.predict(["a", "b"], pairs=iter(["c"]))


def test_pairs_beside_an_async_iterable_are_refused() -> None:
    async def texts() -> AsyncIterator[str]:
        yield "a"

    async def ask() -> None:
        async with AsyncClient("localhost:1") as client:
            await client.predict(texts(), pairs=["b"])

    with pytest.raises(InputError, match="pairs go with an ordinary iterable"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"batch_size": True}, {"timeout": 0}, {"timeout": float("inf")}]
)
def test_options_of_a_call_are_checked(client: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        client.predict(["a"], **options)


def predict_requests(behind: Behind) -> list[Any]:
    """The requests for predictions, without those for the labels."""
    return [
        seen.request for seen in behind.seen if seen.request.model_spec.signature_name == "detail"
    ]


def test_labels_are_asked_for_once(form: str, protocol: str, behind: Behind) -> None:
    with front(protocol, behind) as server, connection(form, server.address) as client:
        for _ in range(3):
            client.predict(MANY[:2])
    signatures = [seen.request.model_spec.signature_name for seen in behind.seen]
    assert signatures == ["classify", "detail", "detail", "detail"]


def test_no_choice_of_outputs_is_asked_for_that_a_server_has_not_warmed_up(
    address: str, behind: Behind
) -> None:
    with Client(address, model=NAME) as client:
        client.predict(MANY[:1])
    assert [list(seen.request.output_filter) for seen in behind.seen] == [[], []]


def test_an_iterator_that_outlives_its_client_says_so(address: str) -> None:
    with Client(address, model=NAME, batch_size=1, in_flight=1) as client:
        predictions = client.predict(text for text in MANY)
        next(predictions)
    with pytest.raises(ClientError, match="Read all of it before the client's `with` block ends"):
        list(predictions)
