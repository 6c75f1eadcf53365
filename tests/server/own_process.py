"""A server in a process of its own, whose memory, threads, files and log a test can read."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.forks import fork_python

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "saved_models" / "distilbert_mini_sequence_classifier_ag_news"
SERVE = """\
import json, sys
from tfclf.server.logs import configure
configure(level="info")
from tests.no_warm_up import skip_warm_up_of_exports
from tfclf.server import serve
skip_warm_up_of_exports()
options = json.loads(sys.argv[2])
with serve(sys.argv[1], port=0, rest_port=0, **options) as server, server.signals() as signals:
    print(server.port, server.rest_port, flush=True)
    signals.get()
"""


@dataclass(frozen=True)
class ServerProcess:
    """A running server.

    Attributes:
      log: the file that its stderr goes to.
    """

    process: subprocess.Popen[str]
    port: int
    rest_port: int
    log: Path

    @property
    def address(self) -> str:
        """The address for gRPC."""
        return f"127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        """The URL for REST."""
        return f"http://127.0.0.1:{self.rest_port}"

    def channel(self) -> grpc.Channel:
        """Open a channel with a connection of its own."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        return grpc.insecure_channel(
            self.address, options=[*options, ("grpc.max_receive_message_length", -1)]
        )

    def memory(self) -> int:
        """Return the megabytes of its own memory, without files and shared memory."""
        return self._status("RssAnon") // 1024

    def threads(self) -> int:
        """Count all threads, TensorFlow's and gRPC's too."""
        return self._status("Threads")

    def descriptors(self) -> int:
        """Count open files and sockets."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _status(self, key: str) -> int:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


@contextmanager
def own_process(
    models: Path, log: Path, *, measured: bool = True, **options: Any
) -> Iterator[ServerProcess]:
    """Serve `models` within the block, as `serve` would with these options.

    Args:
      measured: whether the figures of the process are wanted. If not, it starts sooner, and
        `process` is the command that stands for it.
    """
    # glibc keeps up to 64 MB of freed memory per arena. Make it return all, so that the memory
    # measured is in use.
    given_back = {f"MALLOC_{name}_": str(1 << 17) for name in ("MMAP_THRESHOLD", "TRIM_THRESHOLD")}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", **given_back}
    python = sys.executable if measured else fork_python()
    command = [python, "-c", SERVE, str(models), json.dumps(options)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        ) as process,
    ):
        try:
            assert process.stdout is not None
            ports = process.stdout.readline().split()
            assert len(ports) == 2, log.read_text()
            yield ServerProcess(process, int(ports[0]), int(ports[1]), log)
        finally:
            process.kill()


def write_config(path: Path, models: Mapping[str, Path]) -> Path:
    """Write a models.config."""
    entries = "".join(
        f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" }}\n'
        for name, base in models.items()
    )
    path.write_text(f"model_config_list {{\n{entries}}}\n")
    return path
