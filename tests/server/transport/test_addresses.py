"""A UNIX socket is checked before models are loaded."""

import os
import socket
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.server.messages import predict_request, strings
from tfclf.errors import InputError, ServerError
from tfclf.server import serve
from tfclf.server.process import ServerOptions
from tfclf.server.start import find_models, start
from tfclf.server.transport.addresses import check_socket


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A short relative path; a socket's path may have 107 bytes at most."""
    monkeypatch.chdir(tmp_path)
    return "grpc.sock"


def leave_behind(path: str) -> None:
    """Leave a socket behind, like a killed process."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)


def test_a_path_that_is_free_is_fine_and_stays_free(place: str) -> None:
    check_socket(place)
    assert not Path(place).exists()


def test_a_socket_that_a_killed_process_left_is_fine(place: str) -> None:
    leave_behind(place)
    check_socket(place)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no/such/folder/s", "there is no folder no/such/folder"),
        ("file", "the path exists and is not a socket"),
        ("folder", "the path exists and is not a socket"),
        ("dangling", "the path exists and is not a socket"),
        ("x" * 108, "the path has more than 107 bytes"),
        ("é" * 54, "the path has more than 107 bytes"),
    ],
)
def test_what_grpc_could_not_bind_says_why(place: str, path: str, reason: str) -> None:
    Path("file").touch()
    Path("folder").mkdir()
    Path("dangling").symlink_to("nowhere")
    with pytest.raises(
        ServerError,
        match=f"cannot listen on the UNIX socket {path}: {reason}.*Give another path",
    ):
        check_socket(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(place: str) -> None:
    Path("closed").mkdir(mode=0o500)
    with pytest.raises(ServerError, match="closed cannot be written to"):
        check_socket("closed/s")


def test_a_server_takes_over_a_socket_that_was_left_behind(
    place: str, half_plus_two_base: Path
) -> None:
    leave_behind(place)
    options = ServerOptions(port=None, socket_path=place, drain_seconds=0)
    with start(find_models(half_plus_two_base), options=options) as server:
        assert server.address == f"unix:{place}"
        with grpc.insecure_channel(server.address) as channel:
            grpc.channel_ready_future(channel).result(timeout=10)
    assert not Path(place).exists()


def test_of_two_servers_with_one_socket_the_last_has_it(
    place: str, half_plus_two_base: Path, echo_base: Path
) -> None:
    options = ServerOptions(port=None, socket_path=place, drain_seconds=0)
    with (
        start(find_models(half_plus_two_base), options=options),
        start(find_models(echo_base), options=options) as last,
        grpc.insecure_channel(last.address) as channel,
    ):
        response = PredictionServiceStub(channel).Predict(
            predict_request({"text": strings("a")}, model="echo"), timeout=60
        )
    assert response.model_spec.name == "echo"


@pytest.mark.parametrize("threads", [{"grpc_threads": -1}, {"rest_threads": -1}])
def test_less_than_no_threads_are_refused(
    half_plus_two_base: Path, threads: dict[str, int]
) -> None:
    with pytest.raises(InputError, match=r"threads is -1; expected 0 .* or more"):
        start(find_models(half_plus_two_base), options=ServerOptions(port=0, **threads))  # type: ignore[arg-type]


def test_two_ports_must_be_two(half_plus_two_base: Path) -> None:
    with pytest.raises(InputError, match="port and rest_port are both 8123"):
        serve(half_plus_two_base, port=8123, rest_port=8123)
