"""Byte-level BPE gives the Rust library's words and ids (tokenizers 0.22), for any merges."""

import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfclf._transformers import tokenizers
from tfclf.errors import VocabularyError
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.saved_model.ops import ALL_VERSIONS, serving_versions
from tfclf.tokenization.models.byte_alphabet import byte_of
from tfclf.tokenization.models.byte_bpe import ByteBpeModel
from tfclf.tokenization.ragged import merge_inner
from tfclf.tokenization.spec import ByteBpe, ByteLevel
from tfclf.tokenization.splitters.byte_level import ByteLevelSplitter

_ALPHABET = tuple(byte_of())
_BYTES = byte_of()
# Words and spaces in every context that the pattern distinguishes.
_TRICKY = (
    st.text(st.sampled_from("a1!' \n\t\u00a0\u0085\u3000slL\u00e9\u0301\u0663\0\x7f")) | st.text()
)


class _Graph(tf.Module):
    """string[batch] -> int32[batch, (pieces)]: splitter and model alone."""

    def __init__(self, splitter: ByteLevel, model: ByteBpe) -> None:
        super().__init__()
        self._split = ByteLevelSplitter(splitter)
        self._model = ByteBpeModel(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        words = self._split(text)
        return merge_inner(self._model(words.values), tf.cast(words.row_splits, tf.int32))


class _Pair:
    """The same splitter and model, ours and the reference's."""

    def __init__(self, splitter: ByteLevel, model: ByteBpe) -> None:
        self.ours = _Graph(splitter, model)
        self.reference = tokenizers().Tokenizer(_reference_model(model))
        self.reference.pre_tokenizer = _reference_splitter(splitter)

    def differences(self, texts: Iterable[str]) -> Iterator[tuple[str, list[int], list[int]]]:
        texts = iter(texts)
        while batch := list(itertools.islice(texts, 1000)):
            ours = self.ours(_to_tensor(batch)).to_list()
            for text, found, encoding in zip(
                batch, ours, self.reference.encode_batch(batch), strict=True
            ):
                if found != encoding.ids:
                    yield text, found, encoding.ids


def _reference_model(model: ByteBpe) -> Any:
    ids = {piece: index for index, piece in enumerate(model.vocabulary)}
    return tokenizers().models.BPE(
        vocab=ids, merges=list(model.merges), ignore_merges=model.ignore_merges
    )


def _reference_splitter(splitter: ByteLevel) -> Any:
    return tokenizers().pre_tokenizers.ByteLevel(
        add_prefix_space=splitter.add_prefix_space, use_regex=splitter.use_regex
    )


def _to_tensor(texts: Sequence[str | bytes]) -> tf.Tensor:
    return tf.constant(
        [text.encode() if isinstance(text, str) else text for text in texts],
        tf.string,
        [len(texts)],
    )


def _model(merges: Sequence[tuple[str, str]], **options: Any) -> ByteBpe:
    pieces = dict.fromkeys([*_ALPHABET, *(piece for a, b in merges for piece in (a, b, a + b))])
    return ByteBpe(vocabulary=tuple(pieces), merges=tuple(merges), **options)


@pytest.fixture(scope="module")
def trained() -> ByteBpe:
    """A vocabulary trained on this project's own headlines."""
    tokenizer = tokenizers().Tokenizer(tokenizers().models.BPE())
    tokenizer.pre_tokenizer = tokenizers().pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers().trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=list(_ALPHABET),
        show_progress=False,
        special_tokens=["<s>", "</s>"],
    )
    tokenizer.train_from_iterator(HEADLINES, trainer)
    content = json.loads(tokenizer.to_str())["model"]
    return ByteBpe(
        vocabulary=tuple(sorted(content["vocab"], key=content["vocab"].__getitem__)),
        merges=tuple((left, right) for left, right in content["merges"]),
    )


@pytest.fixture(scope="module")
def small(trained: ByteBpe) -> _Pair:
    return _Pair(ByteLevel(), trained)


