"""The facts about a served model that a client needs for requests, and how it finds them.

A response holds everything of a `Prediction` but the labels of the probabilities. Those are in the
checkpoint's order, and only the graph knows the labels in that order: TF Serving's metadata has no
place for them, and each row's `label` names only its largest probability. So the client asks the
signature `classify` once, about one empty text: its `classes` are the labels, in order. It asks by
Predict, which every server answers for every signature, over gRPC and over REST. The embedded
server sends the labels beside its metadata, which spares that run of the model. A regression has
neither `classify` nor probabilities; its one label comes with each row.

Nor does a server say whether a model is multi-label, unless it sends calibrated thresholds, which
no other model has. If that matters, because the caller gives `threshold`, the client looks at the
probabilities of four short texts: softmax adds up to 1 for each of them, sigmoid for hardly any.

`truncated` is an output of the signatures `detail`, `detail_pairs` and `detail_xla`. An older
export has none of them. The client then counts the row's tokens and compares them with
`max_length`, as `Classifier` does in process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tfclf.client.messages import (
    Metadata,
    Refused,
    Request,
    Response,
    SignatureInfo,
    Transport,
    VersionChoice,
)
from tfclf.client.reasons import Reason
from tfclf.problem_types import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from tfclf.saved_model import signature_names

# A serialized tf.train.Example with the feature text: [""].
_EMPTY_EXAMPLE = b"\n\x0e\n\x0c\n\x04text\x12\x04\n\x02\n\x00"
_MAX_SWAPS = 3
_MOST_WORDS = 1 << 17
_PROBES = [b"", b"news", b"a late goal", b"no, thank you"]
# The label is the largest logit's. Of two almost equal ones, vector code may give it an exponential
# that is smaller by a rounding.
_ROUNDING = 1e-5
_SUM_TOLERANCE = 1e-3  # of probabilities that add up to 1, computed in any precision


@dataclass(frozen=True)
class ServedModel:
    """One version of a model on a server.

    Attributes:
      labels: in the order of the probabilities; empty for a regression, which has none.
      max_length: tokens in a row, special tokens included; None if the model itself reports
        truncation, or if it has no signature `tokenize`.
    """

    metadata: Metadata
    labels: tuple[str, ...]
    max_length: int | None

    @property
    def thresholds(self) -> dict[str, float] | None:
        """The calibrated thresholds by label; None without any."""
        thresholds = self.metadata.thresholds
        if not self.labels or len(thresholds) != len(self.labels):
            return None
        return dict(zip(self.labels, thresholds, strict=True))

    @property
    def version(self) -> int:
        """The version's number."""
        return self.metadata.version

    @property
    def key(self) -> tuple[object, ...]:
        """A key for what has to be found out about it."""
        return self.version, self.metadata.facts, self.labels

    @cached_property
    def _indices(self) -> dict[bytes, int]:
        """The place of each label, as servers write it: looked up in every response."""
        return {label.encode(): index for index, label in enumerate(self.labels)}

    def gave(self, response: Response) -> bool:
        """Whether a response is this export's, as far as the server says."""
        return response.version in (None, self.version) and response.facts == self.metadata.facts

    def check_labels(self, response: Response) -> None:
        """Check that each row's own label is the likeliest one, if the labels are in this order.

        No server but ours says which export answered, and another one may have the same number.

        Raises: Refused.
        """
        outputs = response.outputs
        if "label" not in outputs:
            return
        indices = self._indices
        rows = outputs.get("probabilities", [()] * len(outputs["label"]))
        for label, probabilities in zip(outputs["label"], rows, strict=True):
            fits = len(probabilities) == len(indices)
            if fits and indices:
                index = indices.get(label)
                likeliest = max(probabilities) * (1 - _ROUNDING)
                fits = index is not None and not probabilities[index] < likeliest
            if not fits:
                name = label.decode("utf-8", "replace")
                raise other_export(self.version, f"an answer's label, {name!r}, does not go")

    def signature(self, *, paired: bool, xla: bool) -> str:
        """The signature that answers `predict`.

        Raises: Refused if the model has none of that kind.
        """
        if xla:
            names: tuple[str, ...] = (signature_names.DETAIL_XLA,)
        elif paired:
            names = (signature_names.DETAIL_PAIRS, signature_names.PAIRS)
        else:
            names = (signature_names.DETAIL, signature_names.SERVING_DEFAULT)
        for name in names:
            if name in self.metadata.signatures:
                return name
        raise _missing_signature(self.metadata, " or ".join(map(repr, names)))

    def explain_signature(self, *, paired: bool, in_windows: bool) -> str:
        """The signature that answers `explain`.

        Raises: Refused if the model has none.
        """
        name = signature_names.EXPLAIN_PAIRS if paired else signature_names.EXPLAIN
        if in_windows:
            name = signature_names.EXPLAIN_WINDOWS
        if name not in self.metadata.signatures:
            raise _missing_signature(self.metadata, repr(name))
        return name


