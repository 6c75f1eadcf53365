"""The certificate: the result of comparing an export with its original, stored in the export."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One row on which export and original differ.

    Attributes:
      what: tokens, logits, probabilities, label or problem_type.
    """

    row: int
    what: str
    text: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Agreement:
    """The agreement of one precision with the original, which is float32, over all texts compared.

    Attributes:
      rows: number of texts.
      label_agreement: fraction of texts with the original's label, ties included; None for a
        regression.
      largest_probability_difference: absolute; None for a regression.
      largest_logit_difference: absolute.
    """

    rows: int
    label_agreement: float | None
    largest_probability_difference: float | None
    largest_logit_difference: float


@dataclass(frozen=True)
class Certificate:
    """The result of one comparison.

    Attributes:
      equal: whether no token row and no label differs, logits stay within the tolerance, and the
        label names and the problem type are the same. Never for int8.
      rows: number of texts compared; each piece of the vocabulary, each added token and each
        embedding was compared too.
      pairs: number of text pairs compared, by their logits.
      token_mismatches, label_mismatches: number of rows.
      largest_logit_difference: absolute, over all rows and pairs.
      tolerance: for logits up to 1; None for int8.
      reference: the classes that computed the original's outputs.
      versions: of the packages that ran.
      source_checksums: SHA-256 of the original's files.
      made: UTC, ISO 8601.
      differences: the first few rows that differ.
      texts: the origin of the texts, 'given' or 'built-in'; only given texts can be real rows.
      agreement: by precision: the export's own and, if that is not float32, the lean engine's in
        float32.
      agrees: as `equal`; for int8, whether tokens, label names and problem type are equal, every
        logit is a number, and 99 % of the labels are the original's (of built-in texts 95 %).
      stored: whether it is in the export. False if the export keeps a certificate that says equal
        to another source.
    """

    equal: bool
    rows: int
    pairs: int
    token_mismatches: int
    label_mismatches: int
    largest_logit_difference: float
    tolerance: float | None
    labels_equal: bool
    reference: str
    versions: dict[str, str]
    source_checksums: dict[str, str]
    made: str
    differences: tuple[Difference, ...] = field(default=())
    texts: str = "given"
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    agrees: bool = False
    stored: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Convert to the form stored in the manifest and printed by --json."""
        return asdict(self)


def agrees(certificate: Mapping[str, Any]) -> bool:
    """Tell whether a stored certificate is a good one. Older ones know `equal` only.

    >>> agrees({"equal": True}), agrees({"equal": False}), agrees({"equal": False, "agrees": True})
    (True, False, True)
    """
    return bool(certificate["equal"] or certificate.get("agrees"))


def describe_verdict(certificate: Mapping[str, Any]) -> str:
    """Say in words how an export compares with the original, which is named next.

    >>> describe_verdict({"equal": False, "agrees": True})
    'int8, so not equal, but agrees with'
    """
    if certificate["equal"]:
        return "equal to"
    return "int8, so not equal, but agrees with" if agrees(certificate) else "differs from"
