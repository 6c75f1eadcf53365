"""The blocks of code of Markdown pages, and a session that runs them.

docs/website/fences.py defines the kinds of blocks. In expected output, `...` stands for anything
within a line, and a line of `...` for any lines. Ports 8500 to 8599 of a page are replaced by free
ones. The working directory is a new folder with `saved_models` and `serving` in it.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import yaml

from docs.website import fences
from samples.checkpoints import ROOT
from tests.forks import Forks, fork_python
from tests.ports import free_ports

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SPARK = "tfclf.spark"
_PORT = re.compile(r"\b85\d\d\b")
_START_SECONDS = 300.0
_SECONDS = 600.0  # a page waits for events with `until`


@dataclass(frozen=True)
class Block:
    """A block of code that is a program or data, and its place."""

    page: str
    fence: fences.Fence

    def __str__(self) -> str:
        return f"{self.page}, line {self.fence.first + 1}"


def blocks(page: str, text: str | None = None) -> list[Block]:
    """Return the blocks of a page in order; `text` is the content of a generated page.

    Raises: ValueError.
    """
    content = (ROOT / page).read_text(encoding="utf-8") if text is None else text
    try:
        return [
            Block(page, fence)
            for fence in fences.fences(content)
            if fence.language not in fences.SHOWN
        ]
    except ValueError as error:
        raise ValueError(f"{page}, {error}") from error


def matches(printed: str, shown: str) -> bool:
    """Tell whether the output is the one that the page shows."""
    lines = []
    for line in shown.rstrip().split("\n"):
        parts = (re.escape(part) for part in line.rstrip().split("..."))
        lines.append(r"(?:.*\n)*?" if line.strip() == "..." else r".*".join(parts) + r"[ ]*\n")
    return re.fullmatch("".join(lines), printed.rstrip() + "\n") is not None


class Session:
    """A session that runs blocks; it starts each server once and stops it at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "programs").mkdir()
        (folder / "saved_models").mkdir()  # a page may add to it
        for path in (ROOT / "saved_models").iterdir():
            (folder / "saved_models" / path.name).symlink_to(path)
        (folder / "serving").symlink_to(ROOT / "serving")
        self._servers: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._ports: dict[str, int] = {}
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TFCLF_CACHE": str(folder / "cache"),  # hides what a developer has pulled
        }
        self._stack = contextlib.ExitStack()
        self._runner: Forks | None = None

    def run(self, block: Block) -> str:
        """Run a block and return its output; for a server, its last line.

        Raises: AssertionError if it fails or prints something else.
        """
        fence = block.fence
        if fence.mark == fences.NO_RUN:
            return ""
        if fence.language in fences.DATA:
            return _check_data(block)
        if fence.language == "console":
            return self._run_console(block)
        code = self._with_free_ports(fence.code)
        if fence.mark == fences.SERVER:
            printed = self._serve(block, code)
        elif fence.language == "sh":
            printed = self._shell(block, code)
        else:
            printed = self._python(block, code)
        if fence.output is not None:
            self._compare(block, printed, fence.output)
        return printed

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        for server, _ in self._servers.values():
            server.send_signal(signal.SIGTERM)
        codes = [server.wait(120) for server, _ in self._servers.values()]
        assert not any(codes), f"servers ended with {codes}"

    def _with_free_ports(self, code: str) -> str:
        return _PORT.sub(lambda match: str(self._port(match[0])), code)

    def _port(self, shown: str) -> int:
        if shown not in self._ports:
            (self._ports[shown],) = free_ports(1)
        return self._ports[shown]

    def _compare(self, block: Block, printed: str, shown: str) -> None:
        as_on_page = printed
        for port, free in self._ports.items():
            as_on_page = re.sub(rf"\b{free}\b", port, as_on_page)
        assert matches(as_on_page, shown), (
            f"{block} shows\n{shown}\nbut this was printed:\n{as_on_page}"
        )

    def _run_console(self, block: Block) -> str:
        before, *lines = re.split(r"^\$ (.*)\n?", block.fence.code, flags=re.MULTILINE)
        assert not before.strip(), f"{block} does not begin with `$ `"
        everything = ""
        for command, output in zip(lines[::2], lines[1::2], strict=True):
            printed = self._shell(block, self._with_free_ports(command))
            self._compare(block, printed, output)
            everything += printed
        return everything

    def _shell(self, block: Block, code: str) -> str:
        return self._run_command(block, code, ["bash", "-e", "-o", "pipefail", "-c", code])

    def _python(self, block: Block, code: str) -> str:
        program = (
            self.folder / "programs" / f"{block.page.replace('/', '-')}-{block.fence.first + 1}.py"
        )
        program.write_text(code, encoding="utf-8")
        return self._run_command(block, code, ["python", str(program)])

    def _run_command(self, block: Block, code: str, command: list[str]) -> str:
        if self._runner is None:
            start = [fork_python(), "-m", "tests.docs.runner"]
            self._runner = self._stack.enter_context(Forks(start, self._environment))
        # Spark's Java ends with the process of the program that started it.
        forks = Forks.shared() if _SPARK in code else self._runner
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._with_commands(forks),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, f"{block}: {code}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _with_commands(self, forks: Forks, *before: str) -> dict[str, str]:
        """Return the environment in which `python` and `tfclf` are commands of these forks."""
        folder = "of pages"
        forks.command("tfclf", *before, "-m", "tfclf", folder=folder)
        python = forks.command("python", *before, folder=folder)
        path = f"{Path(python).parent}{os.pathsep}{self._environment['PATH']}"
        return {**self._environment, "PATH": path}

    def _serve(self, block: Block, code: str) -> str:
        """Start a server, unless that command runs already, and wait until its ports answer."""
        if code not in self._servers:
            errors = self.folder / f"server-{len(self._servers)}.stderr"
            with errors.open("wb") as file:
                process = subprocess.Popen(
                    ["bash", "-c", f"exec {code.strip()}"],
                    cwd=self.folder,
                    env=self._with_commands(Forks.shared(), "-m", "tests.docs.server"),
                    stderr=file,
                )
            self._servers[code] = process, errors
            ports = [self._port(port) for port in _PORT.findall(block.fence.code)]
            assert ports, f"{block} names no port that could answer"
            end = time.monotonic() + _START_SECONDS
            while not all(_answers(port) for port in ports):
                assert process.poll() is None, f"{block}: {code}\n{errors.read_text()}"
                assert time.monotonic() < end, (
                    f"{block} does not answer after {_START_SECONDS:g} seconds"
                )
                time.sleep(0.05)
        process, errors = self._servers[code]
        while (
            block.fence.output is not None and "serving" not in errors.read_text()
        ):  # the line comes just after the ports
            assert process.poll() is None, f"{block}\n{errors.read_text()}"
            time.sleep(0.05)
        return (errors.read_text().rstrip().rsplit("\n", 1)[-1]) + "\n"


def _check_data(block: Block) -> str:
    code = block.fence.code
    {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[block.fence.language](code)
    return code


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
