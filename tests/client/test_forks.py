"""A fork waits for gRPC requests in flight, and new requests wait for the fork."""

import threading
from collections.abc import Callable

import pytest

from tfclf.client import forks


@pytest.fixture
def gate() -> forks.Gate:
    return forks.Gate()


def start(step: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=step, daemon=True)
    thread.start()
    return thread


def make_request(gate: forks.Gate) -> None:
    with gate.request():
        pass


def test_a_fork_waits_for_the_requests_in_flight(gate: forks.Gate) -> None:
    with gate.request():
        fork = start(gate.shut)
        fork.join(0.1)
        assert fork.is_alive()
    fork.join(10)
    assert not fork.is_alive()


def test_a_fork_waits_for_a_limited_time(gate: forks.Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_LONGEST_WAIT", 0.05)
    with gate.request():
        fork = start(gate.shut)
        fork.join(10)
        assert not fork.is_alive()


def test_requests_wait_until_the_last_fork_has_ended(gate: forks.Gate) -> None:
    gate.shut()
    gate.shut()
    gate.open()
    request = start(lambda: make_request(gate))
    request.join(0.1)
    assert request.is_alive()
    gate.open()
    request.join(10)
    assert not request.is_alive()


def test_requests_need_not_wait_for_each_other(gate: forks.Gate) -> None:
    with gate.request():
        make_request(gate)


def test_a_request_that_fails_is_no_longer_in_flight(gate: forks.Gate) -> None:
    with pytest.raises(ConnectionError), gate.request():
        raise ConnectionError
    fork = start(gate.shut)
    fork.join(5)
    assert not fork.is_alive()


def test_a_child_does_not_wait_for_its_parents_threads(gate: forks.Gate) -> None:
    with gate.request():
        fork = start(gate.shut)
        fork.join(0.05)
        gate.renew()
        child = start(lambda: make_request(gate))
        child.join(5)
        assert not child.is_alive()
