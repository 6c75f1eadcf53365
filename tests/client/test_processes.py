"""Clients over forks, pickles and event loops: each connects for itself, and none hangs."""

import asyncio
import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.client.conftest import NAME, Model
from tests.client.test_same_as_in_process import check_same
from tfclf import AsyncClient, Client
from tfclf.client import Tls
from tfclf.errors import InputError
from tfclf.server import serve
from tfclf.server.process import Server

TEXTS = [f"late goal number {number}" for number in range(12)]

# Four children and their parent predict at once. Each of them sends many requests from its threads.
_FORK = """
import json, os, sys, tfclf
address, texts = sys.argv[1], json.loads(sys.argv[2])
client = tfclf.Client(address, model="served", batch_size=1, timeout=60)
client.predict(texts)
begun = client.predict(text for text in texts)
next(begun)
readers = []
for number in range(4):
    reading, writing = os.pipe()
    if not os.fork():
        try:
            mine = texts[number:] + texts[:number]
            answer = [client.predict(text).score for text in mine]
            assert answer == [one.score for one in client.predict(mine)]
            try:
                list(begun)
            except tfclf.TfclfError as error:
                answer.append(str(error))
        except BaseException as error:
            answer = repr(error)
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    readers.append(os.fdopen(reading))
answers = [[one.score for one in client.predict(texts)], *map(json.load, readers)]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def server(small: Path) -> Iterator[Server]:
    with serve(small, model_name=NAME, port=0, rest_port=0, batching=False) as running:
        yield running


@pytest.mark.parametrize("rest", [False, True], ids=["grpc", "rest"])
def test_forked_children_get_their_own_answers(
    rest: bool, server: Server, models: Callable[[str], Model]
) -> None:
    address = str(server.rest_url) if rest else server.address
    done = subprocess.run(
        [sys.executable, "-c", _FORK, address, json.dumps(TEXTS)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "skipping fork() handlers" not in done.stderr  # gRPC's, if a thread is inside it
    scores = [one.score for one in models("tiny").classifier.predict(TEXTS)]
    parent, *children = json.loads(done.stdout)
    assert parent == pytest.approx(scores, abs=1e-5)
    for number, (*answers, error) in enumerate(children):
        assert answers == pytest.approx(scores[number:] + scores[:number], abs=1e-5)
        assert "is a fork of it" in error


@pytest.mark.parametrize("copied", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_a_copy_connects_anew(
    copied: Callable[[Client], Client], address: str, models: Callable[[str], Model]
) -> None:
    with Client(address, model=NAME) as client:
        client.predict(TEXTS)
        with copied(client) as other:
            check_same(other.predict(TEXTS), models("tiny").classifier.predict(TEXTS))


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("version", [None, 3, "stable"])
def test_a_pickle_keeps_the_options(kind: Any, version: int | str | None) -> None:
    given = {"version": version, "timeout": None, "retries": 1, "batch_size": 5, "in_flight": 2}
    client = kind("http://localhost:1", **given)
    other = pickle.loads(pickle.dumps(client))
    assert other._options == client._options


def test_a_pickle_of_a_client_with_tls_holds_the_paths(tmp_path: Any) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = Tls(ca=tmp_path / "ca.pem", server_name="models.example")
    client = Client("https://localhost:1", tls=tls)
    assert pickle.loads(pickle.dumps(client))._tls == tls


def test_an_async_client_in_a_second_loop_says_what_to_do(address: str) -> None:
    client, loop = AsyncClient(address, model=NAME), asyncio.new_event_loop()
    loop.run_until_complete(client.predict(TEXTS))
    with pytest.raises(InputError, match="Make an AsyncClient in each loop"):
        asyncio.run(client.predict(TEXTS))
    loop.run_until_complete(client.close())
    loop.close()


def test_an_async_client_whose_loop_has_ended_is_closed_for_nothing(server: Server) -> None:
    client = AsyncClient(server.address, model=NAME)
    asyncio.run(client.status())
    asyncio.run(client.close())


def test_a_child_that_leaves_the_with_block_does_not_close_its_parents_connection(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(address, model=NAME) as client:
        client.predict(TEXTS)
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: -1)
            client.close()
        assert len(client.predict(TEXTS)) == len(TEXTS)
