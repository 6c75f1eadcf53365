"""`tfclf serve --engine tensorflow_model_server | docker`, with fakes of both programs."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from samples.checkpoints import DEMO, ROOT
from tests.forks import fork_python
from tests.launcher.fake_tf_serving import install, read_calls
from tests.server.fakes import wait_until
from tfclf.errors import InputError, ServerError
from tfclf.launcher import Launch, Settings, launch_of_docker, launch_of_program, run
from tfclf.saved_model.frozen_weights import ONEDNN, VARIABLE

Start = Callable[..., "subprocess.Popen[str]"]
FREE = Settings(port=0, rest_port=0)


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the fakes, first on PATH."""
    folder = tmp_path / "bin"
    for key, value in install(folder, "tensorflow_model_server", "docker").items():
        monkeypatch.setenv(key, value)
    for name in (VARIABLE, ONEDNN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return folder


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def own_demo(tmp_path: Path) -> Path:
    """A base path to spoil."""
    return Path(shutil.copytree(DEMO / "1", tmp_path / "demo" / "1")).parent


def change_manifest(base: Path, **changes: object) -> None:
    path = base / "1" / "assets.extra" / "tfclf.json"
    path.write_text(
        json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8"
    )


@pytest.fixture
def start(fakes: Path) -> Iterator[Start]:
    """`tfclf serve` in a process of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start_process(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [fork_python(), "-m", "tfclf", "serve", *map(str, arguments)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        process.kill()
        process.communicate()


def read_line(process: "subprocess.Popen[str]", beginning: str) -> str:
    assert process.stderr is not None
    return next((line.strip() for line in process.stderr if line.startswith(beginning)), "")


def parse_flags(command: tuple[str, ...] | list[str]) -> Mapping[str, str]:
    return dict(flag[2:].split("=", 1) for flag in command if flag.startswith("--") and "=" in flag)


def values_of(command: tuple[str, ...], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(command) if name == option]


# Flags


def test_the_program_gets_model_and_ports(fakes: Path, files: Path) -> None:
    launch = launch_of_program(DEMO, FREE, files)
    flags = parse_flags(launch.command)
    assert launch.command[0] == str(fakes / "tensorflow_model_server")
    assert flags["model_name"] == DEMO.name
    assert flags["model_base_path"] == str(DEMO)
    assert (flags["port"], flags["rest_api_port"]) == (str(launch.port), str(launch.rest_port))


def test_one_version_is_served_through_a_base_path_of_its_own(fakes: Path, files: Path) -> None:
    base = Path(parse_flags(launch_of_program(DEMO / "1", FREE, files).command)["model_base_path"])
    assert [path.name for path in base.iterdir()] == ["1"]
    assert (base / "1").resolve() == DEMO / "1"


def test_a_saved_model_in_a_folder_without_number_is_served_as_version_1(
    fakes: Path, files: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(DEMO / "1", tmp_path / "plain"))
    base = Path(parse_flags(launch_of_program(folder, FREE, files).command)["model_base_path"])
    assert (base / "1").resolve() == folder


def test_an_export_is_batched_with_a_file_of_this_machine(fakes: Path, files: Path) -> None:
    flags = parse_flags(launch_of_program(DEMO, FREE, files).command)
    assert flags["enable_batching"] == "true"
    assert (
        f"num_batch_threads {{ value: {os.cpu_count()} }}"
        in Path(flags["batching_parameters_file"]).read_text()
    )


def test_a_saved_model_of_others_is_not_batched_unless_asked(
    fakes: Path, files: Path, own_demo: Path
) -> None:
    (own_demo / "1" / "assets.extra" / "tfclf.json").unlink()
    assert "enable_batching" not in parse_flags(launch_of_program(own_demo, FREE, files).command)
    settings = replace(FREE, batching=True)
    assert "enable_batching" in parse_flags(launch_of_program(own_demo, settings, files).command)


def test_a_batching_file_is_taken_as_it_is(fakes: Path, files: Path) -> None:
    own = ROOT / "serving" / "config" / "batching.config"
    flags = parse_flags(launch_of_program(DEMO, replace(FREE, batching_file=own), files).command)
    assert Path(flags["batching_parameters_file"]).read_text() == own.read_text()


def test_a_batching_file_that_is_not_there_is_named(
    fakes: Path, files: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="nowhere cannot be read"):
        launch_of_program(DEMO, replace(FREE, batching_file=tmp_path / "nowhere"), files)


def test_metrics_are_on_the_rest_port(fakes: Path, files: Path) -> None:
    flags = parse_flags(launch_of_program(DEMO, FREE, files).command)
    assert (
        'path: "/monitoring/prometheus/metrics"'
        in Path(flags["monitoring_config_file"]).read_text()
    )


def test_without_rest_there_is_no_rest_flag_and_nothing_to_monitor(
    fakes: Path, files: Path
) -> None:
    flags = parse_flags(launch_of_program(DEMO, Settings(port=0, rest_port=None), files).command)
    assert not {"rest_api_port", "monitoring_config_file"} & set(flags)


def test_flags_of_the_user_come_last(fakes: Path, files: Path) -> None:
    settings = replace(FREE, flags=["--num_load_threads=2"])
    assert launch_of_program(DEMO, settings, files).command[-1] == "--num_load_threads=2"


# XLA

LADDER = {"lengths": [64, 512], "batch_sizes": [1, 8]}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (FREE, set()),
        (replace(FREE, gpu=True), {"xla_gpu_compilation_enabled"}),
        (replace(FREE, gpu=True, xla=False), set()),
        (replace(FREE, xla=True), {"xla_cpu_compilation_enabled"}),
    ],
    ids=["CPU", "GPU", "GPU, not wanted", "CPU, wanted"],
)
def test_xla_is_on_where_it_is_of_use(
    fakes: Path, files: Path, own_demo: Path, settings: Settings, expected: set[str]
) -> None:
    change_manifest(own_demo, ladder=LADDER)
    flags = parse_flags(launch_of_program(own_demo, settings, files).command)
    assert {flag for flag in flags if flag.startswith("xla")} == expected


def test_xla_stays_off_where_the_export_has_no_signature_for_it(
    fakes: Path, files: Path, own_demo: Path
) -> None:
    change_manifest(own_demo, ladder=None)
    launch = launch_of_program(own_demo, replace(FREE, gpu=True), files)
    assert not [flag for flag in parse_flags(launch.command) if flag.startswith("xla")]
    with pytest.raises(InputError, match="no signature serving_xla"):
        launch_of_program(own_demo, replace(FREE, xla=True), files)


def test_warm_up_records_for_xla_turn_it_on(fakes: Path, files: Path, own_demo: Path) -> None:
    change_manifest(own_demo, ladder=LADDER)
    records = own_demo / "1" / "assets.extra" / "tf_serving_warmup_requests"
    records.write_bytes(records.read_bytes() + b"serving_xla")
    assert "xla_cpu_compilation_enabled" in parse_flags(
        launch_of_program(own_demo, FREE, files).command
    )
    with pytest.raises(InputError, match="would fail the load"):
        launch_of_program(own_demo, replace(FREE, xla=False), files)


def test_a_serving_without_xla_for_gpus_is_told(
    fakes: Path, files: Path, own_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_manifest(own_demo, ladder=LADDER)
    monkeypatch.setenv("FAKE_VERSION", "2.17.1")
    with pytest.raises(InputError, match=r"TF Serving 2\.17 has no XLA for GPUs"):
        launch_of_program(own_demo, replace(FREE, gpu=True), files)


# Docker


def test_docker_runs_the_newest_image_that_the_export_names(
    fakes: Path, files: Path, own_demo: Path
) -> None:
    assert "tensorflow/serving:2.20.0" in launch_of_docker(own_demo, FREE, files).command
    change_manifest(own_demo, serving_versions="2.12 to 2.19")
    gpu = replace(FREE, gpu=True)
    assert "tensorflow/serving:2.19.0-gpu" in launch_of_docker(own_demo, gpu, files).command


def test_docker_publishes_on_this_machine_only(fakes: Path, files: Path) -> None:
    launch = launch_of_docker(DEMO, FREE, files)
    published = values_of(launch.command, "--publish")
    assert published == [f"127.0.0.1:{launch.port}:8500", f"127.0.0.1:{launch.rest_port}:8501"]
    opened = launch_of_docker(DEMO, replace(FREE, host="0.0.0.0"), files)
    assert all(value.startswith("0.0.0.0:") for value in values_of(opened.command, "--publish"))
    assert opened.host == "127.0.0.1"


def test_docker_sees_the_model_and_cannot_write_to_it(fakes: Path, files: Path) -> None:
    command = launch_of_docker(DEMO, FREE, files).command
    model, config = values_of(command, "--mount")
    assert model == f"type=bind,source={DEMO},target=/model,readonly"
    assert config == f"type=bind,source={files},target=/tfclf,readonly"
    assert parse_flags(command)["model_base_path"] == "/model"
    assert parse_flags(command)["batching_parameters_file"] == "/tfclf/batching.config"


def test_docker_sees_one_version_if_that_is_given(fakes: Path, files: Path) -> None:
    model, _ = values_of(launch_of_docker(DEMO / "1", FREE, files).command, "--mount")
    assert model == f"type=bind,source={DEMO / '1'},target=/model/1,readonly"


def test_a_path_with_a_comma_is_quoted(fakes: Path, files: Path, tmp_path: Path) -> None:
    base = tmp_path / "one, two"
    shutil.copytree(DEMO / "1", base / "1")
    model, _ = values_of(launch_of_docker(base, FREE, files).command, "--mount")
    assert model == f'type=bind,"source={base}",target=/model,readonly'


def test_a_link_that_a_container_does_not_see_is_told(
    fakes: Path, files: Path, tmp_path: Path
) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "1").symlink_to(DEMO / "1")
    with pytest.raises(InputError, match="which a container does not see"):
        launch_of_docker(tmp_path / "base", FREE, files)


def test_the_container_has_no_more_rights_than_it_needs(fakes: Path, files: Path) -> None:
    command = launch_of_docker(DEMO, FREE, files).command
    assert {"--rm", "--init", "--read-only", "--cap-drop", "no-new-privileges"} <= set(command)
    assert values_of(command, "--user") == [f"{os.getuid()}:{os.getgid()}"]


def test_signals_reach_the_server_and_not_the_shell_of_the_image(fakes: Path, files: Path) -> None:
    command = launch_of_docker(DEMO, FREE, files).command
    assert values_of(command, "--entrypoint") == ["tensorflow_model_server"]


# What is missing, or does not fit


@pytest.mark.parametrize("launch", [launch_of_program, launch_of_docker])
def test_what_is_not_installed_is_told_with_what_to_do(
    launch: Callable[..., Launch], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(files))
    with pytest.raises(
        ServerError, match=r"is not on PATH\. Install .*without either, `tfclf serve"
    ):
        launch(DEMO, FREE, files)


def test_a_docker_without_daemon_is_told(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BEHAVIOUR", "no daemon")
    with pytest.raises(
        ServerError, match=r"its daemon does not answer: Cannot connect .*systemctl start docker"
    ):
        launch_of_docker(DEMO, FREE, files)


def test_a_serving_too_old_for_the_export_is_told(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERSION", "2.11.0")
    with pytest.raises(ServerError, match=r"is TF Serving 2\.11, and .* runs on 2\.12 to 2\.20"):
        launch_of_program(DEMO, FREE, files)


def test_a_host_that_the_program_cannot_bind_is_refused(fakes: Path, files: Path) -> None:
    with pytest.raises(InputError, match="listens on every address"):
        launch_of_program(DEMO, replace(FREE, host="127.0.0.1"), files)


def test_listening_on_every_address_is_noted_unless_the_user_asked_for_it(
    fakes: Path, files: Path
) -> None:
    assert "every address" in launch_of_program(DEMO, FREE, files).notes[0]
    assert not launch_of_program(DEMO / "1", replace(FREE, host="0.0.0.0"), files).notes


def test_a_port_in_use_is_named(fakes: Path, files: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"cannot listen on port {port}"):
            launch_of_program(DEMO, Settings(port=port, rest_port=0), files)


def test_grpc_and_rest_need_two_ports(fakes: Path, files: Path) -> None:
    with pytest.raises(InputError, match="cannot both have port 8500"):
        launch_of_program(DEMO, Settings(port=8500, rest_port=8500), files)


# The process


def test_a_signal_is_passed_on_and_the_exit_code_relayed(start: Start, fakes: Path) -> None:
    process = start(DEMO, "--engine", "tensorflow_model_server", "--port", 0, "--rest-port", 0)
    line = read_line(process, "serving ")
    assert line.startswith(f"serving {DEMO.name} version 1 on 127.0.0.1:")
    assert line.endswith("(REST), by tensorflow_model_server")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM


def test_a_container_is_removed_when_a_signal_ends_it(start: Start, fakes: Path) -> None:
    process = start(DEMO, "--engine", "docker", "--port", 0, "--rest-port", 0)
    assert read_line(process, "serving ")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    calls = read_calls(fakes)
    ran = next(call for call in calls if call[1] == "run")
    assert ["docker", "rm", "--force", *values_of(tuple(ran), "--name")] == calls[-1]


def test_a_second_signal_kills_what_does_not_listen(start: Start, fakes: Path) -> None:
    process = start(
        DEMO,
        "--engine",
        "tensorflow_model_server",
        "--port",
        0,
        "--rest-port",
        0,
        FAKE_BEHAVIOUR="deaf",
    )
    assert read_line(process, "serving ")
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: ["SIGTERM"] in read_calls(fakes))
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGKILL


def test_two_signals_that_come_together_are_two(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BEHAVIOUR", "deaf")
    monkeypatch.setattr("tfclf.launcher.process._GRACE", 600.0)  # after which it is killed anyway
    started = time.monotonic()

    def twice(_: Launch) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):  # two of one kind could be taken for one
            signal.raise_signal(number)

    assert run(launch_of_program(DEMO, FREE, files), ready=twice) == 128 + signal.SIGKILL
    assert time.monotonic() - started < 300


def test_what_ends_before_it_answers_is_relayed(start: Start) -> None:
    process = start(
        DEMO,
        "--engine",
        "tensorflow_model_server",
        "--port",
        0,
        "--rest-port",
        0,
        FAKE_BEHAVIOUR="fail",
    )
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 7
    assert "serving " not in errors


@pytest.mark.parametrize("environment", [{"FAKE_BEHAVIOUR": "silent"}, {"FAKE_STATE": "LOADING"}])
def test_what_never_answers_is_stopped(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    launch = launch_of_program(DEMO, FREE, files)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ServerError, match=r"does not answer on .* after 1 seconds"):
        run(launch, ready=lambda _: pytest.fail("it is not ready"), patience=1)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_server_keeps_its_log(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process's TF_CPP_MIN_LOG_LEVEL, which hides a greeting, is not handed down."""
    script = fakes / "tensorflow_model_server"
    code = "import os, sys; sys.exit(5 if 'TF_CPP_MIN_LOG_LEVEL' in os.environ else 0)"
    script.write_text(f"#!{sys.executable}\n{code}")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    assert run(launch_of_program(DEMO, FREE, files), ready=lambda _: None) == 0


def test_without_rest_it_is_asked_over_grpc(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake is the embedded server, so a client of TF Serving gets responses."""
    install(fakes, "tensorflow_model_server", python=fork_python())
    monkeypatch.setenv("FAKE_BEHAVIOUR", "embedded")
    launch = launch_of_program(DEMO, Settings(port=0, rest_port=None, model_name="demo"), files)
    labels: list[bytes] = []

    def ask(ready: Launch) -> None:
        request = PredictRequest()
        request.model_spec.name = "demo"
        text = request.inputs["text"]
        text.dtype = 7
        text.string_val.append(b"Late goal wins the cup")
        text.tensor_shape.dim.add(size=1)
        with grpc.insecure_channel(ready.address) as channel:
            labels.extend(
                PredictionServiceStub(channel)
                .Predict(request, timeout=60)
                .outputs["label"]
                .string_val
            )
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    assert run(launch, ready=ask) == 128 + signal.SIGTERM
    assert labels == [b"Sports"]


@pytest.fixture
def bfloat16(own_demo: Path) -> Path:
    """A base path whose manifest says that the model computes in bfloat16."""
    change_manifest(own_demo, precision="bfloat16")
    return own_demo


def test_tf_serving_keeps_weights_in_bfloat16(fakes: Path, files: Path, bfloat16: Path) -> None:
    assert launch_of_program(bfloat16, FREE, files).environment[VARIABLE] == "1"


def test_it_does_not_in_float32(fakes: Path, files: Path) -> None:
    assert not launch_of_program(DEMO, FREE, files).environment


def test_it_does_in_float32_if_the_operator_says_so(
    fakes: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    assert launch_of_program(DEMO, FREE, files).environment == {VARIABLE: "1", ONEDNN: "1"}


def test_it_does_not_with_an_older_version(fakes: Path, files: Path, bfloat16: Path) -> None:
    change_manifest(bfloat16, frozen_weights=False)
    assert not launch_of_program(bfloat16, FREE, files).environment


def test_it_does_not_if_flags_name_other_models(fakes: Path, files: Path, bfloat16: Path) -> None:
    flags = ("--model_config_file=models.config",)
    assert not launch_of_program(bfloat16, replace(FREE, flags=flags), files).environment


def test_it_does_not_on_a_gpu(fakes: Path, files: Path, bfloat16: Path) -> None:
    assert not launch_of_program(bfloat16, replace(FREE, gpu=True), files).environment


def test_a_container_gets_the_variables(fakes: Path, files: Path, bfloat16: Path) -> None:
    command = launch_of_docker(bfloat16, FREE, files).command
    assert command[command.index(f"{VARIABLE}=1") - 1] == "--env"


@pytest.mark.parametrize("launch_of", [launch_of_program, launch_of_docker])
def test_a_folder_that_tf_serving_watches_may_get_no_older_export(
    launch_of: Callable[..., Launch], fakes: Path, files: Path, bfloat16: Path
) -> None:
    assert any("frozen_weights: true" in note for note in launch_of(bfloat16, FREE, files).notes)


def test_the_operators_no_stays(
    fakes: Path, files: Path, bfloat16: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert not launch_of_program(bfloat16, FREE, files).environment


def test_the_program_runs_in_its_environment(fakes: Path, tmp_path: Path) -> None:
    program, said = tmp_path / "program", tmp_path / "said"
    program.write_text(f'#!/bin/sh\nprintf "$NEW" > {said}\n', encoding="utf-8")
    program.chmod(0o755)
    launch = Launch((str(program),), "news", 1, "127.0.0.1", 1, 1, 0, environment={"NEW": "1"})
    run(launch, ready=lambda _: None)
    assert said.read_text(encoding="utf-8") == "1"
