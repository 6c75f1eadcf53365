r"""Normalizers that are one scan over the text.

>>> Replacement(Replace("``", '"'))(tf.constant(["``a''"])).numpy().tolist()
[b'"a\'\'']
>>> Replacement(ReplaceSpaces("_"))(tf.constant(["a b   c"])).numpy().tolist()
[b'a b_c']
>>> EndStripper(Strip(left=False, right=True))(tf.constant([" a\t\n"])).numpy().tolist()
[b' a']
"""

import tensorflow as tf

from tfclf.tokenization.patterns import literal
from tfclf.tokenization.spec import Replace, ReplaceSpaces, Strip
from tfclf.tokenization.white_space import WHITE_SPACE


class Replacement(tf.Module):
    """string[n] -> string[n]."""

    def __init__(self, step: Replace | ReplaceSpaces) -> None:
        super().__init__()
        if isinstance(step, Replace):
            self._pattern = literal(step.pattern)
        else:
            self._pattern = " {2,}"
        self._content = step.content.replace("\\", r"\\")
        self.on_ascii = self.__call__ if step.content.isascii() else None

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_replace(text, self._pattern, self._content)


class EndStripper(tf.Module):
    """string[n] -> string[n] without white space at the ends."""

    def __init__(self, step: Strip) -> None:
        super().__init__()
        ends = [rf"\A{WHITE_SPACE}+"] * step.left + [rf"{WHITE_SPACE}+\z"] * step.right
        self._pattern = "|".join(ends)

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_replace(text, self._pattern, "") if self._pattern else text
