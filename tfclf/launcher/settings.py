"""What a user may choose of TF Serving, and what is to be started for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What a user may choose; None is for this module to decide.

    Attributes:
      model_name: what requests call the model; by default the folder's name.
      host: None: 127.0.0.1 for a container; the program listens on every address, and cannot do otherwise.
      port, rest_port: 0 takes a free one; rest_port None: no REST.
      gpu: run on GPUs.
      xla: let `serving_xla` compile; None: on a GPU, or where the export's warm-up records need it.
      batching: put requests together; None: for exports of tfclf, whose every tensor starts with the batch.
      batching_file: BatchingParameters as text, in place of tfclf's own.
      monitoring: metrics for Prometheus on the REST port.
      image: the container's; None: the newest that knows every op of the export.
      flags: further ones, as TF Serving spells them; they come last, so that they win.
    """

    model_name: str | None = None
    host: str | None = None
    port: int = 8500
    rest_port: int | None = 8501
    gpu: bool = False
    xla: bool | None = None
    batching: bool | None = None
    batching_file: Path | None = None
    monitoring: bool = True
    image: str | None = None
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class Launch:
    """A command, ready to run.

    Attributes:
      command: its arguments, the program first.
      model: what requests call the model.
      version: the one that is there now.
      host, port, rest_port: where a client of this machine reaches it.
      size: of the version's files, in bytes.
      container: the container's name, for it to be removed by; None without one.
      notes: what a user should know.
    """

    command: tuple[str, ...]
    model: str
    version: int
    host: str
    port: int
    rest_port: int | None
    size: int
    container: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What a gRPC client connects to."""
        return f"{bracketed(self.host)}:{self.port}"

    def __str__(self) -> str:
        rest = "" if self.rest_port is None else f", {bracketed(self.host)}:{self.rest_port} (REST)"
        return f"{self.model} version {self.version} on {self.address} (gRPC){rest}"


def bracketed(host: str) -> str:
    """A host as it stands before a colon and a port."""
    return f"[{host}]" if ":" in host else host
