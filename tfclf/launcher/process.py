"""Run TF Serving as a process: wait until it answers, forward signals, relay its exit code."""

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

_GRACE = 10.0  # seconds for a server to end after a signal
_PATIENCE = 60.0  # seconds for a server to start
_SLOWEST = 10e6  # bytes a second; a network drive, for example
_PAUSE = 0.2  # seconds
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


def run(launch: Launch, *, ready: Callable[[Launch], None], patience: float | None = None) -> int:
    """Start TF Serving, and return when it has ended; for the main thread only.

    SIGTERM and SIGINT are forwarded. The server is killed if it has not ended ten seconds later, or
    at a second signal. Its output is left alone. A container has been removed when this returns.

    Args:
      ready: called once, when the model answers.
      patience: seconds to wait for that; by default a minute, and longer for a large model.
    Returns: the server's exit code; 128 + N if signal N ended it, as in a shell.
    Raises: ServerError if the server cannot be started or does not answer in time.
    """
    if patience is None:
        patience = _PATIENCE + launch.size / _SLOWEST
    received: list[int] = []
    stop = threading.Event()

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, remember) for number in _FORWARDED}
    process = None
    try:
        process = _start(launch)
        readiness = _Readiness(launch, stop)
        _supervise(process, launch, received, readiness, ready, patience)
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
    # The log is all the server's user has, so do not hand down this process's TF_CPP_MIN_LOG_LEVEL.
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    try:
        # In a session of its own, Ctrl-C reaches it once, from here, and not twice.
        return subprocess.Popen(  # noqa: S603 (a command of `launch`, no shell)
            launch.command,
            env={**environment, **launch.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ServerError(
            f"{launch.command[0]} cannot be started: {error}. Install it again."
        ) from error


def _supervise(
    process: "subprocess.Popen[bytes]",
    launch: Launch,
    received: list[int],
    readiness: "_Readiness",
    ready: Callable[[Launch], None],
    patience: float,
) -> None:
    started = time.monotonic()
    announced, forwarded, end = False, 0, None
    while process.poll() is None:
        now = time.monotonic()
        if len(received) > forwarded:
            if forwarded:
                process.kill()
            else:
                process.send_signal(received[0])
                end = now + _GRACE
            forwarded += 1  # one per loop, even if two have come: the second one kills
        if end is not None and now > end:
            process.kill()
        if end is None and not announced:
            if readiness.is_reached():
                announced = True
                ready(launch)
            elif now - started > patience:
                raise ServerError(
                    f"{launch.model} does not answer on {launch.address} after {patience:.0f} "
                    f"seconds, so the server was stopped. TF Serving's own log, above, says why."
                )
        try:
            process.wait(_PAUSE)
        except subprocess.TimeoutExpired:
            continue


class _Readiness:
    """Polls for the model in a thread of its own, so a slow response delays no signal."""

    def __init__(self, launch: Launch, stop: threading.Event) -> None:
        self._ready = threading.Event()
        probe = _probe_rest if launch.rest_port is not None else _create_grpc_probe(launch)

        def poll() -> None:
            while not stop.is_set() and not self._ready.is_set():
                if probe(launch):
                    self._ready.set()
                stop.wait(_PAUSE)

        threading.Thread(target=poll, name="tfclf-ready", daemon=True).start()

    def is_reached(self) -> bool:
        return self._ready.is_set()


def _probe_rest(launch: Launch) -> bool:
    """Ask whether some version is AVAILABLE; TF Serving's REST has no TLS, even if gRPC has."""
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


def _create_grpc_probe(launch: Launch) -> Callable[[Launch], bool]:
    """Return a probe that asks for the model's metadata, which the server has once it is loaded."""
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

    def probe(launch: Launch) -> bool:
        with grpc.insecure_channel(launch.address) as channel:
            try:
                PredictionServiceStub(channel).GetModelMetadata(request, timeout=5)
            except grpc.RpcError:
                return False
            return True

    return probe


def _remove(launch: Launch) -> None:
    """Remove the container, even if the docker client was killed before it could clean up."""
    docker = shutil.which(launch.command[0]) or launch.command[0]
    command = [docker, "rm", "--force", str(launch.container)]
    try:
        subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServerError(
            f"the container {launch.container} may still be there: {error}. "
            f"Remove it: {' '.join(command)}"
        ) from error