@pytest.fixture(scope="module")
def published(shared: Path) -> ByteBpe:
    folder = shared / "vocab" / "roberta-base"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [
        (left, right) for left, _, right in (line.partition(" ") for line in lines[1:]) if right
    ]
    return ByteBpe(
        vocabulary=tuple(sorted(vocabulary, key=vocabulary.__getitem__)), merges=tuple(merges)
    )


@pytest.fixture(scope="module")
def roberta(published: ByteBpe) -> _Pair:
    return _Pair(ByteLevel(), published)


@pytest.fixture(scope="module", params=[False, True], ids=["", "add_prefix_space"])
def splitters(request: pytest.FixtureRequest) -> tuple[ByteLevelSplitter, Any]:
    spec = ByteLevel(add_prefix_space=request.param)
    return ByteLevelSplitter(spec), _reference_splitter(spec)


def _check_words(splitters: tuple[ByteLevelSplitter, Any], texts: Sequence[str]) -> None:
    ours, reference = splitters
    expected = [
        [
            bytes(_BYTES[character] for character in word)
            for word, _ in reference.pre_tokenize_str(text)
        ]
        for text in texts
    ]
    assert ours(_to_tensor(texts)).to_list() == expected


def test_words_equal_on_hostile_strings(splitters: tuple[ByteLevelSplitter, Any]) -> None:
    _check_words(splitters, list(hostile_texts(1_000, seed=1)))


@given(st.lists(_TRICKY, max_size=4))
def test_words_equal_on_any_text(
    splitters: tuple[ByteLevelSplitter, Any], texts: list[str]
) -> None:
    _check_words(splitters, texts)


@pytest.mark.parametrize(
    "space", [" ", "\n", "\t", "\x0b", "\x0c", "\r", "\x1c", "\x85", "\u00a0", "\u200b", "\u3000"]
)
def test_the_last_white_space_before_a_word_is_set_apart(
    splitters: tuple[ByteLevelSplitter, Any], space: str
) -> None:
    runs = [space, space * 2, space * 5, f" {space}", f"{space} ", f" {space} {space}"]
    _check_words(
        splitters,
        [
            f"{start}{run}{end}"
            for run in runs
            for start in ("", "a")
            for end in ("", "b", "1", "'s")
        ],
    )


@pytest.mark.parametrize(
    "tail", ["s", "t", "re", "ve", "m", "ll", "d", "S", "RE", "sx", "rex", "l", "v"]
)
def test_contractions_equal(splitters: tuple[ByteLevelSplitter, Any], tail: str) -> None:
    _check_words(
        splitters,
        [f"{start}'{tail}" for start in ("", "I", " ", "  ", "1", "!", "'", "\n", "\u2019", "I'm")],
    )


@pytest.mark.sample(False)
def test_every_code_point_is_in_the_reference_class(
    splitters: tuple[ByteLevelSplitter, Any],
) -> None:
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    dice = random.Random(0)
    dice.shuffle(points)
    texts = [
        "".join(f"{dice.choice('a1! ')}{chr(point)}" for point in points[start : start + 1000])
        for start in range(0, len(points), 8_000)
    ]
    _check_words(splitters, texts)


def test_without_the_pattern_the_whole_text_is_one_word(trained: ByteBpe) -> None:
    for spaced in (False, True):
        pair = _Pair(ByteLevel(add_prefix_space=spaced, use_regex=False), trained)
        assert list(pair.differences(hostile_texts(200, seed=4))) == []


def test_ids_equal_on_hostile_strings(small: _Pair) -> None:
    assert list(small.differences(hostile_texts(1_500, seed=1))) == []


def test_ids_equal_with_a_prefix_space(trained: ByteBpe) -> None:
    pair = _Pair(ByteLevel(add_prefix_space=True), trained)
    assert (
        list(pair.differences([*hostile_texts(500, seed=2), "", " ", "\n", "\u00a0a", " a", "a"]))
        == []
    )


