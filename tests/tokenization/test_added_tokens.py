"""Added tokens match as in the Rust tokenizers (tokenizers 0.22), whatever stands beside them."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.checkpoints import (
    DEMO_FILES,
    edit_json,
    write_json,
    write_small_tokenizer,
    write_tokenizer,
)
from tests.tokenization.reference import Pair
from tfclf.tokenization import code_points

_CONTENTS = ("<e>", "<ee>", "e1", "\u00e9", "a b")
_BESIDE = (
    "",
    " ",
    "x",
    "1",
    "_",
    "\u00e9",
    "\u0301",
    "\u4e2d",
    "-",
    "\u00a0",
    "\u2028\t",
    "\u200d",
    "\x1c",
    "\n",
)
# In `make test` none, each alone, and all.
_FLAGS = [
    flags if sum(flags) in (0, 1, 4) else pytest.param(flags, marks=pytest.mark.verify)
    for flags in itertools.product([False, True], repeat=4)
]


@pytest.fixture(
    scope="module",
    params=_FLAGS,
    ids=lambda flags: "".join("lrwn"[i] for i in range(4) if flags[i]),
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A tokenizer whose added tokens all have the same flags."""
    left, right, single_word, normalized = request.param
    folder = tmp_path_factory.mktemp("added")
    write_small_tokenizer(folder)
    write_json(folder / "config.json", {"model_type": "distilbert"})
    flags = {
        "lstrip": left,
        "rstrip": right,
        "single_word": single_word,
        "normalized": normalized,
        "special": False,
    }
    added = {
        str(2000 + place): {"content": content, **flags} for place, content in enumerate(_CONTENTS)
    }
    edit_json(folder / "tokenizer_config.json", added_tokens_decoder=added)
    return Pair(folder)


def test_every_neighbour_is_treated_as_the_reference_treats_it(pair: Pair) -> None:
    texts = [
        f"{one}{token}{two}" for one, token, two in itertools.product(_BESIDE, _CONTENTS, _BESIDE)
    ]
    assert list(pair.differences(texts)) == []


def test_tokens_beside_tokens_are_found(pair: Pair) -> None:
    texts = [
        f"x{one}{gap}{two}{gap}{one}y"
        for one in _CONTENTS
        for two in _CONTENTS
        for gap in ("", " ", "z", "  ")
    ]
    assert list(pair.differences(texts)) == []


@given(pieces=st.lists(st.sampled_from([*_CONTENTS, *_BESIDE, "e", "<", "news"]), max_size=9))
def test_any_mixture_equals(pair: Pair, pieces: list[str]) -> None:
    assert list(pair.differences(["".join(pieces)])) == []


def test_word_characters_are_letters_digits_marks_and_connectors() -> None:
    words = set(code_points.word_characters())
    assert {ord(character) for character in "aZ0_\u00e9\u0301\u4e2d"} <= words
    assert not {ord(character) for character in " -.|<\u00a0\u2028"} & words


def test_an_added_token_may_replace_a_piece(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, vocabulary=DEMO_FILES / "vocab.txt")
    write_json(tmp_path / "config.json", {"model_type": "distilbert"})
    entry = {
        "content": "talks",
        "lstrip": True,
        "rstrip": True,
        "single_word": True,
        "normalized": True,
    }
    edit_json(
        tmp_path / "tokenizer_config.json",
        added_tokens_decoder={"7566": {**entry, "special": False}},
    )
    assert (
        list(
            Pair(tmp_path).differences(
                ["Talks", "peace-talks", "talks.", "smalltalks", " talks talks "]
            )
        )
        == []
    )
