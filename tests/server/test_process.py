"""A server's start, ports, signals, drain and end."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from tests.forks import fork_python
from tests.server.conftest import predict_request, strings
from tests.server.fakes import wait_until
from tfclf.errors import (
    InputError,
    MissingExtraError,
    SavedModelError,
    ServerError,
    SourceNotFoundError,
)
from tfclf.server import serve
from tfclf.server.transport.addresses import join_address

ROOT = Path(__file__).parents[2]
SERVE = (
    "import sys, tfclf.cli.serve as s; from pathlib import Path; "
    "s.serve(Path(sys.argv[1]), port=0, rest_port=0)"
)


def steps(number: int) -> Any:
    return predict_request({"steps": tf.make_tensor_proto(number)}, signature="slow")


def until(file: Path) -> Any:
    """Build a request that stays in flight until the file exists."""
    return predict_request({"file": tf.make_tensor_proto(str(file))}, signature="until")


def in_flight(rest_url: str, path: str = "/monitoring/prometheus/metrics") -> int:
    """Read the number of in-flight requests from a server's metrics."""
    page = httpx.get(f"{rest_url}{path}", trust_env=False, timeout=60).text
    (line,) = re.findall(r"^:tfclf:server:requests_in_flight (\S+)$", page, re.MULTILINE)
    return int(float(line))


