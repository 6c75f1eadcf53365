"""What goes to and fro, the same for gRPC and REST."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Choice:
    """Which version is asked: a number, a label, or neither: the latest."""

    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class Ask:
    """One Predict request.

    Attributes:
      inputs: texts by input name, each of as many rows.
      outputs: what is wanted; an answer may hold more.
    """

    signature: str
    inputs: Mapping[str, Sequence[bytes]]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
      version: that answered; None where the protocol does not say.
      outputs: nested lists by name; strings as bytes, float32 as the Python floats of the same value.
    """

    version: int | None
    outputs: Mapping[str, list[Any]]


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature.

    Attributes:
      dtype: such as 'string', 'float32'.
      shape: None for an open dimension; None as a whole where the rank is open.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, dtype: str, sizes: Sequence[int] | None) -> "TensorInfo":
        """Of a DataType's name, such as DT_STRING, and a TensorShapeProto's sizes, -1 where one is open."""
        name = dtype.removeprefix("DT_").lower()
        shape = None if sizes is None else tuple(None if size < 0 else size for size in sizes)
        return cls(_DTYPES.get(name, name), shape)


_DTYPES = {"float": "float32", "double": "float64", "half": "float16"}


@dataclass(frozen=True)
class SignatureInfo:
    """One signature, as the server describes it."""

    method_name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True)
class Metadata:
    """What a server says of one version of a model."""

    model: str
    version: int
    signatures: Mapping[str, SignatureInfo]


@dataclass(frozen=True)
class VersionStatus:
    """How far one version is.

    Attributes:
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      code: OK, or why it could not be loaded; `message` has the words.
    """

    version: int
    state: str
    code: str
    message: str


# Details of a Refused for the port of the other protocol, found by a transport and put into words by refusals.py.
HTTP = "it answers with HTTP/1"
NO_HTTP = "no HTTP/1.1"


class Refused(Exception):  # noqa: N818 (it never leaves the client: refusals.py puts it into words)
    """No answer: the server's status and words, or the transport's.

    Attributes:
      code: canonical name, such as UNAVAILABLE.
      again: whether the same request may fare better a little later.
    """

    def __init__(self, code: str, details: str, *, again: bool | None = None) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.again = code == "UNAVAILABLE" if again is None else again


class Transport(Protocol):
    """A connection to a server.

    Its methods are coroutines in both forms. Those of a blocking transport never suspend, so that a coroutine over
    them runs to its end in one step (`sync.finished`): what asks, checks and decodes is written once.

    Attributes:
      tells_version: whether an answer says which version gave it.
    """

    tells_version: bool

    async def predict(self, ask: Ask, choice: Choice, timeout: float | None) -> Answer:
        """Raises: Refused, as all of these."""

    async def metadata(self, choice: Choice, timeout: float | None) -> Metadata:
        """The signatures of the version that would answer."""

    async def status(self, choice: Choice, timeout: float | None) -> tuple[VersionStatus, ...]:
        """All versions that the choice covers."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""

    async def close(self) -> None:
        """Ends the connection, and the requests under way."""
