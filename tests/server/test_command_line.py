"""`python -m tfclf.server`, as users of tensorflow_model_server start it."""

import json
import logging
import os
import queue
import re
import shutil
import signal
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
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from samples.checkpoints import ROOT
from tests.forks import fork_python
from tests.ports import free_ports
from tests.server.conftest import predict_request, strings
from tests.server.fakes import wait_until
from tests.server.inputs import classify_request, example, example_list
from tests.server.lifecycle.test_loading import write_records
from tests.server.test_process import in_flight, steps
from tfclf.errors import ServerError
from tfclf.server import __main__ as program
from tfclf.server import command_line, flags
from tfclf.server.limits import Limits
from tfclf.server.process import ServerOptions
from tfclf.server.start import find_models, start

_READY_WITHIN = 180.0


class Program:
    """A server in a process of its own, and the lines on its stderr so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line)
        self._new.put(None)

    def wait_for(self, text: str) -> str:
        """Wait for the first line that contains a text."""
        end = time.monotonic() + _READY_WITHIN
        try:
            while (line := self._new.get(timeout=max(0.0, end - time.monotonic()))) is not None:
                if text in line:
                    return line
        except queue.Empty:
            pytest.fail("\n".join([f"the server has not said {text!r}:", *self.lines]))
        pytest.fail("\n".join(["the server ended:", *self.lines]))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self._reader.join(60)
        return code


@contextmanager
def program_of(
    *arguments: str,
    ready: str = "tfclf.server.command_line",
    cwd: Path | None = None,
    python: str | None = None,
) -> Iterator[Program]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python or fork_python(), "-m", "tfclf.server", *arguments]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd
    ) as process:
        try:
            running = Program(process)
            running.wait_for(ready)
            yield running
        finally:
            process.kill()


def version_of(answer: Any) -> int:
    return int(tf.make_ndarray(answer.outputs["version"])[0])


class SingleModel:
    """A program that serves one model, with most flags at once: starting one takes seconds."""

    def __init__(self, running: Program, port: int, rest_port: int, folder: Path) -> None:
        self.running, self.port, self.rest_port, self.folder = running, port, rest_port, folder
        self.url = f"http://127.0.0.1:{rest_port}"

    def ask(
        self, request: Any, target: str = "", *, method: str = "Predict", timeout: float = 60
    ) -> Any:
        with grpc.insecure_channel(target or f"127.0.0.1:{self.port}") as channel:
            return getattr(PredictionServiceStub(channel), method)(request, timeout=timeout)


@pytest.fixture(scope="module")
def single(echo_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SingleModel]:
    folder = tmp_path_factory.mktemp("single")
    (folder / "models").symlink_to(echo_base.parent)
    (folder / "batching.config").write_text(
        "max_batch_size { value: 2 } enable_large_batch_splitting { value: false }"
    )
    (folder / "monitoring.config").write_text(
        'prometheus_config { enable: true, path: "/my/metrics" }'
    )
    port, rest_port = free_ports(2)
    arguments = (
        f"--port={port}",
        f"--rest_api_port={rest_port}",
        "--model_name=echo",
        "--model_base_path=models/echo",
        "--grpc_socket_path=grpc.sock",
        "--enable_batching",
        "--batching_parameters_file=batching.config",
        "--monitoring_config_file=monitoring.config",
        "--grpc_channel_arguments=grpc.max_receive_message_length=20000,grpc.max_connection_age_ms=600000",
        "--enable_serialization_as_tensor_content",
        "--enable_signature_method_name_check=true",
        "--enable_grpc_healthcheck_service",
        "--rest_api_timeout_in_ms=1500",
        "--rest_api_enable_cors_support",
        "--num_load_threads=4",
        "--log_level=debug",
        "--log_format=json",
        "--drain_seconds=1.5",
    )
    with program_of(*arguments, cwd=folder, python=sys.executable) as running:
        yield SingleModel(running, port, rest_port, folder)


def test_it_says_where_it_serves_what(single: SingleModel) -> None:
    expected = (
        f"serving echo version 2 on 127.0.0.1:{single.port} and unix:grpc.sock (gRPC), "
        f"http://127.0.0.1:{single.rest_port} (REST)"
    )
    assert expected in [json.loads(line)["message"] for line in single.running.lines]


def test_json_logs_are_json_in_every_line(single: SingleModel) -> None:
    assert all(
        {"time", "level", "message"} <= json.loads(line).keys() for line in single.running.lines
    )


def test_a_flag_without_effect_is_in_the_log(single: SingleModel) -> None:
    warnings = [json.loads(line) for line in single.running.lines if "WARNING" in line]
    assert any(line["message"].startswith("--num_load_threads has no effect") for line in warnings)


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/page/page.js"])
def test_it_has_no_paths_that_tf_serving_has_not(single: SingleModel, path: str) -> None:
    assert httpx.get(f"http://127.0.0.1:{single.rest_port}{path}").status_code == 404


@pytest.mark.parametrize("target", ["port", "socket"])
def test_predict_answers_on_the_port_and_on_the_socket(single: SingleModel, target: str) -> None:
    address = f"unix:{single.folder}/grpc.sock" if target == "socket" else ""
    assert version_of(single.ask(predict_request({"text": strings("a")}), address)) == 2


def test_answers_are_in_tensor_content(single: SingleModel) -> None:
    length = single.ask(predict_request({"text": strings("abc")})).outputs["length"]
    assert length.tensor_content == b"\x03\0\0\0"
    assert not length.int_val


def test_the_batching_file_holds(single: SingleModel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        single.ask(predict_request({"text": strings("a", "b", "c")}))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "2" in raised.value.details()


def test_channel_arguments_hold(single: SingleModel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        single.ask(predict_request({"text": strings("x" * 30_000)}))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "20000" in raised.value.details()


def test_method_names_are_checked(single: SingleModel) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        single.ask(classify_request(example_list(example(x=1.0)), model="echo"), method="Classify")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (
        "Expected classification signature method_name to be tensorflow/serving/classify"
        in raised.value.details()
    )


def test_health_is_told(single: SingleModel) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{single.port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=60
        )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_metrics_are_where_the_monitoring_file_says(single: SingleModel) -> None:
    assert (
        ":tensorflow:cc:saved_model:load_attempt_count{"
        in httpx.get(f"{single.url}/my/metrics", timeout=60).text
    )
    assert httpx.get(f"{single.url}/monitoring/prometheus/metrics", timeout=60).status_code == 404


def test_pages_of_other_origins_may_call_rest(single: SingleModel) -> None:
    answer = httpx.get(
        f"{single.url}/v1/models/echo", headers={"Origin": "http://elsewhere.example"}, timeout=60
    )
    assert answer.headers["access-control-allow-origin"] == "*"


def test_rest_ends_after_its_timeout(single: SingleModel) -> None:
    started = time.monotonic()
    body = {"signature_name": "slow", "inputs": {"steps": 10**9}}
    answer = httpx.post(f"{single.url}/v1/models/echo:predict", json=body, timeout=60)
    assert answer.status_code == 504
    assert time.monotonic() - started > 1.4


def test_a_request_is_a_line_without_its_texts_at_debug_level(single: SingleModel) -> None:
    single.ask(predict_request({"text": strings("very private")}))
    wait_until(lambda: any('"method": "Predict"' in line for line in single.running.lines))
    assert not any("very private" in line for line in single.running.lines)


def test_a_second_server_on_its_port_ends_before_it_loads_anything(
    single: SingleModel, run_program: "ProgramRunner"
) -> None:
    code, said = run_program(
        f"--port={single.port}", f"--model_base_path={single.folder}/models/echo"
    )
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{single.port}: Address already in use" in said
    assert "loaded model" not in said


def test_sigterm_ends_it_with_0_within_its_drain_time(single: SingleModel) -> None:
    """The last test of this server."""
    with grpc.insecure_channel(f"127.0.0.1:{single.port}") as channel:
        under_way = PredictionServiceStub(channel).Predict.future(steps(10**9))
        wait_until(lambda: in_flight(single.url, "/my/metrics") == 1)
        started = time.monotonic()
        assert single.running.end() == 0
        assert time.monotonic() - started > 1.0
        assert (
            under_way.code() is grpc.StatusCode.CANCELLED
            or under_way.code() is grpc.StatusCode.UNAVAILABLE
        )
    assert not (single.folder / "grpc.sock").exists()
    assert not any("Traceback" in line for line in single.running.lines)


def models_config(*models: str) -> str:
    return f"model_config_list {{ {' '.join(models)} }}"


def model(name: str, base: Path, more: str = "") -> str:
    return f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'


def test_a_models_config_with_two_models_versions_and_labels_is_polled(
    echo_base: Path, half_plus_two_base: Path, tmp_path: Path
) -> None:
    both = (
        "model_version_policy { all {} } "
        'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }'
    )
    file = tmp_path / "models.config"
    file.write_text(
        models_config(model("echo", echo_base, both), model("half", half_plus_two_base))
    )
    (port,) = free_ports(1)
    arguments = [
        f"--model_config_file={file}",
        "--model_config_file_poll_wait_seconds=1",
        f"--port={port}",
    ]
    allowed = "--allow_version_labels_for_unavailable_models"
    with (
        program_of(*arguments, allowed) as running,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        stub = PredictionServiceStub(channel)

        def version(**spec: Any) -> int:
            return version_of(
                stub.Predict(predict_request({"text": strings("a")}, **spec), timeout=60)
            )

        assert [
            version(),
            version(label="stable"),
            version(label="canary"),
            version(version=1),
        ] == [2, 1, 2, 1]
        half = predict_request(
            {"x": tf.make_tensor_proto([[2.0]])}, model="half", output_filter=["y"]
        )
        assert tf.make_ndarray(stub.Predict(half, timeout=60).outputs["y"]).tolist() == [[3.0]]

        file.write_text(
            models_config(model("echo", echo_base, both), model("renamed", half_plus_two_base))
        )
        half.model_spec.name = "renamed"

        def renamed() -> bool:
            try:
                return bool(stub.Predict(half, timeout=60))
            except grpc.RpcError:
                return False

        wait_until(renamed)
        assert running.end(signal.SIGINT) == 0
        # the text form of logs
        assert re.fullmatch(r"\S+Z INFO    tfclf\.server\.\S+ .*", running.lines[0])
        said = "\n".join(running.lines)
        assert "REST is off; --rest_api_port=8501, say, turns it on" in said
        assert "only this machine can connect to 127.0.0.1; --host=0.0.0.0 opens the server" in said


class ProgramRunner:
    """A runner of the program in this process, with arguments that keep it from serving."""

    def __init__(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capfd, self._monkeypatch = capfd, monkeypatch

    def __call__(self, *arguments: str) -> tuple[int, str]:
        before = find_threads("tfclf-")
        self._monkeypatch.setattr(sys, "argv", ["tfclf.server", *arguments])
        try:
            code = program.main()
        except SystemExit as ended:
            code = int(str(ended.code))
        said = self._capfd.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        wait_until(lambda: find_threads("tfclf-") <= before)
        return code, said.err


def find_threads(prefix: str) -> set[threading.Thread]:
    """Find the threads of that prefix, which other tests' servers may have too."""
    return {thread for thread in threading.enumerate() if thread.name.startswith(prefix)}


