"""What a client must know of a served model before it can ask and read, and where it learns that.

The answers hold everything of a `Prediction` but the names of the probabilities: those are in the checkpoint's
order, and the names in that order are known to the graph alone. TF Serving's metadata has no place for them, and the
label of each row names only the largest. So the signature `classify` is asked once about one empty text: its
`classes` are the names, in order. It is asked by Predict, which every server answers for every signature, over gRPC
and over REST. A regression has no `classify` and no probabilities either; its one label comes with each row.

`truncated` is an output of the signatures `detail`, `detail_pairs` and `detail_xla`. An export of an older version
has none of them; in process the row's tokens are then counted and compared with `max_length`, and so they are here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tfclf.client.messages import Ask, Choice, Metadata, Refused, SignatureInfo, Transport
from tfclf.saved_model import signature_names

_EMPTY_EXAMPLE = (
    b"\n\x0e\n\x0c\n\x04text\x12\x04\n\x02\n\x00"  # tf.train.Example with text: [""], serialized
)
_SWAPS = 3
_WANTED = ("label", "score", "probabilities", "truncated")


@dataclass(frozen=True)
class Served:
    """One version of a model.

    Attributes:
      labels: in the order of the probabilities; none of a regression, which has no probabilities.
      max_length: tokens in a row; None where nobody need know, since the model itself says which rows were cut.
    """

    metadata: Metadata
    labels: tuple[str, ...]
    max_length: int | None

    @property
    def version(self) -> int:
        """Its number."""
        return self.metadata.version

    def signature(self, *, paired: bool, xla: bool) -> str:
        """The one that answers `predict`.

        Raises: Refused for a model that has none of that kind.
        """
        names = (
            (signature_names.DETAIL_XLA,)
            if xla
            else (signature_names.DETAIL_PAIRS, signature_names.PAIRS)
            if paired
            else (signature_names.DETAIL, signature_names.SERVING_DEFAULT)
        )
        for name in names:
            if name in self.metadata.signatures:
                return name
        raise Refused("FAILED_PRECONDITION", _lacking(self.metadata, " or ".join(map(repr, names))))

    def outputs(self, signature: str) -> tuple[str, ...]:
        """Those of it that a `Prediction` is made of."""
        return tuple(
            name for name in _WANTED if name in self.metadata.signatures[signature].outputs
        )


async def describe(transport: Transport, choice: Choice, *, timeout: float | None) -> Served:
    """Asks a server about a model.

    Raises: Refused, also for a model that is no export of ours.
    """
    for _ in range(_SWAPS):
        metadata = await transport.metadata(choice, timeout)
        try:
            return await _described(transport, metadata, timeout)
        except Refused as refused:
            if refused.code != "NOT_FOUND":
                raise
            gone = (
                refused  # the version that had just told of itself: another one has taken its place
            )
    raise gone


async def _described(transport: Transport, metadata: Metadata, timeout: float | None) -> Served:
    signature = metadata.signatures.get(signature_names.SERVING_DEFAULT)
    if signature is None or not _is_ours(signature):
        raise Refused(
            "FAILED_PRECONDITION",
            _lacking(metadata, "'serving_default', from text to label and score"),
        )
    version = Choice(version=metadata.version)
    labels: tuple[str, ...] = ()
    if "probabilities" in signature.outputs:
        if signature_names.CLASSIFY not in metadata.signatures:
            raise Refused(
                "FAILED_PRECONDITION",
                _lacking(metadata, "'classify', which names the labels in order"),
            )
        asked = Ask(signature_names.CLASSIFY, {"inputs": [_EMPTY_EXAMPLE]}, ("classes",))
        answer = await transport.predict(asked, version, timeout)
        labels = tuple(label.decode() for label in answer.outputs["classes"][0])
    told = signature_names.DETAIL in metadata.signatures
    longest = None if told else await _max_length(transport, version, metadata.signatures, timeout)
    return Served(metadata, labels, longest)


def _is_ours(signature: SignatureInfo) -> bool:
    return set(signature.inputs) == {"text"} and {"label", "score"} <= set(signature.outputs)


async def _max_length(
    transport: Transport,
    version: Choice,
    signatures: Mapping[str, SignatureInfo],
    timeout: float | None,
) -> int | None:
    """Of an export that does not tell which rows were cut: as long as the rows of two long texts both get."""
    if signature_names.TOKENIZE not in signatures:
        return None
    words = 2048
    while True:
        short, long = await token_counts(
            transport, version, [b" a" * words, b" a" * 2 * words], timeout
        )
        if short == long:
            return short
        words *= 4


async def token_counts(
    transport: Transport, version: Choice, texts: list[bytes], timeout: float | None
) -> list[int]:
    """Of each text, special tokens included; no more than the model reads."""
    answer = await transport.predict(
        Ask(signature_names.TOKENIZE, {"text": texts}, ("attention_mask",)), version, timeout
    )
    return [sum(row) for row in answer.outputs["attention_mask"]]


def _lacking(metadata: Metadata, expected: str) -> str:
    found = (
        ", ".join(sorted(name for name in metadata.signatures if not name.startswith("__")))
        or "none"
    )
    return f"version {metadata.version} has no signature {expected}; it has {found}"
