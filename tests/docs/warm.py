"""A Python that has imported TensorFlow and forks for each program.

The import takes longer than most programs of the pages. Each program still runs in a process of its
own. This file, run as a program, is that Python. A command that `commands` makes hands over its
arguments, folder, environment and standard streams, and exits with the program's code.
"""

import contextlib
import importlib
import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from typing import Any

# These imports start no thread that a fork would lose, and run no op.
_BEFOREHAND = ("tensorflow", "tensorflow_text", "tfclf.loader", "tfclf.cli.commands")
_READY = b"ready\n"
_SHIM = """\
#!{python} -SE
import os, socket, sys, json
with socket.socket(socket.AF_UNIX) as there:
    there.connect({address!r})
    arguments = [{program!r}, *sys.argv[1:]]
    wanted = {{"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}}
    socket.send_fds(there, [json.dumps(wanted).encode() + b"\\0"], [0, 1, 2])
    code = there.recv(1)
sys.exit(code[0] if code else 70)
"""


class Warm:
    """The context in which that Python runs."""

    def __init__(self, environment: dict[str, str]) -> None:
        # Not pytest's folder, because a socket's address has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="tfclf-warm-"))
        self._address = self._folder / "socket"
        self._environment = environment

    def __enter__(self) -> "Warm":
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self._address)],
            env=self._environment,
            stdout=subprocess.PIPE,
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

    def commands(self, *programs: str) -> Path:
        """Return a folder for PATH with these commands; any but `tfclf` runs a file of Python."""
        folder = self._folder / "commands"
        folder.mkdir(exist_ok=True)
        for program in programs:
            (folder / program).write_text(
                _SHIM.format(python=sys.executable, address=str(self._address), program=program),
                encoding="utf-8",
            )
            (folder / program).chmod(0o755)
        return folder


def _main(address: str) -> None:
    for name in _BEFOREHAND:
        importlib.import_module(name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        sys.stdout.buffer.write(_READY)
        sys.stdout.buffer.flush()
        while True:
            connection, _ = listening.accept()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:  # programs that have ended
                    pass
            with connection, warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # Python 3.12: fork beside threads
                if os.fork() == 0:
                    _become(connection)


def _become(connection: socket.socket) -> None:
    """Run the wanted program in this process, then end the process."""
    code = 1
    try:
        wanted, streams = _read(connection)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        # New ones, because the old ones remember the kind of their files.
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
        sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, encoding="utf-8", buffering=1)  # noqa: SIM115
        os.chdir(wanted["folder"])
        os.environ.clear()
        os.environ.update(wanted["environment"])
        sys.argv = wanted["arguments"]
        code = _run(wanted["arguments"])
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(
        OSError, ValueError
    ):  # a pipe without a reader, or closed by the program
        sys.stdout.flush()
    connection.sendall(bytes([code]))
    os._exit(code)


def _read(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    content, streams, _, _ = socket.recv_fds(connection, 65536, 3)
    while not content.endswith(b"\0"):
        content += connection.recv(65536)
    return json.loads(content[:-1]), streams


def _run(arguments: list[str]) -> int:
    try:
        if arguments[0] == "tfclf":
            from tfclf.cli import main

            main()
        else:
            runpy.run_path(arguments[1], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)  # noqa: T201
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    _main(sys.argv[1])