@pytest.fixture
def run_program(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    restore_logging: None,
    restore_signals: None,
) -> ProgramRunner:
    return ProgramRunner(capfd, monkeypatch)


@pytest.fixture
def restore_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def restore_logging() -> Iterator[None]:
    loggers = [
        logging.getLogger(name)
        for name in ("", "tfclf", "uvicorn", "uvicorn.access", "uvicorn.error", "grpc")
    ]
    before = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


_BAD_FILE = {
    "model_config_file": (
        "model_config_list { config { nam",
        r"Error parsing text-format tensorflow\.serving\.ModelServerConfig: 1:\d+: ",
    ),
    "batching_parameters_file": ("max_batch_size { value: 0 }", "max_batch_size is 0; expected"),
    "ssl_config_file": ('server_key: "/etc/tls/key.pem"', "server_key holds no PEM block"),
    "monitoring_config_file": (
        "prometheus_config { path: 'm' enable: true }",
        "expected a path of a URL",
    ),
}


@pytest.mark.parametrize("flag", _BAD_FILE)
@pytest.mark.parametrize("there", [True, False], ids=["bad", "missing"])
def test_a_file_that_cannot_be_used_ends_it(
    flag: str, there: bool, run_program: ProgramRunner, tmp_path: Path, echo_base: Path
) -> None:
    path = tmp_path / "file"
    content, said = _BAD_FILE[flag]
    if there:
        path.write_text(content)
    more = [] if flag == "model_config_file" else [f"--model_base_path={echo_base}"]
    port, rest_port = free_ports(2)
    code, words = run_program(
        f"--{flag}={path}",
        f"--port={port}",
        f"--rest_api_port={rest_port}",
        "--enable_batching",
        *more,
    )
    assert code == 2
    assert re.search(
        f"Failed to start server. Error: .*{said if there else 'cannot be read: No such file'}",
        words,
    )


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (
            "{tmp}/nowhere",
            "Could not find base path {tmp}/nowhere for servable default with error NOT_FOUND",
        ),
        (
            "{tmp}",
            "Unable to find a numerical version path for servable default at: {tmp}. Found in "
            "--model_base_path",
        ),
        ("{echo}/2", "That is a version itself; the base path is the folder above it: {echo}."),
        (
            "gs://bucket/m",
            "Could not find base path gs://bucket/m .* reads folders of this machine only",
        ),
        ("~/no/such/model", "Could not find base path /.*[^~]/no/such/model for servable"),
    ],
    ids=["missing", "empty", "a version", "a bucket", "home"],
)
def test_a_base_path_that_cannot_be_served_ends_it(
    base: str, said: str, run_program: ProgramRunner, tmp_path: Path, echo_base: Path
) -> None:
    places = {"tmp": tmp_path, "echo": echo_base}
    code, words = run_program(
        f"--model_base_path={base.format(**places)}", f"--port={free_ports(1)[0]}"
    )
    assert code == 2
    assert re.search(said.format(**places), words)


