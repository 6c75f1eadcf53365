"""Normalizers one after the other, and the short way for text of nothing but ASCII."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfclf.tokenization.ragged import in_parts
from tfclf.tokenization.utf8 import is_ascii, only_where


class Chain(tf.Module):
    """string[n] of valid UTF-8 -> string[n].

    Args:
      steps: each string[n] -> string[n]. One that turns ASCII into ASCII may have a cheaper way to do so, `on_ascii`.
    """

    def __init__(self, steps: Sequence[Callable[[tf.Tensor], tf.Tensor]]) -> None:
        super().__init__()
        self._steps = list(steps)
        ways = [getattr(step, "on_ascii", None) for step in steps]
        self._on_ascii = [way for way in ways if way] if len(ways) > 1 and all(ways) else []

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return in_parts(text, self._rows) if len(self._steps) > 1 else self._all(text)

    def _rows(self, text: tf.Tensor) -> tf.Tensor:
        if not self._on_ascii:
            return self._all(text)
        changed = text
        for step in self._on_ascii:
            changed = step(changed)
        return only_where(~is_ascii(text), text, self._all, otherwise=changed)

    def _all(self, text: tf.Tensor) -> tf.Tensor:
        for step in self._steps:
            text = step(text)
        return text
