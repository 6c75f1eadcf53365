"""TF Serving as a process: starts it, waits until it answers, passes signals on, relays how it ended."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from types import FrameType

from tfclf.errors import MissingExtraError, ServerError
from tfclf.launcher.settings import Launch

_GRACE = 10.0  # seconds, for a server that was told to stop
_PATIENCE = 60.0  # seconds, for one to start
_SLOWEST = 10e6  # bytes a second, from a network drive, say
_PAUSE = 0.2
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


def run(launch: Launch, *, ready: Callable[[Launch], None], patience: float | None = None) -> int:
    """Starts TF Serving and returns when it has ended; for the main thread only.

    SIGTERM and SIGINT are passed on. A server that has not ended ten seconds later is killed, and so it is when a
    second signal comes. Its output is not touched. A container is gone when this returns.

    Args:
      ready: called once, when the model answers.
      patience: seconds until then; by default a minute, and more for a large model.
    Returns: its exit code; 128 + N if signal N ended it, as shells have it.
    Raises: ServerError if it cannot be started or does not answer in time.
    """
    patience = patience if patience is not None else _PATIENCE + launch.size / _SLOWEST
    received: list[int] = []
    stop = threading.Event()

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, remember) for number in _FORWARDED}
    process = None
    try:
        process = _start(launch)
        answers = _Watch(launch, stop)
        _supervise(process, launch, received, answers, ready, patience)
        return process.returncode if process.returncode >= 0 else 128 - process.returncode
    finally:
        stop.set()
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        if launch.container is not None:
            _remove(launch)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _start(launch: Launch) -> "subprocess.Popen[bytes]":
    # Its log is all that its user has; TF_CPP_MIN_LOG_LEVEL was set for this process.
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    try:
        # In a session of its own: Ctrl-C reaches it once, from here, rather than twice.
        return subprocess.Popen(  # noqa: S603 (a command of `launch`, no shell)
            launch.command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise ServerError(
            f"{launch.command[0]} cannot be started: {error}. Install it again."
        ) from error


def _supervise(
    process: "subprocess.Popen[bytes]",
    launch: Launch,
    received: list[int],
    answers: "_Watch",
    ready: Callable[[Launch], None],
    patience: float,
) -> None:
    started = time.monotonic()
    told, passed_on, end = False, 0, None
    while process.poll() is None:
        now = time.monotonic()
        if len(received) > passed_on:
            if passed_on:
                process.kill()
            else:
                process.send_signal(received[0])
                end = now + _GRACE
            passed_on += 1  # one at a time: two may have come since the last look
        if end is not None and now > end:
            process.kill()
        if end is None and not told:
            if answers.yes():
                told = True
                ready(launch)
            elif now - started > patience:
                raise ServerError(
                    f"{launch.model} does not answer on {launch.address} after {patience:.0f} seconds. "
                    f"TF Serving's own log, above, says why; it was stopped."
                )
        try:
            process.wait(_PAUSE)
        except subprocess.TimeoutExpired:
            continue


class _Watch:
    """Asks in a thread of its own whether the model answers yet, so that a slow answer holds up no signal."""

    def __init__(self, launch: Launch, stop: threading.Event) -> None:
        self._answers = threading.Event()
        ask = _over_rest if launch.rest_port is not None else _over_grpc(launch)

        def watch() -> None:
            while not stop.is_set() and not self._answers.is_set():
                if ask(launch):
                    self._answers.set()
                stop.wait(_PAUSE)

        threading.Thread(target=watch, name="tfclf-ready", daemon=True).start()

    def yes(self) -> bool:
        return self._answers.is_set()


def _over_rest(launch: Launch) -> bool:
    """Whether the status of some version is AVAILABLE. REST has no TLS in TF Serving, whatever gRPC has."""
    connection = http.client.HTTPConnection(launch.host, launch.rest_port, timeout=5)
    try:
        connection.request("GET", f"/v1/models/{urllib.parse.quote(launch.model, safe='')}")
        answer = connection.getresponse()
        statuses = json.loads(answer.read())["model_version_status"]
        return any(status["state"] == "AVAILABLE" for status in statuses)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()


def _over_grpc(launch: Launch) -> Callable[[Launch], bool]:
    """Whether the model's metadata can be had: it cannot before the model is loaded."""
    try:
        import grpc
        from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub
    except ImportError:
        raise MissingExtraError(
            "tensorflow-serving-api", extra="server", purpose="waiting without REST"
        ) from None
    request = GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = launch.model

    def ask(launch: Launch) -> bool:
        with grpc.insecure_channel(launch.address) as channel:
            try:
                PredictionServiceStub(channel).GetModelMetadata(request, timeout=5)
            except grpc.RpcError:
                return False
            return True

    return ask


def _remove(launch: Launch) -> None:
    """Nothing of the container is left, even if the docker client was killed before it could clean up."""
    docker = shutil.which(launch.command[0]) or launch.command[0]
    command = [docker, "rm", "--force", str(launch.container)]
    try:
        subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(
            f"the container {launch.container} may still be there: {error}. Remove it: {' '.join(command)}"
        ) from error