def test_a_corrupt_model_ends_it(run_program: ProgramRunner, tmp_path: Path) -> None:
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"\xff\xff")
    code, words = run_program(
        f"--model_base_path={tmp_path}/model", f"--port={free_ports(1)[0]}", "--log_level=error"
    )
    assert code == 2
    assert "/1 cannot be loaded: " in words


@pytest.mark.parametrize("argument", ["grpc.max_metadata_size", "=5"])
def test_a_channel_argument_without_name_or_value_ends_it(
    argument: str, run_program: ProgramRunner, echo_base: Path
) -> None:
    code, words = run_program(
        f"--model_base_path={echo_base}", f"--grpc_channel_arguments={argument}"
    )
    assert (code, "expected name=value" in words) == (2, True)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", ()),
        ("a=1,b=two,c=-1,", (("a", 1), ("b", "two"), ("c", -1))),
        ("a=2147483647,b=2147483648", (("a", 2_147_483_647), ("b", "2147483648"))),
        ("a=b=c,d=", (("a", "b=c"), ("d", ""))),
    ],
)
def test_channel_arguments_are_numbers_where_grpc_can_have_them(
    text: str, arguments: tuple[Any, ...]
) -> None:
    assert command_line._channel_arguments(text) == arguments


def test_version_is_shown_without_loading_tensorflow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["tfclf.server", "--version"])
    assert program.main() == 0
    ours, tensorflow = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"tfclf: \d+\.\d+\.\d+\S*", ours)
    assert tensorflow == f"TensorFlow Library: {tf.__version__}"


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", {"batch": True, "batching": None, "per_model": False, "warm_up_runs": 1}),
        ("--enable_batching=false", {"batch": False}),
        (
            "--enable_batching --enable_per_model_batching_parameters",
            {"batch": True, "per_model": True},
        ),
        ("--enable_per_model_batching_parameters", {"per_model": False}),
        ("--enable_model_warmup=false --num_request_iterations_for_warmup=3", {"warm_up_runs": 0}),
        ("--num_request_iterations_for_warmup=3", {"warm_up_runs": 3}),
        ("--num_request_iterations_for_warmup=0", {"warm_up_runs": 1}),
    ],
)
def test_flags_become_options_of_loading(line: str, options: dict[str, Any]) -> None:
    loader = command_line._loader(flags.parse(["--model_base_path=x", *line.split()]))
    assert {name: getattr(loader, name) for name in options} == options


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", (("serve",), 0, 0, 0.0)),
        ("--saved_model_tags=", (("serve",), 0, 0, 0.0)),
        ("--saved_model_tags=serve,gpu", (("serve", "gpu"), 0, 0, 0.0)),
        ("--tensorflow_session_parallelism=3", (("serve",), 3, 3, 0.0)),
        (
            "--tensorflow_intra_op_parallelism=1 --tensorflow_inter_op_parallelism=2",
            (("serve",), 1, 2, 0.0),
        ),
        ("--per_process_gpu_memory_fraction=0.5", (("serve",), 0, 0, 0.5)),
    ],
)
def test_flags_become_options_of_the_session(line: str, expected: tuple[Any, ...]) -> None:
    parsed = flags.parse(["--model_base_path=x", *line.split()])
    session = command_line._session_options(parsed)
    threads = session.intra_op_threads, session.inter_op_threads
    assert (session.tags, *threads, session.gpu_memory_fraction) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (None, "/monitoring/prometheus/metrics"),
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/m" }', "/m"),
        ("prometheus_config { enable: false }", None),
        ("", None),
    ],
)
def test_metrics_are_shown_unless_a_monitoring_file_says_otherwise(
    text: str | None, path: str | None, tmp_path: Path
) -> None:
    arguments = ["--model_base_path=x", "--rest_api_port=8501"]
    if text is not None:
        (tmp_path / "monitoring").write_text(text)
        arguments.append(f"--monitoring_config_file={tmp_path}/monitoring")
    assert command_line._server_options(flags.parse(arguments)).metrics_path == path


