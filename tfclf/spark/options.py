"""The options of scoring, checked on the driver and again where the model is."""

from dataclasses import dataclass

from tfclf.decision import Rule
from tfclf.errors import InputError
from tfclf.inputs import check_long
from tfclf.saved_model.manifest import Manifest

ON_NULL = ("fail", "null")


@dataclass(frozen=True)
class Options:
    """How to score texts.

    Attributes:
      batch_size: rows in one call of the graph.
      long: 'truncate' or 'windows', as in `Classifier.predict`.
      stride: tokens that two windows share.
      max_length: tokens in a row, special tokens included, if fewer than the model's own limit.
      rule: ranks, thresholds and abstention; None without.
    """

    batch_size: int = 32
    long: str = "truncate"
    stride: int | None = None
    max_length: int | None = None
    rule: Rule | None = None

    @property
    def decided(self) -> tuple[str, ...]:
        """The columns that the rule adds."""
        return () if self.rule is None else self.rule.columns

    def check(self) -> None:
        """Refuse values that no model takes. Raises: InputError."""
        if not _is_count(self.batch_size):
            raise InputError(f"batch_size is {self.batch_size!r}; expected a whole number above 0.")
        check_long(self.long, self.stride)
        if self.max_length is not None and not _is_count(self.max_length):
            raise InputError(f"max_length is {self.max_length!r}; expected a whole number above 0.")
        if self.max_length is not None and self.long == "windows":
            raise InputError(
                f"max_length is {self.max_length} and long is 'windows'; windows have the model's "
                f"own length. Leave one of them out."
            )

    def check_model(self, manifest: Manifest) -> None:
        """Refuse what this model does not take. Raises: InputError."""
        if self.max_length is not None and self.max_length > manifest.max_length:
            raise InputError(
                f"max_length is {self.max_length}, and {manifest.name} reads at most "
                f"{manifest.max_length} tokens. Give at most {manifest.max_length}, leave it out, "
                f"or read longer texts in windows: long='windows'."
            )
        manifest.bind(self.rule)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
