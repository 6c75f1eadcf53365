"""A contender's process, seen from the bench. It is stopped (SIGSTOP) while others run."""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samples.checkpoints import ROOT

_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
}
# The bench's own import of transformers sets these (tfclf/_transformers.py).
_OWN = ("TF_USE_LEGACY_KERAS", "USE_TF", "USE_TORCH")
_CLOSING_SECONDS = 10.0


class ContenderError(Exception):
    """The contender cannot run; the message is the reason for the table."""


class ContenderProcess:
    """`bench.peers.worker` in an environment of Python; a context manager that ends it."""

    def __init__(self, python: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        if not python.exists():
            raise ContenderError(f"{python} does not exist; `make bench-peers` makes it")
        with log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [python, "-m", "bench.peers.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**_inherited(), **_QUIET, **environment},
            )
        assert self._process.stdout is not None
        self._answers = self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, *, patience: float, **arguments: Any) -> dict[str, Any]:
        """Let the process run, send a request, and stop the process after its answer.

        Args:
          patience: seconds to wait for the answer.
        Raises: ContenderError, with the contender's own reason, or that of its end.
        """
        assert self._process.stdin is not None
        self._signal(signal.SIGCONT)
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ContenderError(self._describe_end()) from error
        answer: dict[str, Any] = json.loads(self._read_line(do, patience))
        self._signal(signal.SIGSTOP)
        # The signal takes a moment, in which the process could disturb the next turn.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if "unavailable" in answer:
            raise ContenderError(answer["unavailable"])
        return answer

    def close(self) -> None:
        """End the process, stopped or not."""
        self._selector.close()
        self._process.kill()
        self._process.wait(_CLOSING_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def __enter__(self) -> "ContenderProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _read_line(self, do: str, patience: float) -> bytes:
        until = time.monotonic() + patience
        parts: list[bytes] = []
        while not parts or not parts[-1].endswith(b"\n"):
            if not self._selector.select(max(0.0, until - time.monotonic())):
                self._process.kill()
                raise ContenderError(f"'{do}' took longer than {patience:.0f} s")
            part = os.read(self._answers.fileno(), 1 << 16)
            if not part:
                raise ContenderError(self._describe_end())
            parts.append(part)
        return b"".join(parts)

    def _describe_end(self) -> str:
        code = self._process.wait(_CLOSING_SECONDS)
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else f"its process ended with {code}"

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OWN}
