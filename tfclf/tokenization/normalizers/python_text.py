"""What slow Python tokenizers do to text with Python's own string methods, as that Python does it."""

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.normalizers.character_table import CharacterTable
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import CollapseSpace, EachCharacter, PythonLower
from tfclf.tokenization.utf8 import only_where

_CAPITAL, _SMALL, _FINAL = "\u03a3", "\u03c3", "\u03c2"


class SpaceCollapser(tf.Module):
    """string[n] -> string[n], as `" ".join(text.split())`."""

    def __init__(self, _: CollapseSpace) -> None:
        super().__init__()
        self._space = character_class(code_points.python_space())

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.strip(tf.strings.regex_replace(text, self._space + "+", " "))


class Lower(tf.Module):
    r"""string[n] -> string[n], as `str.lower`.

    A capital sigma is a final one if a cased character comes before it and none after, characters such as
    apostrophes and accents passed over. RE2 has no lookahead, so that followed ones are made small first; twice,
    because the first match takes the follower with it, which may be a capital sigma itself.
    Source: CPython, Objects/unicodeobject.c, `handle_capital_sigma`.
    """

    def __init__(self, _: PythonLower) -> None:
        super().__init__()
        self._table = CharacterTable(EachCharacter(("Lowercase",), "python"))
        cased, ignorable = map(character_class, code_points.around_sigma())
        self._followed = f"{_CAPITAL}({ignorable}*{cased})"
        self._preceded = f"({cased}{ignorable}*){_CAPITAL}"

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        holds_capital = tf.strings.regex_full_match(text, f"(?s).*{_CAPITAL}.*")
        return self._table(only_where(holds_capital, text, self._small_sigmas))

    def _small_sigmas(self, text: tf.Tensor) -> tf.Tensor:
        for _ in range(2):
            text = tf.strings.regex_replace(text, self._followed, rf"{_SMALL}\1")
        return tf.strings.regex_replace(text, self._preceded, rf"\1{_FINAL}")
