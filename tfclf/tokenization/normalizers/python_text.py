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
        space = code_points.python_space()
        # Single spaces, nearly all there is, stay as they are: each replacement costs more than the scan between two.
        others = character_class(point for point in space if chr(point) != " ")
        self._run = f"{character_class(space)}{{2,}}|{others}"

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.strip(tf.strings.regex_replace(text, self._run, " "))

    on_ascii = __call__


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

    def on_ascii(self, text: tf.Tensor) -> tf.Tensor:
        """The same for rows of nothing but ASCII."""
        return self._table.on_ascii(text)

    def _small_sigmas(self, text: tf.Tensor) -> tf.Tensor:
        for _ in range(2):
            text = tf.strings.regex_replace(text, self._followed, rf"{_SMALL}\1")
        return tf.strings.regex_replace(text, self._preceded, rf"\1{_FINAL}")
