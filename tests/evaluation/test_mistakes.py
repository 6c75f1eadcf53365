"""The worst mistakes: which are kept, and how much of their texts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfclf.evaluation.mistakes import LONGEST_TEXT, Top, make_readable


@given(values=st.lists(st.integers(0, 9)), size=st.integers(0, 5))
def test_the_highest_are_kept_and_of_equal_ones_the_first(values: list[int], size: int) -> None:
    top: Top[int] = Top(size)
    for position, value in enumerate(values):
        if top.wants(value):
            top.add(value, position)
    assert top.items() == sorted(range(len(values)), key=lambda position: -values[position])[:size]


@given(text=st.text(st.characters()))
def test_any_text_becomes_one_line_that_any_file_takes(text: str) -> None:
    line = make_readable(text)
    line.encode("utf-8")
    assert all(
        character.isprintable() or unicodedata.category(character) in ("Cf", "Co", "Cn", "Zs")
        for character in line
    )
    assert len(line) <= LONGEST_TEXT
    assert line.splitlines() in ([], [line])


@given(text=st.text(st.characters(categories=("L", "Nd", "P")), max_size=LONGEST_TEXT))
def test_a_short_text_of_one_line_stays_as_it_is(text: str) -> None:
    assert make_readable(text) == text


def test_a_long_text_is_cut_and_says_so() -> None:
    assert make_readable("word " * 1_000) == ("word " * 60)[: LONGEST_TEXT - 1].rstrip() + "…"


def test_a_text_of_megabytes_is_cut_too() -> None:
    assert len(make_readable("a" * 10_000_000)) == LONGEST_TEXT


def test_white_space_alone_does_not_hide_that_a_text_goes_on() -> None:
    assert make_readable(" " * 5_000 + "end").endswith("…")


@pytest.mark.parametrize("whole", ["e\u0301", "👩\u200d🚀", "❤\ufe0f"])
def test_a_character_is_not_cut_in_two(whole: str) -> None:
    text = "a" * (LONGEST_TEXT - 2) + whole + "b" * 50
    assert make_readable(text) in (
        "a" * (LONGEST_TEXT - 2) + "…",
        "a" * (LONGEST_TEXT - 2) + whole + "…",
    )


def test_a_direction_cannot_reach_past_the_text() -> None:
    assert make_readable("a\u202eb\u2066c\u2069") == "abc"


def test_right_to_left_text_stays() -> None:
    assert make_readable("مرحبا بالعالم") == "مرحبا بالعالم"