async def describe(
    transport: Transport, choice: VersionChoice, *, timeout: float | None
) -> ServedModel:
    """Ask a server about a model.

    Raises: Refused, also for a model that is not an export of tfclf.
    """
    for _ in range(_MAX_SWAPS):
        metadata = await transport.metadata(choice, timeout)
        try:
            return await _describe_version(transport, metadata, timeout)
        except Refused as refused:
            if refused.code != "NOT_FOUND" and refused.reason is not Reason.OTHER_EXPORT:
                raise
            # The server has swapped this version out, or replaced it, since it sent the metadata.
            last_refusal = refused
    raise last_refusal


async def _describe_version(
    transport: Transport, metadata: Metadata, timeout: float | None
) -> ServedModel:
    signature = metadata.signatures.get(signature_names.SERVING_DEFAULT)
    if signature is None or not _is_ours(signature):
        raise _missing_signature(metadata, "'serving_default', from text to label and score")
    choice = VersionChoice(version=metadata.version)
    labels: tuple[str, ...] = ()
    if "probabilities" in signature.outputs:
        if signature_names.CLASSIFY not in metadata.signatures:
            raise _missing_signature(metadata, "'classify', which names the labels in order")
        labels = metadata.labels
        if not labels:
            request = Request(signature_names.CLASSIFY, {"inputs": [_EMPTY_EXAMPLE]})
            response = await transport.predict(request, choice, timeout)
            if response.facts != metadata.facts:
                raise other_export(metadata.version, "its classes do not go")
            labels = tuple(label.decode() for label in response.outputs["classes"][0])
    max_length = None
    if signature_names.DETAIL not in metadata.signatures:
        max_length = await find_max_length(transport, choice, metadata.signatures, timeout)
    return ServedModel(metadata, labels, max_length)


def _is_ours(signature: SignatureInfo) -> bool:
    return set(signature.inputs) == {"text"} and {"label", "score"} <= set(signature.outputs)


async def find_max_length(
    transport: Transport,
    choice: VersionChoice,
    signatures: Mapping[str, SignatureInfo],
    timeout: float | None,
) -> int | None:
    """Find a model's length limit, in tokens; None if it cannot tell, or reads almost any length.

    Two texts, one twice as long as the other, give rows of equal length only if both are truncated.
    """
    if signature_names.TOKENIZE not in signatures:
        return None
    words = 2048
    while words <= _MOST_WORDS:
        short, long = await count_tokens(
            transport, choice, [b" a" * words, b" a" * 2 * words], timeout
        )
        if short == long:
            return short
        words *= 4
    return None


async def count_tokens(
    transport: Transport, choice: VersionChoice, texts: list[bytes], timeout: float | None
) -> list[int]:
    """Count the tokens of each text, special tokens and truncation included."""
    request = Request(signature_names.TOKENIZE, {"text": texts}, ("attention_mask",))
    response = await transport.predict(request, choice, timeout)
    return [sum(row) for row in response.outputs["attention_mask"]]


async def find_problem_type(
    transport: Transport, served: ServedModel, timeout: float | None
) -> str:
    """Find out a model's problem type from its probabilities of a few texts.

    Raises: Refused.
    """
    if not served.labels:
        return REGRESSION
    if served.thresholds is not None:
        return MULTI_LABEL
    request = Request(signature_names.SERVING_DEFAULT, {"text": _PROBES})
    response = await transport.predict(request, VersionChoice(version=served.version), timeout)
    if not served.gave(response):
        raise other_export(served.version, "an answer does not go")
    served.check_labels(response)
    sums = map(sum, response.outputs["probabilities"])
    return MULTI_LABEL if any(abs(one - 1) > _SUM_TOLERANCE for one in sums) else SINGLE_LABEL


def other_export(version: int, finding: str) -> Refused:
    """Return the refusal of an answer that another export gave than the one described."""
    return Refused(
        "ABORTED",
        f"{finding} with the labels that version {version} had just before",
        reason=Reason.OTHER_EXPORT,
    )


def _missing_signature(metadata: Metadata, expected: str) -> Refused:
    names = sorted(name for name in metadata.signatures if not name.startswith("__"))
    return Refused(
        "FAILED_PRECONDITION",
        f"version {metadata.version} has no signature {expected}; it has "
        f"{', '.join(names) or 'none'}",
        reason=Reason.MISSING_SIGNATURE,
    )
