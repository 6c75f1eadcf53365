"""A chain of normalizers, with a shortcut for pure ASCII text."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfclf.tokenization.ragged import map_halves
from tfclf.tokenization.utf8 import change_where, is_ascii


class Chain(tf.Module):
    """string[n] of valid UTF-8 -> string[n], through all steps in order.

    >>> chain = Chain([tf.strings.lower, tf.strings.strip])
    >>> chain(tf.constant([" News", "A B "])).numpy().tolist()
    [b'news', b'a b']

    Args:
      steps: each string[n] -> string[n]. A step that turns ASCII into ASCII may have a cheaper
        method for it, `on_ascii`; rows of pure ASCII take those methods if all steps have one.
    """

    def __init__(self, steps: Sequence[Callable[[tf.Tensor], tf.Tensor]]) -> None:
        super().__init__()
        self._steps = list(steps)
        shortcuts = [getattr(step, "on_ascii", None) for step in steps]
        use_shortcuts = len(shortcuts) > 1 and all(shortcuts)
        self._on_ascii = [step for step in shortcuts if step] if use_shortcuts else []

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        if len(self._steps) > 1:
            return map_halves(text, self._apply)
        return self._apply_steps(text)

    def _apply(self, text: tf.Tensor) -> tf.Tensor:
        if not self._on_ascii:
            return self._apply_steps(text)
        changed = text
        for step in self._on_ascii:
            changed = step(changed)
        return change_where(~is_ascii(text), text, self._apply_steps, otherwise=changed)

    def _apply_steps(self, text: tf.Tensor) -> tf.Tensor:
        for step in self._steps:
            text = step(text)
        return text
