"""Hyper-parameters as one record, which is written beside the model it made."""

from dataclasses import asdict, dataclass
from typing import Any

from tfclf.errors import InputError

_ROUNDINGS = (None, "float16")
_PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of fine-tuning. Defaults: Devlin et al. 2019 (arXiv:1810.04805, A.3).

    Attributes:
      epochs: maximum number of passes over the training rows.
      batch_size: rows per step.
      learning_rate: its peak, after the warm-up; from there it falls linearly to 0 at the last
        step.
      warmup: fraction of all steps during which the rate rises linearly from 0.
      weight_decay: decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101); none on biases and layer
        norms.
      clip_norm: maximum global norm of a step's gradients; larger ones are scaled down together.
      max_length: maximum tokens in a training row, special tokens included; None: the checkpoint's
        limit. The limit of the trained checkpoint does not change.
      held_back: fraction of the training rows that is not trained on, but picks the best epoch.
      patience: epochs without improvement before training stops; None: never stops early.
      seed: of the split, the order of rows, the new head and the dropout.
      round_weights: "float16" rounds the final weights to values that float16 holds exactly, before
        they are measured. An export stored in float16 is then exact.
      mixed_precision: "auto" is mixed_bfloat16 if TensorFlow sees a GPU that supports it, and
        float32 otherwise.
      jit_compile: whether XLA compiles the training step; None: if TensorFlow sees a GPU.
      save_steps: steps between two saves of the training's state; each epoch's end saves, too.
    Raises: InputError for a value outside its range.
    """

    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 3e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    max_length: int | None = None
    held_back: float = 0.05
    patience: int | None = 2
    seed: int = 0
    round_weights: str | None = None
    mixed_precision: str = "auto"
    jit_compile: bool | None = None
    save_steps: int = 500

    def __post_init__(self) -> None:
        _check("epochs", self.epochs, self.epochs >= 1, "1 or more")
        _check("batch_size", self.batch_size, self.batch_size >= 1, "1 or more")
        _check("learning_rate", self.learning_rate, self.learning_rate > 0, "more than 0")
        _check("warmup", self.warmup, 0 <= self.warmup < 1, "0 or more, and less than 1")
        _check("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more")
        _check("clip_norm", self.clip_norm, self.clip_norm > 0, "more than 0")
        fits = self.max_length is None or self.max_length >= 3
        _check("max_length", self.max_length, fits, "3 or more")
        _check("held_back", self.held_back, 0 < self.held_back < 1, "more than 0 and less than 1")
        _check("patience", self.patience, self.patience is None or self.patience >= 1, "1 or more")
        _check("seed", self.seed, 0 <= self.seed < 2**32, "0 or more, and less than 2**32")
        _check("save_steps", self.save_steps, self.save_steps >= 1, "1 or more")
        known = self.round_weights in _ROUNDINGS
        _check("round_weights", self.round_weights, known, "'float16' or nothing")
        known = self.mixed_precision in _PRECISIONS
        _check("mixed_precision", self.mixed_precision, known, f"one of {', '.join(_PRECISIONS)}")

    def rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of a step, counted from 0, out of `steps`.

        >>> [Recipe(learning_rate=4.0, warmup=0.25).rate_at(step, 8) for step in range(8)]
        [2.0, 4.0, 4.0, 3.333..., 2.666..., 2.0, 1.333..., 0.666...]
        """
        rising = int(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (steps - step) / max(1, steps - rising)

    def to_dict(self) -> dict[str, Any]:
        """Return the part of metrics.json on the recipe."""
        return asdict(self)


def _check(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        option = "--" + name.replace("_", "-")
        raise InputError(
            f"The recipe's {name} is {value!r}; expected {expected}. Correct {option}."
        )
