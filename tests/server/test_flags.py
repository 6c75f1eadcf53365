"""TF Serving's command line, flag by flag."""

import logging
import shlex
from pathlib import Path

import pytest

from tfclf.server import flags
from tfclf.server.flag_table import FLAGS, REFUSED, WITHOUT_EFFECT

# All flags of TF Serving 2.20's model_servers/main.cc, in its order.
TF_SERVING = [
    "port",
    "grpc_socket_path",
    "rest_api_port",
    "rest_api_num_threads",
    "rest_api_timeout_in_ms",
    "rest_api_enable_cors_support",
    "enable_batching",
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_per_model_batching_parameters",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "model_name",
    "model_base_path",
    "num_load_threads",
    "num_unload_threads",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "file_system_poll_wait_seconds",
    "flush_filesystem_caches",
    "tensorflow_session_parallelism",
    "tensorflow_session_config_file",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
    "use_alts_credentials",
    "ssl_config_file",
    "platform_config_file",
    "per_process_gpu_memory_fraction",
    "saved_model_tags",
    "grpc_channel_arguments",
    "grpc_max_threads",
    "enable_model_warmup",
    "num_request_iterations_for_warmup",
    "version",
    "monitoring_config_file",
    "remove_unused_fields_from_bundle_metagraph",
    "prefer_tflite_model",
    "num_tflite_pools",
    "num_tflite_interpreters_per_pool",
    "enable_signature_method_name_check",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
    "enable_profiler",
    "thread_pool_factory_config_file",
    "mixed_precision",
    "skip_initialize_tpu",
    "enable_grpc_healthcheck_service",
    "enable_serialization_as_tensor_content",
]
# Defaults that a user's script may rely on: TF Serving's server.h.
DEFAULTS = {
    "port": 8500,
    "rest_api_port": 0,
    "model_name": "default",
    "rest_api_timeout_in_ms": 30_000,
    "file_system_poll_wait_seconds": 1,
    "model_config_file_poll_wait_seconds": 0,
    "max_num_load_retries": 5,
    "load_retry_interval_micros": 60_000_000,
    "enable_model_warmup": True,
    "num_request_iterations_for_warmup": 1,
    "enable_signature_method_name_check": False,
    "enable_serialization_as_tensor_content": False,
    "enable_grpc_healthcheck_service": False,
}
KNOWN = {flag.name for flag in FLAGS if not flag.ours}
BASE = "--model_base_path=/models/demo"


def parse(line: str = "") -> dict[str, object]:
    return vars(flags.parse([BASE, *shlex.split(line)]))


