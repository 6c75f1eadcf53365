"""The user's choices for TF Serving, and the command that starts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """The user's choices; None leaves a choice to the launcher.

    Attributes:
      model_name: the model's name in requests; the folder's name by default.
      host: the address to listen on; a container's default is 127.0.0.1. The program always listens
        on every address.
      port, rest_port: 0 takes a free port; rest_port None switches REST off.
      gpu: run on GPUs.
      xla: compile `serving_xla`; None does so on a GPU, or if the export's warm-up records need it.
      batching: batch requests; None does so for exports of tfclf, whose every tensor has a batch
        dimension.
      batching_file: BatchingParameters as text, in place of tfclf's own.
      monitoring: metrics for Prometheus on the REST port.
      image: the container's image; None takes the newest that knows every op of the export.
      flags: further flags, as TF Serving spells them; they come last and so override the others.
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
      model: the model's name in requests.
      version: the version on disk now.
      host, port, rest_port: where a client on this machine reaches the server.
      size: bytes of the version's files.
      environment: variables that the program gets beside those of this process.
      container: the container's name, by which it is removed; None for the program.
      notes: notes for the user.
    """

    command: tuple[str, ...]
    model: str
    version: int
    host: str
    port: int
    rest_port: int | None
    size: int
    environment: Mapping[str, str] = field(default_factory=dict)
    container: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """The address for a gRPC client.

        >>> Launch((), "news", 1, "::1", 8500, None, size=0).address
        '[::1]:8500'
        """
        return f"{bracket_host(self.host)}:{self.port}"

    def __str__(self) -> str:
        rest = (
            "" if self.rest_port is None else f", {bracket_host(self.host)}:{self.rest_port} (REST)"
        )
        return f"{self.model} version {self.version} on {self.address} (gRPC){rest}"


def bracket_host(host: str) -> str:
    """Put an IPv6 address in brackets, as it stands before a colon and a port."""
    return f"[{host}]" if ":" in host else host


def format_version(number: tuple[int, ...]) -> str:
    """Write a version of TF Serving with dots.

    >>> format_version((2, 20))
    '2.20'
    """
    return ".".join(map(str, number))
