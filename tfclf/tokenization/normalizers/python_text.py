"""Text cleaning that slow Python tokenizers do with Python's own string methods.

The tables come from the Python that makes the export.
"""

import tensorflow as tf

from tfclf.tokenization import code_points
from tfclf.tokenization.normalizers.character_table import CharacterTable
from tfclf.tokenization.patterns import character_class
from tfclf.tokenization.spec import CollapseSpace, EachCharacter, PythonLower
from tfclf.tokenization.utf8 import change_where

_CAPITAL, _SMALL, _FINAL = "\u03a3", "\u03c3", "\u03c2"


class SpaceCollapser(tf.Module):
    r"""string[n] -> string[n], as `" ".join(text.split())` does.

    >>> SpaceCollapser(CollapseSpace())(tf.constant([" a \t b\u3000c "])).numpy().tolist()
    [b'a b c']
    """

    def __init__(self, _: CollapseSpace) -> None:
        super().__init__()
        space = code_points.python_space()
        # Single spaces, nearly all there are, stay: a replacement costs more than the scan to it.
        others = character_class(point for point in space if chr(point) != " ")
        self._run = f"{character_class(space)}{{2,}}|{others}"

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        return tf.strings.strip(tf.strings.regex_replace(text, self._run, " "))

    on_ascii = __call__


class Lower(tf.Module):
    r"""string[n] -> string[n], as `str.lower` does.

    A capital sigma becomes final if a cased character comes before it and none after; apostrophes,
    accents and the like are skipped. RE2 has no lookahead, so sigmas followed by a cased character
    become small first. That pass runs twice, because a match consumes the follower, which may be a
    capital sigma itself.

    >>> lower = Lower(PythonLower())
    >>> [row.decode() for row in lower(tf.constant(["\u03a3\u0391\u03a3 \u03a3\u03a3"])).numpy()]
    ['\u03c3\u03b1\u03c2 \u03c3\u03c2']

    Source: CPython, Objects/unicodeobject.c, `handle_capital_sigma`.
    """

    def __init__(self, _: PythonLower) -> None:
        super().__init__()
        self._table = CharacterTable(EachCharacter(("Lowercase",), "python"))
        cased, ignorable = map(character_class, code_points.cased_and_ignorable())
        self._followed = f"{_CAPITAL}({ignorable}*{cased})"
        self._preceded = f"({cased}{ignorable}*){_CAPITAL}"

    def __call__(self, text: tf.Tensor) -> tf.Tensor:
        holds_capital = tf.strings.regex_full_match(text, f"(?s).*{_CAPITAL}.*")
        return self._table(change_where(holds_capital, text, self._lower_sigmas))

    def on_ascii(self, text: tf.Tensor) -> tf.Tensor:
        """Lower-case rows of pure ASCII."""
        return self._table.on_ascii(text)

    def _lower_sigmas(self, text: tf.Tensor) -> tf.Tensor:
        for _ in range(2):
            text = tf.strings.regex_replace(text, self._followed, rf"{_SMALL}\1")
        return tf.strings.regex_replace(text, self._preceded, rf"\1{_FINAL}")