def refusal(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on stderr that ends the program."""
    with pytest.raises(SystemExit) as ended:
        flags.parse(shlex.split(line))
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("python -m tfclf.server: ")
    assert said.err.endswith(". --help shows every flag.\n")
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("name", TF_SERVING)
def test_every_flag_of_tf_serving_is_known_without_effect_or_refused(
    name: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    if name in KNOWN:
        assert name in parse()
    elif name in REFUSED:
        assert REFUSED[name] in refusal(f"{BASE} --{name}=something", capsys)
    else:
        flags.warn_of_flags_without_effect(flags.parse([BASE, f"--{name}=1"]))
        assert caplog.messages == [f"--{name} has no effect in this server: {WITHOUT_EFFECT[name]}"]


def test_no_flag_passes_for_one_of_tf_serving() -> None:
    assert KNOWN | {*REFUSED, *WITHOUT_EFFECT} == {*TF_SERVING}


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items(), ids=DEFAULTS)
def test_defaults_are_tf_serving_s(name: str, default: object) -> None:
    assert parse()[name] == default


@pytest.mark.parametrize("line", ["--port=9000", "--port 9000", "--port=1 --port=9000"])
def test_a_value_follows_an_equals_sign_or_a_space_and_the_last_counts(line: str) -> None:
    assert parse(line)["port"] == 9000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", True),
        ("=true", True),
        ("=True", True),
        ("=1", True),
        ("=false", False),
        ("=0", False),
        (" false", False),
    ],
)
def test_a_bare_flag_is_true(text: str, value: bool) -> None:
    assert parse(f"--enable_batching{text}")["enable_batching"] is value


def test_a_bare_flag_before_another_takes_nothing_of_it() -> None:
    parsed = parse("--enable_batching --port=9000")
    assert (parsed["enable_batching"], parsed["port"]) == (True, 9000)


def test_an_equals_sign_within_a_value_stays() -> None:
    assert parse("--grpc_channel_arguments=a=1,b=2")["grpc_channel_arguments"] == "a=1,b=2"


@pytest.mark.parametrize("value", ["", "false", "False", "0"])
def test_a_refused_flag_that_is_off_is_none(value: str) -> None:
    assert parse(f"--use_alts_credentials={value}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--port=x", "--port is 'x'; expected a whole number"),
        ("--port=", "--port is ''; expected a whole number"),
        ("--port=8500.5", "--port is '8500.5'; expected a whole number"),
        ("--port=-1", "--port is -1; expected a whole number from 0 to 65,535"),
        (
            "--rest_api_port=70000",
            "--rest_api_port is 70000; expected a whole number from 0 to 65,535",
        ),
        ("--enable_batching=maybe", "--enable_batching is 'maybe'; expected true or false"),
        ("--per_process_gpu_memory_fraction=1.5", "is 1.5; expected a number from 0 to 1"),
        ("--per_process_gpu_memory_fraction=nan", "is nan; expected a number from 0 to 1"),
        ("--drain_seconds=inf", "is inf; expected a number from 0 to 1,000,000,000"),
        ("--rest_api_timeout_in_ms=0", "is 0; expected a whole number from 1 to 2,147,483,647"),
        ("--grpc_max_threads=-1", "is -1; expected a whole number from 0 to"),
        (
            "--tensorflow_intra_op_parallelism=99999999999",
            "expected a whole number from 0 to 2,147,483,647",
        ),
        ("--max_num_load_retries=99999999999", "expected a whole number to 2,147,483,647"),
        ("--max_texts=0", "--max_texts is 0; expected a whole number from 1 to"),
        ("--log_level=loud", "--log_level is 'loud'; expected debug, info, warning or error"),
        ("--log_format=xml", "--log_format is 'xml'; expected text or json"),
        ("--port", "argument --port: expected one argument"),
    ],
)
def test_a_bad_value_says_what_was_expected(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(f"{BASE} {line}", capsys)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--nope", "unknown argument: --nope. "),
        ("--rest_port=1", "unknown argument: --rest_port=1, perhaps meant: --rest_api_port. "),
        ("--model-name=x", "unknown argument: --model-name=x, perhaps meant: --model_name. "),
        # no abbreviations, as in TF Serving
        ("--por=1", "unknown argument: --por=1, perhaps meant: --port. "),
        ("-port=1", "unknown argument: -port=1, perhaps meant: --port. "),
        ("models/demo", "write --model_base_path=models/demo, or `tfclf serve models/demo`"),
    ],
)
def test_an_unknown_flag_says_what_may_be_meant(
    argument: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(f"{BASE} {argument}", capsys)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "Both server_options.model_base_path and server_options.model_config_file are empty!"),
        (
            f"{BASE} --batching_parameters_file=b",
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true",
        ),
        (
            f"{BASE} --batching_parameters_file=b --enable_batching=false",
            "without setting server_options.enable_batch",
        ),
        (
            f"{BASE} --port=8500 --rest_api_port=8500",
            "server_options.http_port cannot be same as grpc_port. "
            "Please use a different port for HTTP/REST API",
        ),
        (
            f"{BASE} --tensorflow_session_parallelism=1 --tensorflow_intra_op_parallelism=1 "
            "--tensorflow_inter_op_parallelism=1",
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all",
        ),
        (
            f"{BASE} --port=0",
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be "
            "set",
        ),
        (f"{BASE} --monitoring_config_file=m", "--monitoring_config_file needs --rest_api_port"),
    ],
    ids=[
        "nothing to serve",
        "batching file",
        "batching off",
        "one port twice",
        "threads",
        "no port",
        "no REST",
    ],
)
def test_contradictions_have_tf_serving_s_words(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(line, capsys)


@pytest.mark.parametrize("line", ["--grpc_socket_path=s", "--rest_api_port=8501"])
def test_the_grpc_port_may_be_left_out_if_there_is_another_way_in(line: str) -> None:
    assert parse(f"--port=0 {line}")["port"] == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--model_config_file=m",
            "--model_base_path has no effect: --model_config_file says what to serve",
        ),
        (
            "--enable_per_model_batching_parameters",
            "--enable_per_model_batching_parameters has no effect without --enable_batching",
        ),
        ("--log_texts", "--log_texts has no effect without --log_level=debug"),
    ],
)
def test_a_flag_that_another_outdoes_is_warned_of(
    line: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    flags.warn_of_flags_without_effect(flags.parse([BASE, *line.split()]))
    assert caplog.messages == [said]


def test_what_is_fine_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    line = (
        f"{BASE} --enable_batching --enable_per_model_batching_parameters "
        "--log_texts --log_level=debug"
    )
    flags.warn_of_flags_without_effect(flags.parse(line.split()))
    assert not caplog.records


def test_help_shows_tf_serving_s_flags_and_ours_apart_with_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        flags.parse(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    _, rest = text.split("\nflags of TF Serving:\n")
    theirs, rest = rest.split("\nflags of tfclf:\n")
    ours, example = rest.split("\nExample: ")
    assert {name for name in TF_SERVING if f"  --{name} " in theirs} == KNOWN
    assert [flag.name for flag in FLAGS if flag.ours and f"  --{flag.name} " in ours] == [
        flag.name for flag in FLAGS if flag.ours
    ]
    assert "--model_base_path=" in example
    assert "(default: 8500)" in theirs


def test_the_example_of_help_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        flags.parse(["--help"])
    example = capsys.readouterr().out.partition("Example: ")[2]
    parsed = flags.parse(shlex.split(example.replace("\n", " "))[3:])
    assert (parsed.port, parsed.rest_api_port, parsed.model_name) == (8500, 8501, "demo")
    assert Path(parsed.model_base_path).name == "demo"


def test_version_needs_nothing_to_serve() -> None:
    assert flags.parse(["--version"]).version is True


def test_warnings_go_to_the_server_s_log(caplog: pytest.LogCaptureFixture) -> None:
    flags.warn_of_flags_without_effect(flags.parse([BASE, "--num_load_threads=4"]))
    assert [(record.name, record.levelno) for record in caplog.records] == [
        ("tfclf.server.flags", logging.WARNING)
    ]


@pytest.mark.parametrize("option", ["--help", "--helpfull", "-h"])
def test_every_spelling_of_help_is_answered(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        flags.parse([option])
    assert ended.value.code == 0
    assert "--rest_api_port" in capsys.readouterr().out
