"""Requests, responses and refusals between client and server, the same for gRPC and REST."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tfclf.client.reasons import Reason


@dataclass(frozen=True)
class VersionChoice:
    """The version that a request names: by number, by label, or neither for the latest."""

    version: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class Request:
    """One Predict request.

    Attributes:
      inputs: texts, or int32 numbers, by input name; the same number of rows in each.
      outputs: names of the outputs to return; a response may hold more. Empty: all outputs.
        TensorFlow prepares each choice of outputs at its first use, which takes about a second,
        and a server has warmed up only the choice of all of them.
    """

    signature: str
    inputs: Mapping[str, Sequence[bytes] | Sequence[int]]
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Response:
    """The response to a Predict request.

    Attributes:
      version: the version that answered; None if the protocol does not report it.
      outputs: nested lists by name; strings as bytes, float32 as Python floats of the same value.
      facts: as in the Metadata of the export that answered.
    """

    version: int | None
    outputs: Mapping[str, list[Any]]
    facts: str = ""


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature.

    Attributes:
      dtype: the data type, such as 'string' or 'float32'.
      shape: the sizes, None for an open dimension; None as a whole if the rank is open.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, dtype: str, sizes: Sequence[int] | None) -> "TensorInfo":
        """Convert a DataType's name and a TensorShapeProto's sizes, where -1 is an open dimension.

        >>> TensorInfo.of("DT_FLOAT", [-1, 4])
        TensorInfo(dtype='float32', shape=(None, 4))
        >>> TensorInfo.of("DT_STRING", None)
        TensorInfo(dtype='string', shape=None)
        """
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
    """A server's description of one version of a model.

    Attributes:
      labels: of the probabilities, in their order, if the server says so: tfclf's does.
      thresholds: the calibrated ones, in that order; of a calibrated multi-label export on such a
        server.
      facts: a digest of the labels and of what else answers are read with; "" if the server does
        not say it.
    """

    model: str
    version: int
    signatures: Mapping[str, SignatureInfo]
    labels: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    facts: str = ""


@dataclass(frozen=True)
class VersionStatus:
    """The state of one version on a server.

    Attributes:
      state: START, LOADING, AVAILABLE, UNLOADING or END.
      code: OK, or the status code of a failed load; `message` explains it.
    """

    version: int
    state: str
    code: str
    message: str


class Refused(Exception):  # noqa: N818 (it never leaves the client: refusals.py puts it into words)
    """A request without a response: the server's status and words, or the transport's.

    Attributes:
      code: canonical name, such as UNAVAILABLE.
      details: the server's or the transport's words, for the user.
      reason: what the refusal means for the client; a transport reads it from the words.
      retriable: whether the same request may succeed a little later.
      models: the models that the server has, if it says so: tfclf's does when it has not the
        requested one.
    """

    def __init__(
        self,
        code: str,
        details: str,
        *,
        reason: Reason = Reason.OTHER,
        retriable: bool | None = None,
        models: tuple[str, ...] = (),
    ) -> None:
        super().__init__(details)
        self.code = code
        self.details = details
        self.reason = reason
        self.retriable = code == "UNAVAILABLE" if retriable is None else retriable
        self.models = models


class Transport(Protocol):
    """A connection to a server.

    Its methods are coroutines in both forms. Those of a blocking transport never suspend, so a
    coroutine built on them completes in one step (`blocking.run_to_completion`). Requests, checks
    and decoding are therefore written only once.

    Attributes:
      reports_version: whether a response says which version gave it.
      model: the name of the model that requests are for; a client may change it.
    """

    reports_version: bool
    model: str

    async def predict(
        self, request: Request, choice: VersionChoice, timeout: float | None
    ) -> Response:
        """Send a Predict request. Raises: Refused, as do the methods below."""

    async def metadata(self, choice: VersionChoice, timeout: float | None) -> Metadata:
        """Return the signatures of the version that would answer."""

    async def status(
        self, choice: VersionChoice, timeout: float | None
    ) -> tuple[VersionStatus, ...]:
        """Return the status of each version that the choice covers."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def close(self) -> None:
        """Close the connection and cancel in-flight requests."""
