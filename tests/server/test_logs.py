"""The log of a configured process, read line by line."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
import typer
from grpc import StatusCode
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from tests.server.conftest import predict_request, strings
from tfclf.cli.serve import LogFormat, serve
from tfclf.errors import InputError, SavedModelError
from tfclf.server import logs
from tfclf.server.context import RequestContext
from tfclf.server.process import Server
from tfclf.server.request_record import RequestRecord
from tfclf.server.service import Service, _Rpc
from tfclf.server.status import RequestError

Lines = Callable[[], list[str]]
ROOT = Path(__file__).parents[2]
TOUCHED = (None, "tfclf", "uvicorn", "uvicorn.error", "uvicorn.access", "grpc")


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Restore the logging of the process for the other tests."""
    loggers = [logging.getLogger(name) for name in TOUCHED]
    before = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)  # another test's server set it
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


@pytest.fixture
def lines() -> Callable[..., Lines]:
    """A function that configures the log; it returns one that reads the lines so far."""

    def configure(level: str = "debug", format: str = "text") -> Lines:  # noqa: A002
        stream = io.StringIO()
        logs.configure(level=level, format=format, stream=stream)
        return lambda: stream.getvalue().splitlines()

    return configure


def ask(server: Server, request: PredictRequest | None = None) -> None:
    """Send a Predict in this process; its outcome does not matter."""
    request = request or predict_request({"text": strings("a private text", "two")})
    with suppress(RequestError):
        server.service.predict(request, RequestContext())


def empty_rpc(name: str) -> _Rpc:
    """Return an RPC that answers with nothing."""
    return _Rpc(name, lambda *_: None)


@pytest.fixture
def _restore_hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore what `cover_process` changes in the process."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setenv("GRPC_VERBOSITY", os.environ.get("GRPC_VERBOSITY", ""))
    yield
    logging.captureWarnings(capture=False)


def test_what_is_announced_is_shown_at_every_level(lines: Callable[..., Lines]) -> None:
    read = lines("error", "json")
    logs.announce("serving demo")
    (record,) = map(json.loads, read())
    assert (record["level"], record["message"]) == ("INFO", "serving demo")


@pytest.mark.usefixtures("_restore_hooks")
def test_warnings_and_uncaught_exceptions_are_json_too(lines: Callable[..., Lines]) -> None:
    read = lines("warning", "json")
    logs.cover_process()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)
    try:
        raise ValueError("a private text")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    thread = threading.Thread(target=[].pop)
    thread.start()
    thread.join()
    messages = [json.loads(line)["message"] for line in read()]
    assert "UserWarning: old" in messages[0]
    assert messages[1:] == ["uncaught ValueError", "uncaught IndexError"]


@pytest.mark.usefixtures("_restore_hooks")
def test_an_error_at_the_start_is_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        serve(str(tmp_path / "away"), log_format=LogFormat.json)
    assert ended.value.exit_code == 2
    (record,) = map(json.loads, capsys.readouterr().err.splitlines())
    assert record["level"] == "ERROR"
    assert "away" in record["message"]


def test_text_names_time_level_logger_and_message(lines: Callable[..., Lines]) -> None:
    read = lines()
    logging.getLogger("tfclf.server.process").info("serving %s", "demo")
    time, level, logger, message = read()[0].split(maxsplit=3)
    assert (level, logger, message) == ("INFO", "tfclf.server.process", "serving demo")
    assert time.endswith("Z")


def test_json_has_the_same_as_fields(lines: Callable[..., Lines]) -> None:
    read = lines(format="json")
    logging.getLogger("tfclf.server.process").info("serving %s", "demo")
    record = json.loads(read()[0])
    assert record.pop("time").endswith("Z")
    assert record == {"level": "INFO", "logger": "tfclf.server.process", "message": "serving demo"}


def test_a_request_is_one_line_of_text(lines: Callable[..., Lines], echo_server: Server) -> None:
    read = lines()
    ask(echo_server)
    (line,) = read()
    fields = "method=Predict model='echo' signature='' code=OK milliseconds="
    assert f" DEBUG   tfclf.server.service {fields}" in line
    assert line.endswith(" protocol=grpc version=2 rows=2")


def test_a_request_is_one_line_of_json(lines: Callable[..., Lines], echo_server: Server) -> None:
    read = lines(format="json")
    ask(echo_server)
    (record,) = map(json.loads, read())
    expected = {
        "method": "Predict",
        "protocol": "grpc",
        "model": "echo",
        "version": 2,
        "signature": "",
        "code": "OK",
        "rows": 2,
    }
    assert {key: record[key] for key in expected} == expected
    assert 0 < record["milliseconds"] < 60_000


