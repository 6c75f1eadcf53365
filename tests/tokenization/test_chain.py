"""A chain of normalizers: ASCII takes a shortcut, which must give the same result."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf

from tfclf.sample_texts import HEADLINES
from tfclf.tokenization.normalizers.chain import Chain
from tfclf.tokenization.normalizers.character_table import CharacterTable
from tfclf.tokenization.normalizers.python_text import Lower, SpaceCollapser
from tfclf.tokenization.normalizers.replacement import Replacement
from tfclf.tokenization.spec import CollapseSpace, EachCharacter, PythonLower, Replace

_NFKD = EachCharacter(("NFKD", "StripCombining"), "python")
_STEPS: dict[str, Callable[[], Any]] = {
    "white space": lambda: SpaceCollapser(CollapseSpace()),
    "quotes": lambda: Replacement(Replace("``", '"')),
    "NFKD": lambda: CharacterTable(_NFKD),
    "lower case": lambda: Lower(PythonLower()),
}
_ASCII = [chr(point) for point in range(128)]
# Every pair of ASCII characters, alone and between letters.
_PAIRS = ["".join(pair) for pair in itertools.product(_ASCII, repeat=2)]


@pytest.mark.parametrize("name", sorted(_STEPS))
def test_the_short_way_comes_to_the_same_for_every_pair_of_ascii_characters(name: str) -> None:
    step = _STEPS[name]()
    texts = tf.constant([*_PAIRS, *(f"a{pair}B" for pair in _PAIRS), *HEADLINES])
    assert bool(tf.reduce_all(tf.equal(step.on_ascii(texts), step(texts))))


def test_white_space_is_collapsed_as_python_does() -> None:
    texts = [f"a{pair}b {pair}" for pair in _PAIRS] + ["\u3000a\u3000b \u2003 c\u00a0"]
    found = SpaceCollapser(CollapseSpace())(tf.constant(texts)).numpy()
    assert [text.decode() for text in found] == [" ".join(text.split()) for text in texts]


def test_rows_beyond_ascii_take_the_long_way_beside_others() -> None:
    chain = Chain([make() for make in _STEPS.values()])
    texts = ["A  ``b''", "\u00c9t\u00e9  \u03a3\u0391\u03a3", "", "C"]
    assert [text.decode() for text in chain(tf.constant(texts)).numpy()] == [
        "a \"b''",
        "ete \u03c3\u03b1\u03c2",
        "",
        "c",
    ]


def test_what_makes_other_than_ascii_leaves_no_short_way() -> None:
    chain = Chain([Replacement(Replace("a", "\u00c9")), Lower(PythonLower())])
    assert chain(tf.constant(["xa"])).numpy()[0].decode() == "x\u00e9"