@given(st.lists(_TRICKY, max_size=4))
def test_ids_equal_on_any_text(small: _Pair, texts: list[str]) -> None:
    assert list(small.differences(texts)) == []


def test_every_byte_of_text_equals(small: _Pair) -> None:
    text = "".join(
        map(chr, [*range(0x800), 0xFFFF, 0x10000, 0x40000, 0x80000, 0xC0000, 0x100000, 0x10FFFF])
    )
    assert {*text.encode()} == {
        *range(0xC0),
        *range(0xC2, 0xE0),
        0xEF,
        0xF0,
        0xF1,
        0xF2,
        0xF3,
        0xF4,
    }
    assert list(small.differences([text, *text, "\0\0", "a\0b", "\0a \0"])) == []


@pytest.mark.parametrize("letter", ["a", "\u00e9", " ", "\0"])
def test_words_of_a_hundred_thousand_letters_equal(small: _Pair, letter: str) -> None:
    assert list(small.differences([letter * 100_000])) == []


def test_a_text_of_ten_megabytes_equals(small: _Pair) -> None:
    """The reference takes 20 seconds for it, so it is asked about one period only."""
    period, times = "news \u00e9 ", 1_300_000
    *first, space = small.reference.encode(period).ids
    again = small.reference.encode(period * 2).ids[len(first) : -1]
    assert small.ours(_to_tensor([period * times])).to_list() == [
        [*first, *again * (times - 1), space]
    ]


def test_an_empty_batch_gives_no_rows(small: _Pair) -> None:
    assert small.ours(_to_tensor([])).to_list() == []


# Merges that no training writes: a piece made in several ways, or only in a way that another merge
# prevents; parts made later than the whole; a pair listed twice.
_ODD_MERGES = {
    "two ways, the second is taken": [
        ("b", "c"),
        ("a", "b"),
        ("ab", "c"),
        ("a", "bc"),
        ("bc", "d"),
    ],
    "two ways, ranks far apart": [
        ("a", "b"),
        ("b", "c"),
        ("ab", "c"),
        ("c", "d"),
        ("abc", "d"),
        ("a", "bc"),
    ],
    "never made": [("a", "b"), ("b", "c"), ("c", "d"), ("a", "bc"), ("abc", "d")],
    "neighbours that spell a piece without a merge": [
        ("b", "c"),
        ("a", "b"),
        ("ab", "c"),
        ("d", "a"),
    ],
    "wholes before parts": [("ab", "cd"), ("abcd", "e"), ("c", "d"), ("a", "b")],
    "listed twice": [("a", "b"), ("b", "c"), ("c", "d"), ("a", "b")],
    "parts that nothing makes": [("a", "b"), ("bcd", "a"), ("c", "d")],
    "twins": [("a", "a"), ("aa", "aa"), ("aa", "a"), ("a", "aaa")],
}
_SHORT_WORDS = [
    "".join(letters)
    for length in range(1, 7)
    for letters in itertools.product("abcd", repeat=length)
]
_SHORT_WORDS_OF_THREE = [word for word in _SHORT_WORDS if "d" not in word]


@pytest.mark.parametrize("ignore_merges", [False, True], ids=["", "ignore_merges"])
@pytest.mark.parametrize("merges", _ODD_MERGES.values(), ids=_ODD_MERGES.keys())
def test_odd_merges_equal_on_every_short_word(
    merges: list[tuple[str, str]], ignore_merges: bool
) -> None:
    _check_model(_model(merges, ignore_merges=ignore_merges), [*_SHORT_WORDS, "abcde"])


def _check_model(model: ByteBpe, words: Sequence[str]) -> None:
    reference = _reference_model(model)
    expected = [[token.id for token in reference.tokenize(word)] for word in words]
    assert ByteBpeModel(model)(_to_tensor(words)).to_list() == expected