def test_a_refusal_names_its_code_and_the_version_asked_for(
    lines: Callable[..., Lines], echo_server: Server
) -> None:
    read = lines(format="json")
    ask(echo_server, predict_request({}, version=9))
    (record,) = map(json.loads, read())
    assert (record["code"], record["version"], record["rows"]) == ("NOT_FOUND", 9, None)


def test_a_request_of_examples_tells_how_many(
    lines: Callable[..., Lines], echo_server: Server
) -> None:
    read = lines(format="json")
    request = ClassificationRequest()
    request.model_spec.name = "echo"
    request.input.example_list.examples.add()
    request.input.example_list.examples.add()
    echo_server.service._answer(empty_rpc("Classify"), request, RequestContext(), "rest")
    assert json.loads(read()[0])["rows"] == 2


def test_requests_are_not_logged_at_info(lines: Callable[..., Lines], echo_server: Server) -> None:
    read = lines("info")
    ask(echo_server)
    assert read() == []


@pytest.mark.parametrize("format", ["text", "json"])
def test_texts_are_not_logged_unless_asked(
    lines: Callable[..., Lines],
    echo_server: Server,
    format: str,  # noqa: A002
) -> None:
    read = lines(format=format)
    ask(echo_server)
    ask(echo_server, predict_request({"text": strings("a private text")}, signature="parse"))
    assert "private" not in "".join(read())


def test_texts_are_logged_when_asked(lines: Callable[..., Lines], echo_server: Server) -> None:
    read = lines(format="json")
    service = Service(echo_server.service.registry, observers=[logs.text_log()])
    service.predict(predict_request({"text": strings("a private text", "two")}), RequestContext())
    assert [json.loads(line)["text"] for line in read()[1:]] == ["a private text", "two"]


def test_texts_are_not_logged_at_info_even_when_asked(
    lines: Callable[..., Lines], echo_server: Server
) -> None:
    read = lines("info")
    service = Service(echo_server.service.registry, observers=[logs.text_log()])
    service.predict(predict_request({"text": strings("a private text")}), RequestContext())
    assert read() == []


def test_logged_texts_are_truncated(lines: Callable[..., Lines], echo_server: Server) -> None:
    read = lines(format="json")
    service = Service(echo_server.service.registry, observers=[logs.text_log(characters=5)])
    service.predict(predict_request({"text": strings("𝔊𝔊𝔊𝔊𝔊𝔊𝔊𝔊")}), RequestContext())
    assert json.loads(read()[1])["text"] == "𝔊𝔊𝔊𝔊𝔊"


def test_texts_in_tensor_content_are_logged_too(lines: Callable[..., Lines]) -> None:
    read = lines(format="json")
    request = PredictRequest()
    request.inputs["text"].dtype = 7
    request.inputs["text"].tensor_content = b"\x05hello"
    logs.text_log()(
        RequestRecord("Predict", "grpc", "demo", "", StatusCode.OK, 0.1, request=request)
    )
    assert json.loads(read()[0])["text"] == "\x05hello"


def test_an_ended_request_does_not_show_its_texts() -> None:
    request = predict_request({"text": strings("a private text")})
    assert "private" not in repr(
        RequestRecord("Predict", "grpc", "demo", "", StatusCode.OK, 0.1, request=request)
    )


@settings(deadline=None)
@given(name=st.text(max_size=300))
def test_no_name_forges_a_line_of_text(name: str) -> None:
    stream = io.StringIO()
    logs.configure(level="debug", stream=stream)
    request = PredictRequest()
    encodable = name.encode("utf-8", "replace").decode()
    request.model_spec.name = request.model_spec.signature_name = encodable
    Service([])._answer(empty_rpc("Predict"), request, RequestContext(), "grpc")  # type: ignore[arg-type]
    assert len(stream.getvalue().splitlines()) == 1


@settings(deadline=None)
@given(name=st.text(max_size=300))
def test_json_gives_a_name_back_as_it_was(name: str) -> None:
    stream = io.StringIO()
    logs.configure(level="debug", format="json", stream=stream)
    request = PredictRequest()
    request.model_spec.name = name = name.encode("utf-8", "replace").decode()
    Service([])._answer(empty_rpc("Predict"), request, RequestContext(), "grpc")  # type: ignore[arg-type]
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["model"] == logs.shorten(name)


@settings(deadline=None)
@given(message=st.text())
def test_whatever_a_message_holds_only_its_own_line_begins_at_the_margin(message: str) -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    logging.getLogger("uvicorn.error").info("%s", message)
    first, *others = stream.getvalue()[:-1].split("\n")
    assert first.split()[1:3] == ["INFO", "uvicorn.error"]
    assert all(other.startswith("    ") for other in others)
    assert all(line.isprintable() for line in (first, *others))