def refuses_connections(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


@contextmanager
def command(base: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `tfclf serve` in a process of its own; yield it and its line once it is ready."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        [fork_python(), "-c", SERVE, str(base)], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stderr is not None
            line = next((line for line in process.stderr if line.startswith("serving ")), "")
            # Further output must not fill the pipe.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield process, line.strip()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_lets_requests_end_and_the_exit_code_is_0(
    echo_base: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with command(echo_base) as (process, line):
        address, rest_url = line.split()[5], line.split()[7]
        assert line.startswith(f"serving echo version 2 on {address} (gRPC), http://127.0.0.1:")
        with grpc.insecure_channel(address) as channel:
            under_way = PredictionServiceStub(channel).Predict.future(until(tmp_path / "done"))
            wait_until(lambda: in_flight(rest_url) == 1)
            process.send_signal(number)
            wait_until(lambda: refuses_connections(rest_url.removeprefix("http://")))
            assert not under_way.done()
            (tmp_path / "done").touch()
            assert "found" in under_way.result(timeout=60).outputs
        assert process.wait(timeout=60) == 0


def test_stop_cancels_what_takes_longer_than_its_grace(echo_base: Path) -> None:
    others = set(threading.enumerate())
    server = serve(echo_base, port=0)
    with grpc.insecure_channel(server.address) as channel:
        under_way = PredictionServiceStub(channel).Predict.future(steps(10**9))
        wait_until(lambda: server.service.in_flight == 1)
        threads = [
            each
            for each in set(threading.enumerate()) - others
            if each.name.startswith("tfclf-grpc")
        ]
        assert threads
        started = time.monotonic()
        server.stop(grace=0.5)
        with pytest.raises(grpc.RpcError):
            under_way.result(timeout=60)
        assert time.monotonic() - started > 0.4
    wait_until(lambda: not any(thread.is_alive() for thread in threads))


def test_a_request_whose_deadline_passed_while_it_waited_is_not_computed(
    echo_base: Path, tmp_path: Path
) -> None:
    with (
        serve(echo_base, port=0, max_threads=1) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = PredictionServiceStub(channel)
        under_way = stub.Predict.future(until(tmp_path / "done"))
        wait_until(lambda: server.service.in_flight == 1)
        with pytest.raises(grpc.RpcError) as raised:
            stub.Predict(steps(10**9), timeout=0.1)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        (tmp_path / "done").touch()
        under_way.result(timeout=60)
        assert stub.Predict(steps(1), timeout=60)  # the only thread is free


def test_a_stopped_server_refuses_connections(echo_base: Path) -> None:
    with serve(echo_base, port=0) as server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_stopping_twice_is_stopping_once(echo_base: Path) -> None:
    with serve(echo_base, port=0) as server:
        server.stop()


def test_wait_returns_when_the_server_stops(echo_base: Path) -> None:
    with serve(echo_base, port=0) as server:
        waiter = threading.Thread(target=server.wait)
        waiter.start()
        waiter.join(0.2)
        assert waiter.is_alive()
        server.stop()
        waiter.join(60)
        assert not waiter.is_alive()


def test_a_port_in_use_is_named(echo_base: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ServerError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use"
        ):
            serve(echo_base, port=port)


def test_a_port_lost_while_the_model_was_loading_is_named(
    echo_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tfclf.server.start.check_port", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=rf":{port}: gRPC could not bind it"):
            serve(echo_base, port=port)


def test_two_servers_do_not_share_a_port(echo_base: Path) -> None:
    with serve(echo_base, port=0) as server, pytest.raises(ServerError, match="another one"):
        serve(echo_base, port=server.port)


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_a_port_out_of_range_is_refused(echo_base: Path, port: int) -> None:
    with pytest.raises(InputError, match="does not exist"):
        serve(echo_base, port=port)


def test_an_unknown_host_is_named(echo_base: Path) -> None:
    with pytest.raises(ServerError, match=r"cannot listen on no-such-host\.invalid:0"):
        serve(echo_base, host="no-such-host.invalid", port=0)


def test_only_this_machine_is_answered_by_default(echo_base: Path) -> None:
    with serve(echo_base, port=0) as server:
        assert server.address == f"127.0.0.1:{server.port}"


def test_an_ipv6_address_is_bracketed() -> None:
    assert join_address("::1", 8500) == "[::1]:8500"


def test_requests_call_the_model_by_the_given_name(echo_base: Path) -> None:
    with serve(echo_base / "1", model_name="demo", port=0) as server:
        assert str(server) == f"demo version 1 on {server.address} (gRPC)"
        with grpc.insecure_channel(server.address) as channel:
            request = predict_request({"text": strings("a")}, model="demo", version=1)
            assert PredictionServiceStub(channel).Predict(request).outputs["version"].int64_val[
                :
            ] == [1]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="nowhere"):
        serve(tmp_path / "nowhere", port=0)


def test_a_graph_that_is_cut_short_is_named(echo_base: Path, tmp_path: Path) -> None:
    shutil.copytree(echo_base / "1", tmp_path / "1")
    whole = (tmp_path / "1" / "saved_model.pb").read_bytes()
    (tmp_path / "1" / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SavedModelError, match=r"/1 cannot be loaded: .*Expected a SavedModel"):
        serve(tmp_path, port=0)


def test_variables_that_are_cut_short_are_named(echo_base: Path, tmp_path: Path) -> None:
    shutil.copytree(echo_base / "1", tmp_path / "1")
    (tmp_path / "1" / "variables" / "variables.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(SavedModelError, match="/1 cannot be loaded: "):
        serve(tmp_path, port=0)


def test_missing_variables_are_named(echo_base: Path, tmp_path: Path) -> None:
    shutil.copytree(echo_base / "1", tmp_path / "1")
    shutil.rmtree(tmp_path / "1" / "variables")
    with pytest.raises(SavedModelError, match="/1 cannot be loaded: "):
        serve(tmp_path, port=0)


def test_a_graph_that_is_not_for_serving_is_named(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.constant(1)
        builder = tf.compat.v1.saved_model.Builder(str(tmp_path / "1"))
        builder.add_meta_graph_and_variables(session, ["train"])
        builder.save()
    with pytest.raises(SavedModelError, match="tagged 'serve'"):
        serve(tmp_path, port=0)


@pytest.mark.parametrize("module", ["grpc", "tensorflow_serving"])
def test_a_missing_package_names_the_extra(
    echo_base: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "tfclf.server.find_spec", lambda name: None if name == module else find_spec(name)
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'tfclf\[server\]'"):
        serve(echo_base, port=0)


def test_importing_the_package_imports_neither_tensorflow_nor_grpc() -> None:
    code = (
        "import sys, tfclf.server; "
        "print([name for name in ('tensorflow', 'grpc') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert output.stdout == "[]\n"


def test_a_models_config_is_looked_at_again(echo_base: Path, tmp_path: Path) -> None:
    config = (
        'model_config_list {{ config {{ name: "{}" base_path: "{}" '
        'model_platform: "tensorflow" }} }}'
    )
    file = tmp_path / "models.config"
    file.write_text(config.format("first", echo_base))
    with serve(file, port=0, poll_seconds=0.1) as server:
        file.write_text(config.format("second", echo_base))
        wait_until(lambda: {servable.name for servable in server.service.registry} == {"second"})