def test_flags_become_options_of_the_server() -> None:
    line = (
        "--model_base_path=x --port=0 --rest_api_port=1 --grpc_socket_path=s --host=::1 "
        "--grpc_max_threads=5 --rest_api_num_threads=6 --rest_api_timeout_in_ms=250 "
        "--rest_api_enable_cors_support --drain_seconds=0.5 --enable_grpc_healthcheck_service "
        "--max_message_bytes=1 --max_texts=2 --max_text_bytes=3 --max_concurrent_requests=4"
    )
    assert command_line._server_options(flags.parse(line.split())) == ServerOptions(
        host="::1",
        port=None,
        rest_port=1,
        socket_path="s",
        limits=Limits(
            max_message_bytes=1, max_texts=2, max_text_bytes=3, max_concurrent_requests=4
        ),
        grpc_threads=5,
        rest_threads=6,
        rest_timeout=0.25,
        cors=True,
        health=True,
        drain_seconds=0.5,
    )


def test_sigterm_while_it_starts_ends_it_at_once(echo_base: Path, tmp_path: Path) -> None:
    """Neither Ctrl-C nor `docker stop` may wait for a record that is replayed for an hour."""
    version = Path(shutil.copytree(echo_base / "1", tmp_path / "echo" / "1"))
    write_records(version, PredictionLog(predict_log={"request": steps(10)}).SerializeToString())
    arguments = [f"--model_base_path={version.parent}", f"--port={free_ports(1)[0]}"]
    with program_of(
        *arguments, "--num_request_iterations_for_warmup=2000000", ready="loaded model"
    ) as running:
        time.sleep(0.5)
        assert running.end() == 128 + signal.SIGTERM
        assert running.lines[-1] == "Ended by SIGTERM while no requests were taken."
        assert not any("Traceback" in line for line in running.lines)


def test_an_interrupt_while_loading_leaves_nothing_running(
    echo_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    before = find_threads("tfclf-manager")
    monkeypatch.setattr("tfclf.server.lifecycle.loading.warm_up", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(find_models(echo_base))
    wait_until(lambda: find_threads("tfclf-manager") <= before)


def test_a_server_that_cannot_start_leaves_no_manager(
    echo_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ServerError("no")

    before = find_threads("tfclf-manager")
    monkeypatch.setattr("tfclf.server.start.Server", refuse)
    with pytest.raises(ServerError):
        start(find_models(echo_base))
    assert find_threads("tfclf-manager") <= before
