"""What a comparison of an export with its original found, as it is stored in the export."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """One row on which the two differ, in `what`: tokens, logits, probabilities, label or problem_type."""

    row: int
    what: str
    text: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class Agreement:
    """How near one precision stays to the original, which is float32, over all texts compared.

    Attributes:
      rows: texts.
      label_agreement: share of them with the original's label, ties included; None of a regression.
      largest_probability_difference: absolute; None of a regression.
      largest_logit_difference: absolute.
    """

    rows: int
    label_agreement: float | None
    largest_probability_difference: float | None
    largest_logit_difference: float


@dataclass(frozen=True)
class Certificate:
    """What a comparison found.

    Attributes:
      equal: no token row and no label differs, logits stay within the tolerance, labels have the same names, and
        the problem type is the same.
      rows: texts compared; each piece of the vocabulary, each added token and each embedding besides.
      pairs: pairs of texts compared, by their logits.
      token_mismatches, label_mismatches: rows.
      largest_logit_difference: absolute, over all rows and pairs.
      tolerance: of the logits, for logits up to 1.
      reference: the classes that answered for the original.
      versions: of the packages that ran.
      source_checksums: SHA-256 of the original's files.
      made: UTC, ISO 8601.
      differences: the first few rows that differ.
      texts: 'given' or 'built-in', where the texts came from; only given ones can be real rows.
      agreement: by precision: the export's own and, beside another one, that of the lean engine in float32.
    """

    equal: bool
    rows: int
    pairs: int
    token_mismatches: int
    label_mismatches: int
    largest_logit_difference: float
    tolerance: float
    labels_equal: bool
    reference: str
    versions: dict[str, str]
    source_checksums: dict[str, str]
    made: str
    differences: tuple[Difference, ...] = field(default=())
    texts: str = "given"
    agreement: Mapping[str, Agreement] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As it is stored in the manifest and printed by --json."""
        return asdict(self)
