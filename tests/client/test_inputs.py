"""A client before it connects: the texts that it takes, and its repr."""

import asyncio
from typing import Any

import pandas
import pyarrow
import pytest

from tfclf import AsyncClient, Client
from tfclf.errors import InputError

_TABLE = {"id": ["7"], "text": ["a"]}


@pytest.mark.parametrize(
    "table",
    [pandas.DataFrame(_TABLE), _TABLE, pyarrow.table(_TABLE)],
    ids=["DataFrame", "dict", "Arrow"],
)
def test_a_table_is_refused_by_every_client(table: Any) -> None:
    async def predict() -> None:
        async with AsyncClient("localhost:1") as client:
            await client.predict(table)

    with (
        Client("localhost:1") as client,
        pytest.raises(InputError, match=r'clf.predict\(d[a-z]+\["text"\]\)'),
    ):
        client.predict(table)
    with pytest.raises(InputError, match=r'clf.predict\(d[a-z]+\["text"\]\)'):
        asyncio.run(predict())


def test_a_series_gives_a_list_from_a_client() -> None:
    with Client("localhost:1") as client:
        assert client.predict(pandas.Series([], dtype="str")) == []


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_says_what_it_asks(kind: type) -> None:
    client = kind("http://localhost:8501", model="news", version="stable", timeout=5)
    assert repr(client) == (
        f"<tfclf.{kind.__name__} http://localhost:8501 (REST), model 'news', version 'stable', "
        f"timeout 5 s>"
    )
