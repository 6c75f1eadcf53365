"""A Python that has imported TensorFlow and forks for each program.

The import takes longer than most programs of the tests. Each program still has a process of its
own. This file, run as a program, is that Python. A command that `Forks.command` makes stands for
`python`: it hands over its arguments, folder, environment and standard streams, passes SIGTERM and
SIGINT on, and ends as the program ends, by a signal too. The program dies with the command.

TensorFlow has read its own environment variables already, and nothing of a program's start can be
seen: tests of those need a true process.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# These imports start no thread that a fork would lose, and run no op.
_BEFOREHAND = (
    "tensorflow",
    "tensorflow_text",
    "tfclf.loader",
    "tfclf.cli.commands",
    "tfclf.server.command_line",
    "tfclf.server.start",
)
_READY = b"ready\n"
_SHIM = """\
#!{python} -SE
import os, signal, socket, sys, json
with socket.socket(socket.AF_UNIX) as there:
    there.connect({address!r})
    arguments = [*{before!r}, *sys.argv[1:]]
    wanted = {{"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}}
    socket.send_fds(there, [json.dumps(wanted).encode() + b"\\0"], [0, 1, 2])
    process = int.from_bytes(there.recv(4), "big")
    for number in (signal.SIGTERM, signal.SIGINT) if process else ():
        signal.signal(number, lambda received, _: os.kill(process, received))
    code = int.from_bytes(there.recv(4) or b"\\0\\0\\0F", "big", signed=True)
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if code != -signal.SIGKILL else None
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class Forks:
    """The context in which that Python, or another that listens like it, runs.

    Args:
      start: the command line that starts it, before its socket's path.
    """

    def __init__(self, start: Sequence[str], environment: dict[str, str]) -> None:
        # Not pytest's folder, because a socket's address has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="tfclf-forks-"))
        self._address = str(self._folder / "socket")
        self._start = start
        self._environment = environment

    @classmethod
    @functools.cache
    def shared(cls) -> "Forks":
        """Return those of all tests of this process, started at the first call."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        forks = cls([sys.executable, "-m", "tests.forks"], environment).__enter__()
        atexit.register(forks.__exit__)
        return forks

    def __enter__(self) -> "Forks":
        self._process = subprocess.Popen(
            [*self._start, self._address], env=self._environment, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == _READY
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        shutil.rmtree(self._folder)

    def command(self, name: str, *before: str, folder: str = "commands") -> str:
        """Return the path of a command.

        Args:
          before: Python's first arguments, before those of each call.
          folder: the folder for it, in which a name stands for one command.
        """
        path = self._folder / folder / name
        path.parent.mkdir(exist_ok=True)
        shim = _SHIM.format(python=sys.executable, address=self._address, before=before)
        path.write_text(shim, encoding="utf-8")
        path.chmod(0o755)
        return str(path)


def fork_python() -> str:
    """Return a command that stands for `python` and starts with TensorFlow imported."""
    return Forks.shared().command("python")


def listen(address: str) -> socket.socket:
    """Listen for commands, and tell the context so."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    return listening


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return what a command hands over: words about the program, and its standard streams."""
    content, streams, _, _ = socket.recv_fds(connection, 65536, 3)
    while not content.endswith(b"\0"):
        content += connection.recv(65536)
    return json.loads(content[:-1]), streams


def enter(wanted: Mapping[str, Any], streams: Sequence[int]) -> None:
    """Take over the standard streams, folder and environment of a command."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # New ones, because the old ones remember the kind of their files.
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8", buffering=1)  # noqa: SIM115
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])


def run(arguments: Sequence[str]) -> int:
    """Run a program as `python` runs it with these arguments, and return its exit code."""
    kind, *others = arguments
    try:
        if kind == "-c":
            sys.argv, sys.path[0] = ["-c", *others[1:]], ""
            sys.modules["__main__"] = types.ModuleType("__main__")
            exec(others[0], sys.modules["__main__"].__dict__)
        elif kind == "-m":
            sys.argv, sys.path[0] = list(others), ""
            runpy.run_module(others[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = list(arguments), str(Path(kind).parent)
            runpy.run_path(kind, run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def send(connection: socket.socket, number: int) -> None:
    """Send the process's id, or its exit code, which is negative after a signal."""
    with contextlib.suppress(OSError):  # the command has been killed
        connection.sendall(number.to_bytes(4, "big", signed=True))


def _main(address: str) -> None:
    for name in _BEFOREHAND:
        importlib.import_module(name)
    listening = listen(address)
    signal.signal(signal.SIGCHLD, _bury)
    while True:
        connection, _ = listening.accept()
        with connection:
            if _fork() == 0:
                listening.close()
                _run_and_wait(connection)


def _bury(*_: object) -> None:
    """Let the processes of programs that have ended go."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork beside threads
        return os.fork()


def _run_and_wait(connection: socket.socket) -> None:
    """Run a program in a child process, tell how it ended, and end this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    wanted, streams = receive(connection)
    process = _fork()
    if process == 0:
        connection.close()
        enter(wanted, streams)
        sys.exit(run(wanted["arguments"]))
    for stream in streams:
        os.close(stream)
    send(connection, process)
    ended = os.pidfd_open(process)
    # The connection becomes readable only if the command has been killed.
    readable: Sequence[object] = select.select([ended, connection.fileno()], [], [])[0]
    if ended not in readable:
        os.kill(process, signal.SIGKILL)
    send(connection, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    os._exit(0)


if __name__ == "__main__":
    _main(sys.argv[1])
