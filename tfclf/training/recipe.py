"""Hyper-parameters, as one record that is written beside what it made."""

from dataclasses import asdict, dataclass
from typing import Any

from tfclf.errors import InputError

_ROUNDINGS = (None, "float16")
_PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune. The defaults are those of Devlin et al. 2019 (arXiv:1810.04805, A.3).

    Attributes:
      epochs: passes over the training rows, at most.
      batch_size: rows a step.
      learning_rate: its peak, after the warm-up; from there it falls linearly to 0 at the last step.
      warmup: share of all steps in which the rate rises linearly from 0.
      weight_decay: decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101); none on biases and layer norms.
      clip_norm: the norm to which a step's gradients are scaled down together.
      max_length: tokens in a training row, special tokens included; None: as many as the checkpoint takes.
        The checkpoint's own limit stays as it is.
      held_back: share of the training rows that is not trained on, and picks the best epoch.
      patience: epochs without a better one before training stops; None: never stops early.
      seed: of the split, the order of rows, the new head and the dropout.
      round_weights: "float16" rounds the final weights to values that float16 holds exactly, before they are
        measured, so that an export stored in float16 is exact.
      mixed_precision: "auto" is mixed_bfloat16 where TensorFlow sees a GPU that has it, float32 elsewhere.
      jit_compile: whether XLA compiles the training step; None: where TensorFlow sees a GPU.
      save_steps: steps between two saves of a training's state; each epoch's end saves, too.
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
        _check(
            "max_length",
            self.max_length,
            self.max_length is None or self.max_length >= 3,
            "3 or more",
        )
        _check("held_back", self.held_back, 0 < self.held_back < 1, "more than 0 and less than 1")
        _check("patience", self.patience, self.patience is None or self.patience >= 1, "1 or more")
        _check("seed", self.seed, 0 <= self.seed < 2**32, "0 or more, and less than 2**32")
        _check("save_steps", self.save_steps, self.save_steps >= 1, "1 or more")
        _check(
            "round_weights",
            self.round_weights,
            self.round_weights in _ROUNDINGS,
            "'float16' or nothing",
        )
        known = self.mixed_precision in _PRECISIONS
        _check("mixed_precision", self.mixed_precision, known, f"one of {', '.join(_PRECISIONS)}")

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0, out of `steps`.

        >>> [Recipe(learning_rate=4.0, warmup=0.25).rate_at(step, 8) for step in range(8)]
        [2.0, 4.0, 4.0, 3.333..., 2.666..., 2.0, 1.333..., 0.666...]
        """
        rising = int(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * (steps - step) / max(1, steps - rising)

    def to_dict(self) -> dict[str, Any]:
        """As metrics.json has it."""
        return asdict(self)


def _check(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        option = "--" + name.replace("_", "-")
        raise InputError(
            f"The recipe's {name} is {value!r}; expected {expected}. Correct {option}."
        )
