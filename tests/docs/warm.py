"""A Python with TensorFlow imported already, which forks for each program: the import takes longer than most of them.

Programs run in processes of their own, as they would without it; only what they import is there sooner. Run as a
program, this file is that Python. A command that `commands` makes hands its arguments, folder, environment and standard
streams over, and ends as the program does.
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

# What is imported beforehand starts no thread that a fork would lose; no op runs before it.
_BEFOREHAND = ("tensorflow", "tensorflow_text", "tfclf.loader", "tfclf.cli.commands")
_READY = b"ready\n"
_SHIM = """\
#!{python} -SE
import os, socket, sys, json
with socket.socket(socket.AF_UNIX) as there:
    there.connect({address!r})
    wanted = {{"arguments": [{program!r}, *sys.argv[1:]], "folder": os.getcwd(), "environment": dict(os.environ)}}
    socket.send_fds(there, [json.dumps(wanted).encode() + b"\\0"], [0, 1, 2])
    code = there.recv(1)
sys.exit(code[0] if code else 70)
"""


class Warm:
    """That Python, while it is entered."""

    def __init__(self, environment: dict[str, str]) -> None:
        # Not pytest's folder: the address of a socket has 107 bytes at most.
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
        """The folder for PATH with commands of those names: `tfclf`, or any other, which runs a file of Python."""
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
            asked, _ = listening.accept()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:  # programs that have ended since
                    pass
            with asked, warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # Python 3.12: fork beside threads
                if os.fork() == 0:
                    _become(asked)


def _become(asked: socket.socket) -> None:
    """Runs what is asked for, in this process, and ends it."""
    code = 1
    try:
        wanted, streams = _read(asked)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        # Anew: the old ones remember of what kind their files were.
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
    ):  # a pipe that nobody reads any more, or closed by the program
        sys.stdout.flush()
    asked.sendall(bytes([code]))
    os._exit(code)


def _read(asked: socket.socket) -> tuple[dict[str, Any], list[int]]:
    content, streams, _, _ = socket.recv_fds(asked, 65536, 3)
    while not content.endswith(b"\0"):
        content += asked.recv(65536)
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
