"""The options of scoring, checked on the driver and again where the model is."""

from dataclasses import dataclass

from tfclf.errors import InputError
from tfclf.problem_types import MULTI_LABEL
from tfclf.saved_model.manifest import Manifest

ON_NULL = ("fail", "null")
_LONG = ("truncate", "windows")  # as in tfclf.classifier, which would import TensorFlow here


@dataclass(frozen=True)
class Options:
    """How to score texts.

    Attributes:
      batch_size: rows in one call of the graph.
      long: 'truncate' or 'windows', as in `Classifier.predict`.
      stride: tokens that two windows share.
      max_length: tokens in a row, special tokens included, if fewer than the model's own limit.
      threshold: probability from which a label of a multi-label model counts; None: no such list.
    """

    batch_size: int = 32
    long: str = "truncate"
    stride: int | None = None
    max_length: int | None = None
    threshold: float | None = None

    def check(self) -> None:
        """Refuse values that no model takes. Raises: InputError."""
        if not _is_count(self.batch_size):
            raise InputError(f"batch_size is {self.batch_size!r}; expected a whole number above 0.")
        if self.long not in _LONG:
            raise InputError(f"long is {self.long!r}; expected {' or '.join(map(repr, _LONG))}.")
        if self.stride is not None and self.long != "windows":
            raise InputError(
                f"stride is {self.stride!r} and long is {self.long!r}; a stride is for "
                f"long='windows'."
            )
        if self.max_length is not None and not _is_count(self.max_length):
            raise InputError(f"max_length is {self.max_length!r}; expected a whole number above 0.")
        if self.max_length is not None and self.long == "windows":
            raise InputError(
                f"max_length is {self.max_length} and long is 'windows'; windows have the model's "
                f"own length. Leave one of them out."
            )
        threshold = self.threshold
        if threshold is not None and not 0 <= threshold <= 1:
            raise InputError(f"threshold is {threshold!r}; expected a probability from 0 to 1.")

    def check_model(self, manifest: Manifest) -> None:
        """Refuse what this model does not take. Raises: InputError."""
        if self.max_length is not None and self.max_length > manifest.max_length:
            raise InputError(
                f"max_length is {self.max_length}, and {manifest.name} reads at most "
                f"{manifest.max_length} tokens. Give at most {manifest.max_length}, leave it out, "
                f"or read longer texts in windows: long='windows'."
            )
        if self.threshold is not None and manifest.problem_type != MULTI_LABEL:
            raise InputError(
                f"threshold is {self.threshold}, and {manifest.name} is a model for "
                f"{manifest.problem_type}: it gives one label per text. A threshold is for a "
                f"multi-label model. Leave it out, and filter on the column's `score`."
            )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
