"""Words of any text: where they are, and the text without each of them."""

import re
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfclf.explaining.words import find_words, leave_out
from tfclf.sample_texts import hostile_texts

_PARTS = st.sampled_from(
    [
        *" .,!?'-_()\0\n\t\u00a0\u200b\u00ad\u202e",
        "a",
        "Don't",
        "1,000.5",
        "cafe\u0301",
        "\u0301",
        "\u05e9\u05dc\u05d5\u05dd",
        "\u0633\u200c\u0644\u0627\u0645",
        "\u4eca\u65e5\u306f",
        "\u0e2a\u0e27\u0e31\u0e2a",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea",
        "\u2764\ufe0f",
        "\ufffd",
        "\U0010ffff",
        "\ud7ff",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(_PARTS).map("".join))


def _words_of(text: str) -> list[tuple[str, int, int]]:
    words = find_words(tf.constant([text.encode()]))
    columns = (words.text, words.start, words.end)
    return [
        (word.decode(), start, end)
        for word, start, end in zip(*(column.numpy().tolist() for column in columns), strict=True)
    ]


@given(TEXTS)
def test_offsets_are_those_of_python_slices(text: str) -> None:
    for word, start, end in _words_of(text):
        assert text[start:end] == word


@given(TEXTS)
def test_words_stand_in_order_and_apart(text: str) -> None:
    places = [place for _, start, end in _words_of(text) for place in (start, end)]
    assert places == sorted(places)
    assert all(start < end for _, start, end in _words_of(text))


@given(TEXTS)
def test_every_visible_character_is_in_a_word(text: str) -> None:
    covered = {place for _, start, end in _words_of(text) for place in range(start, end)}
    for place, character in enumerate(text):
        if unicodedata.category(character)[0] in "LMNPS":
            assert place in covered


@given(TEXTS)
def test_bytes_are_those_of_the_word(text: str) -> None:
    encoded = text.encode()
    words = find_words(tf.constant([encoded]))
    for word, first, last in zip(
        *(column.numpy().tolist() for column in (words.text, words.first_byte, words.last_byte)),
        strict=True,
    ):
        assert encoded[first:last] == word


@given(st.lists(TEXTS, max_size=4))
def test_a_batch_gives_what_its_texts_give(texts: list[str]) -> None:
    words = find_words(tf.constant([text.encode() for text in texts], tf.string, [len(texts)]))
    rows = words.row.numpy().tolist()
    alone = [one for text in texts for one in _words_of(text)]
    assert rows == [row for row, text in enumerate(texts) for _ in _words_of(text)]
    assert words.start.numpy().tolist() == [start for _, start, _ in alone]
    assert words.end.numpy().tolist() == [end for _, _, end in alone]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don\u2019t stop", ["Don\u2019t", "stop"]),
        ("peace-talks, 1,000.5 US$!", ["peace-talks", ",", "1,000.5", "US", "$", "!"]),
        ("what?! ... no!!", ["what", "?!", "...", "no", "!!"]),
        ("'quoted' -- (x)", ["'", "quoted", "'", "-", "-", "(", "x", ")"]),
        ("snake_case a.b", ["snake_case", "a", ".", "b"]),
        ("\u4eca\u65e5\u306f Tokyo", ["\u4eca", "\u65e5", "\u306f", "Tokyo"]),
        ("\u0e2a\u0e27\u0e31", ["\u0e2a", "\u0e27\u0e31"]),
        ("\u05e9\u05dc\u05d5\u05dd!", ["\u05e9\u05dc\u05d5\u05dd", "!"]),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", ["\u0928\u092e\u0938\u094d\u0924\u0947"]),
        (
            "\U0001f468\u200d\U0001f469\U0001f44d\U0001f3fd",
            ["\U0001f468\u200d\U0001f469", "\U0001f44d\U0001f3fd"],
        ),
        (
            "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
            ["\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"],
        ),
        ("a\0b", ["a", "b"]),
        (" \n\t\u00a0\u200b", []),
        ("", []),
    ],
)
def test_words_are_those_that_a_reader_sees(text: str, expected: list[str]) -> None:
    assert [word for word, _, _ in _words_of(text)] == expected


def test_hostile_texts_have_exact_offsets() -> None:
    for text in hostile_texts(100, seed=11):
        clean = text.encode("utf-8", "replace").decode()
        assert all(clean[start:end] == word for word, start, end in _words_of(clean))


def leave_out_in_python(text: str, start: int, end: int) -> str:
    """Leave a word out as docs/explain.md says it."""
    before, after = text[:start], text[end:]
    closes = re.fullmatch(r"""[,.;:!?)\]}"'\u2019\u201d\u2026]*(?: .*)?""", after, re.DOTALL)
    if before.endswith(" ") and closes:
        before = before[:-1]
    return before + (after if before else after.removeprefix(" "))


@given(TEXTS)
def test_a_word_is_cut_from_the_text_itself(text: str) -> None:
    words = find_words(tf.constant([text.encode()]))
    count = words.start.shape[0]
    without = leave_out(tf.fill([count], text.encode()), words.first_byte, words.last_byte)
    assert [one.decode() for one in without.numpy()] == [
        leave_out_in_python(text, start, end) for _, start, end in _words_of(text)
    ]
