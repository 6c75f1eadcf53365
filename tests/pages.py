"""Pages as programs: the blocks of code of a Markdown page, and a place where they run.

The first line of a block says what becomes of it:

    ```python              runs; a ```text block right below is what it prints
    ```sh                  as well, in bash
    ```console             each line after `$ ` runs, the lines below are what it prints
    ```sh server           starts a server, which runs until the session ends; a ```text block: its last line
    ```sh no-run: REASON   does not run, as the reader should know why
    ```text, ```promql     shown only

`...` in what is printed stands for anything within a line, and a line of it for any lines. Ports 8500 to 8599 of a page
are free ones here. The working directory is a folder of its own with `saved_models` and `serving` in it.
"""

import contextlib
import io
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

from .checkpoints import ROOT
from .ports import free_ports

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = ("python", "sh", "console")
_SHOWN = ("text", "promql")
_PORT = re.compile(r"\b85\d\d\b")
_START_SECONDS = 300.0


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
      mark: "server", "no-run" or nothing.
      output: what it should print; None: the page does not say.
    """

    page: str
    line: int
    language: str
    mark: str
    reason: str
    code: str
    output: str | None

    def __str__(self) -> str:
        return f"{self.page}, line {self.line}"


def blocks(page: str) -> list[Block]:
    """The blocks of a page that are programs, in their order. Raises: ValueError for a block that says nothing."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = list(_FENCE.finditer(text))
    made = []
    for index, match in enumerate(found):
        language, _, rest = match[1].partition(" ")
        mark, _, reason = (part.strip() for part in rest.partition(":"))
        following = found[index + 1] if index + 1 < len(found) else None
        output = None
        if following and following[1] == "text" and not text[match.end() : following.start()].strip():
            output = following[2]
        line = text.count("\n", 0, match.start()) + 1
        if language not in (*_RUN, *_SHOWN) or mark not in ("", "server", "no-run"):
            raise ValueError(f"{page}, line {line}: a block of {match[1]!r}; tests/pages.py knows no such thing")
        if language in _RUN:
            made.append(Block(page, line, language, mark, reason, match[2], output))
    return made


def agrees(printed: str, shown: str) -> bool:
    """Whether a page shows what was printed."""
    lines = []
    for line in shown.rstrip().split("\n"):
        parts = (re.escape(part) for part in line.rstrip().split("..."))
        lines.append(r"(?:.*\n)*?" if line.strip() == "..." else r".*".join(parts) + r"[ ]*\n")
    return re.fullmatch("".join(lines), printed.rstrip() + "\n") is not None


class Session:
    """Runs blocks; its servers are started once, whatever page asks for them, and end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "saved_models").symlink_to(ROOT / "saved_models")
        (folder / "serving").symlink_to(ROOT / "serving")
        self._servers: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        self._ports: dict[str, int] = {}
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TFCLF_CACHE": str(folder / "cache"),  # what a developer has pulled is not seen
        }

    def run(self, block: Block) -> str:
        """What a block prints; of a server, its last line. Raises: AssertionError if it fails or prints otherwise."""
        if block.mark == "no-run":
            return ""
        if block.language == "console":
            return self._converse(block)
        code = self._with_free_ports(block.code)
        if block.mark == "server":
            printed = self._serve(block, code)
        elif block.language == "sh":
            printed = self._shell(block, code)
        else:
            printed = self._python(block, code)
        if block.output is not None:
            self._compare(block, printed, block.output)
        return printed

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        assert agrees(as_on_page, shown), f"{block} shows\n{shown}\nbut this was printed:\n{as_on_page}"

    def _converse(self, block: Block) -> str:
        before, *lines = re.split(r"^\$ (.*)\n?", block.code, flags=re.MULTILINE)
        assert not before.strip(), f"{block} begins with no `$ `"
        everything = ""
        for command, output in zip(lines[::2], lines[1::2], strict=True):
            printed = self._shell(block, self._with_free_ports(command))
            self._compare(block, printed, output)
            everything += printed
        return everything

    def _shell(self, block: Block, code: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", code],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,  # a page waits for what should come with `until`
        )
        assert done.returncode == 0, f"{block}: {code}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _python(self, block: Block, code: str) -> str:
        if "localhost" not in code:
            done = subprocess.run(
                [sys.executable, "-c", code],
                cwd=self.folder,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{block}\n{done.stderr}"
            return done.stdout
        # Clients run here, since to import TensorFlow anew takes longer than all that they ask.
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(code, str(block), "exec"), {"__name__": "__main__"})
        finally:
            os.chdir(before)
        return printed.getvalue()

    def _serve(self, block: Block, code: str) -> str:
        """Starts a server, if none runs by that command, and waits until its ports answer."""
        if code not in self._servers:
            errors = self.folder / f"server-{len(self._servers)}.stderr"
            with errors.open("wb") as file:
                process = subprocess.Popen(
                    ["bash", "-c", f"exec {code.strip()}"], cwd=self.folder, env=self._environment, stderr=file
                )
            self._servers[code] = process, errors
            ports = [self._port(port) for port in _PORT.findall(block.code)]
            assert ports, f"{block} names no port by which to know that it answers"
            end = time.monotonic() + _START_SECONDS
            while not all(_answers(port) for port in ports):
                assert process.poll() is None, f"{block}: {code}\n{errors.read_text()}"
                assert time.monotonic() < end, f"{block} does not answer after {_START_SECONDS:g} seconds"
                time.sleep(0.05)
        process, errors = self._servers[code]
        while block.output is not None and "serving" not in errors.read_text():  # it comes just after the ports
            assert process.poll() is None, f"{block}\n{errors.read_text()}"
            time.sleep(0.05)
        return (errors.read_text().rstrip().rsplit("\n", 1)[-1]) + "\n"


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0