def test_a_name_of_a_million_characters_is_cut(
    lines: Callable[..., Lines], echo_server: Server
) -> None:
    read = lines()
    ask(echo_server, predict_request({}, model="m" * 1_000_000))
    assert len(read()[0]) < 500


@pytest.mark.parametrize("format", ["text", "json"])
def test_an_exception_is_logged_by_type_and_place_without_its_words(
    lines: Callable[..., Lines],
    format: str,  # noqa: A002
) -> None:
    read = lines(format=format)
    words, older_words = "a private text", "another private text"
    try:
        try:
            raise KeyError(older_words)
        except KeyError as error:
            raise ValueError(words) from error
    except ValueError as error:
        logging.getLogger("uvicorn.error").exception("Exception calling application: %s", error)
    log = "\n".join(read())
    assert "private" not in log
    assert all(part in log for part in ("ValueError", "caused by", "KeyError", "test_logs.py"))


def test_an_exception_of_ours_keeps_its_words(lines: Callable[..., Lines]) -> None:
    read = lines()
    try:
        raise SavedModelError("models/demo/2 cannot be loaded")
    except SavedModelError:
        logging.getLogger("tfclf.server.lifecycle.manager").exception("version 2 is refused")
    assert "SavedModelError: models/demo/2 cannot be loaded" in read()[-1]


def test_a_bug_in_a_grpc_servicer_is_logged_without_its_words(lines: Callable[..., Lines]) -> None:
    def fail(request: bytes, _: Any) -> bytes:
        raise RuntimeError(request.decode())

    read = lines()
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(fail)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.Service", {"Fail": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/test.Service/Fail")(b"a secret", timeout=10)
    server.stop(0).wait()
    log = "\n".join(read())
    assert " ERROR   grpc._server Exception calling application: RuntimeError" in log
    assert "secret" not in log


def test_uvicorn_follows_even_when_it_was_configured_first(lines: Callable[..., Lines]) -> None:
    from uvicorn import Config

    Config(app="none:app")
    read = lines("info")
    logging.getLogger("uvicorn.error").info("Uvicorn running")
    assert [line.split(maxsplit=1)[1] for line in read()] == [
        "INFO    uvicorn.error Uvicorn running"
    ]


def test_uvicorns_own_line_a_request_is_for_debug(lines: Callable[..., Lines]) -> None:
    read = lines("info")
    logging.getLogger("uvicorn.access").info("GET /v1/models/demo")
    assert read() == []


def test_other_libraries_are_logged_from_warning_on(lines: Callable[..., Lines]) -> None:
    read = lines("debug")
    logging.getLogger("asyncio").info("quiet")
    logging.getLogger("asyncio").warning("loud")
    assert [line.split()[-1] for line in read()] == ["loud"]


def test_the_level_holds_for_other_libraries_too(lines: Callable[..., Lines]) -> None:
    read = lines("error")
    logging.getLogger("asyncio").warning("quiet")
    assert read() == []


def test_a_second_call_replaces_the_first(lines: Callable[..., Lines]) -> None:
    first, second = lines(), lines()
    logging.getLogger("tfclf").info("hello")
    assert (len(first()), len(second())) == (0, 1)


@pytest.mark.parametrize("wrong", [{"level": "loud"}, {"format": "xml"}])
def test_an_unknown_level_or_format_is_an_input_error(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"is unknown\. Expected one of"):
        logs.configure(**wrong)  # type: ignore[arg-type]


def test_importing_installs_no_handler_and_no_tensorflow() -> None:
    code = (
        "import logging, sys, tfclf.server.logs; "
        "print(logging.root.handlers, 'tensorflow' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[] False"


QUOTING = """
import sys
from pathlib import Path
from tfclf.server import logs
logs.configure(level="debug")
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tfclf.server.context import RequestContext
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.service import Service
service = Service(Registry([Servable.load("echo", 1, Path(sys.argv[1]))]))
request = PredictRequest()
request.model_spec.name, request.model_spec.signature_name = "echo", "parse"
request.inputs["text"].dtype = 7
request.inputs["text"].tensor_shape.dim.add(size=1)
request.inputs["text"].string_val.append(b"a private text")
try:
    service.predict(request, RequestContext())
except Exception as error:
    print(error)
"""


def test_tensorflow_does_not_write_to_stderr_what_its_ops_complain_of(echo_base: Path) -> None:
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-c", QUOTING, str(echo_base / "1")]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    assert "a private text" in ran.stdout
    assert "code=INVALID_ARGUMENT" in ran.stderr
    assert "private" not in ran.stderr