@st.composite
def _any_merges(draw: st.DrawFn) -> list[tuple[str, str]]:
    pieces = list("abc")
    merges: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(1, 14))):
        pair = (draw(st.sampled_from(pieces)), draw(st.sampled_from(pieces)))
        merges.append(pair)
        pieces = list(dict.fromkeys([*pieces, "".join(pair)]))
    return draw(st.permutations(merges))


@given(
    _any_merges(),
    st.booleans(),
    st.lists(st.text(st.sampled_from("abc"), min_size=6, max_size=40), max_size=200),
)
def test_any_list_of_merges_in_any_order_equals(
    merges: list[tuple[str, str]], ignore_merges: bool, words: list[str]
) -> None:
    model = _model(merges, ignore_merges=ignore_merges)
    _check_model(model, [*_SHORT_WORDS_OF_THREE, *words])


def test_pieces_that_are_no_bytes_are_never_met(trained: ByteBpe) -> None:
    odd = ("\u4e00", "<mask>", "\u0120\u2581", "x y")
    model = ByteBpe((*trained.vocabulary, *odd), trained.merges, ignore_merges=True)
    assert list(_Pair(ByteLevel(), model).differences(["\u4e00 <mask> \u2581 x y<s></s>"])) == []


def test_a_byte_that_no_text_holds_may_be_missing(trained: ByteBpe) -> None:
    unused = {
        character
        for character, byte in byte_of().items()
        if byte in (0xC0, 0xC1, *range(0xF5, 0x100))
    }
    model = ByteBpe(
        tuple(piece for piece in trained.vocabulary if piece not in unused), trained.merges
    )
    assert len(model.vocabulary) == len(trained.vocabulary) - 13
    assert list(_Pair(ByteLevel(), model).differences(hostile_texts(500, seed=5))) == []


def test_a_missing_byte_is_told(trained: ByteBpe) -> None:
    model = ByteBpe(tuple(piece for piece in trained.vocabulary if piece not in "\u0120Z"), ())
    with pytest.raises(
        VocabularyError, match="lacks 2 of the byte characters, the first of them for byte 0x20"
    ):
        ByteBpeModel(model)


@pytest.mark.parametrize(
    ("merge", "missing"), [(("zq", "x"), "zq"), (("x", "zq"), "zq"), (("x", "q"), "xq")]
)
def test_a_merge_of_pieces_that_the_vocabulary_lacks_is_told(
    trained: ByteBpe, merge: tuple[str, str], missing: str
) -> None:
    with pytest.raises(
        VocabularyError, match=rf"merge {len(trained.merges) + 1} joins .* lacks '{missing}'"
    ):
        ByteBpeModel(ByteBpe(trained.vocabulary, (*trained.merges, merge)))


def test_an_export_gives_the_same_ids_with_ops_that_every_tf_serving_knows(
    small: _Pair, tmp_path: Path
) -> None:
    tf.saved_model.save(small.ours, str(tmp_path), signatures=None)
    assert serving_versions(tmp_path / "saved_model.pb") == ALL_VERSIONS
    texts = _to_tensor(list(hostile_texts(500, seed=6)))
    assert tf.saved_model.load(str(tmp_path))(texts).to_list() == small.ours(texts).to_list()


def test_ids_equal_on_real_rows(roberta: _Pair, ag_news: list[str]) -> None:
    """test_full_counts.py takes all rows."""
    assert list(roberta.differences(ag_news[:1_000])) == []


def test_ids_equal_on_hostile_strings_for_the_published_vocabulary(roberta: _Pair) -> None:
    assert list(roberta.differences(hostile_texts(1_000, seed=7))) == []


def test_published_pieces_as_words_equal(roberta: _Pair, published: ByteBpe) -> None:
    """Each piece alone and next to the following one, where neighbours may spell another piece."""
    texts = [
        bytes(_BYTES[character] for character in piece).decode(errors="replace")
        for piece in published.vocabulary
    ]
    near = [f"{a.strip()}{b.strip()}" for a, b in itertools.pairwise(texts)]
    assert list(roberta.differences([*texts[::3], *near[::3]])) == []
