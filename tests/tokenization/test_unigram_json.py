"""Unigram of tokenizer.json gives the Rust ids (tokenizers 0.22, transformers 4.57)."""

import base64
import itertools
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import corpora
from samples.checkpoints import edit_json, write_json
from samples.tokenizers import ALBERT_SPLIT, PUBLISHED
from tests.tokenization.reference import Pair
from tfclf._transformers import tokenizers, transformers
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.tokenization.models import cuts
from tfclf.tokenization.models.unigram_words import UnigramWordsModel
from tfclf.tokenization.normalizers import charsmap, graphemes
from tfclf.tokenization.normalizers.precompiled import PrecompiledRules
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import Precompiled, UnigramWords

Content = dict[str, Any]

_MARK = "\u2581"
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_SPACES = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
_METASPACE = {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": "always", "split": True}
_TRICKY = (
    "",
    " ",
    "a\r\nb \r\n\r\n c",
    "cafe\u0301 e\u0301\u0302 \u212b\u0302",
    "a  b   c ",
    "\ta\u00a0b\u3000",
    "``quoted'' text",
    f"{_MARK}a {_MARK}{_MARK}b c{_MARK}",
    "<mask> x  <mask>y [MASK]",
    "\uff1cs\uff1e \uff1cpad\uff1e \uff1cunk\uff1ex",
    "a\0b \0",
    "\u0915\u094d\u0915\u0301 \u00a9\u200d\u00a9\u0301 \u0600a\u0301",
    "aaaaaaaaaaaaaaa ....... hahahaha",
    "\u0130stanbul STRASSE \u1e9e",
)


def _charsmap(rules: Mapping[str, str]) -> str:
    """Write a charsmap in base64: here each trie node has a block of 256 units."""
    nodes: dict[bytes, int] = {b"": 0}
    for key in rules:
        for length in range(1, len(key.encode()) + 1):
            nodes.setdefault(key.encode()[:length], len(nodes))
    texts = b"\0".join(text.encode() for text in rules.values()) + b"\0"
    starts, at = {}, 0
    for key, text in rules.items():
        starts[key.encode()] = at
        at += len(text.encode()) + 1
    place = {b"": 0}
    for node in sorted(nodes, key=len):
        if node:
            block = 256 * (nodes[node[:-1]] + 1)
            place[node] = block | ((place[node[:-1]] & 0xFF) ^ node[-1])
    units = [1 << 31] * (256 * (len(nodes) + 1))
    for node, own in place.items():
        block = 256 * (nodes[node] + 1)
        leaf = node in starts
        units[own] = ((own ^ block) >> 8) << 10 | 1 << 9 | (node[-1] if node else 0) | (leaf << 8)
        if leaf:
            units[block | (own & 0xFF)] = 1 << 31 | starts[node]
    raw = b"".join(unit.to_bytes(4, "little") for unit in units)
    return base64.b64encode(len(raw).to_bytes(4, "little") + raw + texts).decode()


_RULES = {
    **{chr(point): "" for point in (*range(1, 9), 0x0B, *range(0x0E, 0x20), 0x7F)},
    **dict.fromkeys("\t\n\f\r\u00a0\u3000", " "),
    "\u212b": "\u00c5",
    "e\u0301": "\u00e9",
    "a\u0300": "\u00e0",
    "\ufb01": "fi",
    "\uff1c": "<",
    "\uff1e": ">",
    "\u2026": "...",
    "\u0915": "\u0915",
}


def _texts() -> list[str]:
    return [
        *HEADLINES,
        *Path(__file__).read_text(encoding="utf-8").splitlines(),
        *charsmap.__doc__.splitlines(),
    ]


@pytest.fixture(scope="module")
def pieces() -> list[tuple[str, float]]:
    """A small Unigram model trained on this project's own texts."""
    package = tokenizers()
    tokenizer = package.Tokenizer(package.models.Unigram())
    tokenizer.pre_tokenizer = package.pre_tokenizers.Metaspace()
    trainer = package.trainers.UnigramTrainer(
        vocab_size=900, special_tokens=list(_SPECIAL), unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    found = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [(piece, score) for piece, score in found if piece != "<mask>"]


def _content(pieces: list[tuple[str, float]], **changes: Any) -> Content:
    flags = {"single_word": False, "rstrip": False, "special": True}
    added = [
        {"id": place, "content": content, "lstrip": False, "normalized": False, **flags}
        for place, content in enumerate(_SPECIAL)
    ]
    added.append(
        {"id": len(pieces), "content": "<mask>", "lstrip": True, "normalized": True, **flags}
    )
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": _charsmap(_RULES)},
        "pre_tokenizer": _METASPACE,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}},
        },
        "decoder": None,
        "model": {
            "type": "Unigram",
            "unk_id": 3,
            "vocab": [*pieces, ("<mask>", 0.0)],
            "byte_fallback": False,
        },
        **changes,
    }


def _write(folder: Path, content: Content) -> Path:
    write_json(folder / "tokenizer.json", content)
    tokens = {
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
        "eos_token": "</s>",
    }
    write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **tokens}
    )
    return folder


def _steps(*steps: Content) -> Content:
    return {"type": "Sequence", "normalizers": list(steps)}


_PRECOMPILED = {"type": "Precompiled", "precompiled_charsmap": _charsmap(_RULES)}
_LAYOUTS: Mapping[str, Content] = {
    "XLM-R on the hub": {},
    "XLM-R saved by transformers 4.57": {
        "normalizer": _steps(
            _PRECOMPILED,
            {"type": "Strip", "strip_left": False, "strip_right": True},
            {**_SPACES, "content": _MARK},
        ),
    },
    "ALBERT and XLNet on the hub": {
        "normalizer": _steps(
            {"type": "Replace", "pattern": {"String": "``"}, "content": '"'},
            {"type": "Replace", "pattern": {"String": "''"}, "content": '"'},
            {"type": "NFKD"},
            {"type": "StripAccents"},
            {"type": "Lowercase"},
            _PRECOMPILED,
            _SPACES,
        ),
        "pre_tokenizer": ALBERT_SPLIT,
    },
    "DeBERTa-v2": {
        "normalizer": _steps(
            {"type": "Lowercase"},
            {"type": "Strip", "strip_left": True, "strip_right": True},
            _PRECOMPILED,
            _SPACES,
        ),
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [_METASPACE]},
    },
    "no normalizer, no prefix": {
        "normalizer": None,
        "pre_tokenizer": {**_METASPACE, "prepend_scheme": "never"},
    },
}


@pytest.fixture(scope="module", params=sorted(_LAYOUTS))
def small(
    request: pytest.FixtureRequest, pieces: list[tuple[str, float]], tmp_path_factory: Any
) -> Pair:
    return Pair(
        _write(tmp_path_factory.mktemp("small"), _content(pieces, **_LAYOUTS[request.param]))
    )


@pytest.mark.parametrize("hostile", [100, pytest.param(1_000, marks=pytest.mark.verify)])
def test_ids_equal_on_tricky_and_hostile_strings(small: Pair, hostile: int) -> None:
    assert list(small.differences([*_TRICKY, *_texts(), *hostile_texts(hostile, seed=11)])) == []


@given(st.lists(st.text(), max_size=4))
def test_ids_equal_on_any_text(small: Pair, texts: list[str]) -> None:
    assert list(small.differences(texts)) == []


def test_an_empty_batch_gives_no_rows(small: Pair) -> None:
    assert list(small.rows([])) == []


def _albert_converted(shared: Path, folder: Path) -> Path:
    model = str(shared / "vocab" / "albert-base-v2" / "spiece.model")
    transformers().AlbertTokenizerFast(model).save_pretrained(folder)
    write_json(folder / "config.json", {"model_type": "albert"})
    return folder


_ORIGINAL: Mapping[str, Callable[[Path, Path], Path]] = {
    **{
        name: PUBLISHED[name]
        for name in ("albert-base-v2, tokenizer.json", "xlm-roberta-base, tokenizer.json")
    },
    "albert, converted by transformers": _albert_converted,
}


@pytest.fixture(scope="module", params=sorted(_ORIGINAL))
def original(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    """The published vocabularies as tokenizer.json."""
    folder = _ORIGINAL[request.param](shared, tmp_path_factory.mktemp("original"))
    return Pair(folder, whole=True)


@pytest.mark.verify
def test_ids_equal_for_the_published_vocabularies(original: Pair, shared: Path) -> None:
    rows = [*corpora.ag_news(shared)[:100], *corpora.allocine(shared)[:50]]
    texts = [*_TRICKY, *rows, *corpora.hostile(300, seed=3, rows=rows)]
    assert list(original.differences(texts)) == []


def test_the_charsmap_is_decoded_as_the_reference_reads_it() -> None:
    raw = base64.b64decode(_charsmap(_RULES))
    assert charsmap.read_rules(raw) == _RULES


def test_precompiled_equals_on_all_short_clusters() -> None:
    step = Precompiled(base64.b64decode(_charsmap(_RULES)))
    reference = tokenizers().normalizers.Precompiled(step.charsmap)
    ours = PrecompiledRules(step)
    joining = [chr(point) for point in graphemes.joining_characters()]
    firsts = [
        "a",
        "e",
        "\u212b",
        "\u0915",
        "\u00a9",
        "\u0600",
        "\r",
        "\u200b",
        "\u1100",
        "\u1161",
        "\uac00",
        "\U0001f600",
    ]
    dice = random.Random(1)
    texts = [
        first + mark + dice.choice(["", "\u0301", "a", "\n", "\u200d\u00a9"])
        for first in firsts
        for mark in joining
    ]
    texts += [
        "".join(dice.choices([*firsts, *joining, *_RULES, "\u094d", "\u200d"], k=6))
        for _ in range(2_000)
    ]
    found = [row.decode() for row in ours(tf.constant([text.encode() for text in texts])).numpy()]
    assert found == [reference.normalize_str(text) for text in texts]


def _ids(pieces: list[tuple[str, float]], words: list[str]) -> Any:
    return UnigramWordsModel(UnigramWords(tuple(pieces), 0))(tf.constant(words)).to_list()


def _reference_ids(pieces: list[tuple[str, float]], words: list[str]) -> list[list[int]]:
    reference = tokenizers().models.Unigram(pieces, 0, False)
    return [[token.id for token in reference.tokenize(word)] for word in words]


# Words of the second kind are cut at commas; the text before a part decides how its sums round.
@pytest.mark.parametrize("characters", ["aab", "aaaab,"])
def test_ties_fall_as_in_the_reference(characters: str) -> None:
    scores = [
        ("<unk>", 0.0),
        (_MARK, -1.0),
        ("a", -3.1),
        ("aa", -5.3),
        ("aaa", -7.1),
        ("b", -3.1),
        ("ab", -6.2),
    ]
    scores += [(",", -1.3), (",,", -2.7)]
    dice = random.Random(2)
    words = ["".join(dice.choices(characters, k=dice.randrange(1, 40))) for _ in range(2_000)]
    assert _ids(scores, words) == _reference_ids(scores, words)


def test_pieces_equal_where_every_node_of_the_trie_has_many_children() -> None:
    digits = "0123456789abcdef"
    dice = random.Random(3)
    made = [
        "".join(digit) for length in (1, 2, 3) for digit in itertools.product(digits, repeat=length)
    ]
    pieces = [("<unk>", 0.0), *((piece, -dice.uniform(5, 9)) for piece in made)]
    words = ["".join(dice.choices(digits, k=dice.randrange(1, 20))) for _ in range(500)]
    assert _ids(pieces, words) == _reference_ids(pieces, words)


_LETTERS = "ab,.\u00e9"


@settings(max_examples=settings().max_examples // 4)  # each is compiled
@given(
    scores=st.dictionaries(
        st.text(_LETTERS + _MARK, min_size=1, max_size=5),
        st.sampled_from([0.0, -1.5, -2.5, -3.1, -4.0]),
        min_size=1,
    ),
    # A mark stands only at a word's start.
    words=st.lists(
        st.from_regex(f"{_MARK}?[{_LETTERS}c\u4e00]{{1,12}}", fullmatch=True),
        min_size=1,
        max_size=8,
    ),
)
def test_pieces_equal_for_any_vocabulary(scores: dict[str, float], words: list[str]) -> None:
    pieces = [("<unk>", 0.0), *scores.items()]
    assert _ids(pieces, words) == _reference_ids(pieces, words)


def test_no_piece_goes_across_a_cut(pieces: list[tuple[str, float]]) -> None:
    separators, neutral, exceptions = cuts.find_separators([piece for piece, _ in pieces], _MARK)
    assert separators
    for piece, _ in pieces:
        for left, right in itertools.pairwise(piece):
            if (
                _MARK not in (left, right)
                and not {left, right} & set(neutral)
                and piece not in exceptions
            ):
                assert (left in separators) == (right in separators)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"normalizer": {"type": "NFKC"}}, "the normalizer is 'NFKC'"),
        ({"normalizer": {"type": "NFKD"}}, "the normalizer is 'NFKD'.*StripAccents after it"),
        (
            {"normalizer": {**_SPACES, "pattern": {"Regex": r"\s+"}}},
            "pattern of the normalizer Replace",
        ),
        (
            {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
            "precompiled_charsmap",
        ),
        (
            {"pre_tokenizer": {**_METASPACE, "prepend_scheme": "first"}},
            "prepend_scheme .* is 'first'",
        ),
        ({"pre_tokenizer": {**_METASPACE, "split": False}}, "option split"),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"}] * 2}},
            r"Sequence is \['Digits', 'Digits'\]",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_compiled_is_named(
    tmp_path: Path, pieces: list[tuple[str, float]], changes: Content, said: str
) -> None:
    with pytest.raises(UnknownComponentError, match=said):
        read(_write(tmp_path, _content(pieces, **changes)))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (
            lambda model: model.update(byte_fallback=True),
            UnknownComponentError,
            "option byte_fallback",
        ),
        (lambda model: model.update(unk_id=None), VocabularyError, "unk_id is None"),
        (lambda model: model.update(unk_id=10**6), TokenizerError, "UnkIdNotInVocabulary"),
        (lambda model: model["vocab"].append(["the", -3.0]), VocabularyError, "'the' twice"),
        (lambda model: model["vocab"].append(["", -3.0]), VocabularyError, "an empty piece"),
        (
            lambda model: model.update(vocab=[[p, 20.0] for p, _ in model["vocab"]]),
            VocabularyError,
            "lowest score",
        ),
    ],
)
def test_a_broken_model_is_told(
    tmp_path: Path,
    pieces: list[tuple[str, float]],
    change: Callable[[Content], object],
    error: type[TokenizerError],
    said: str,
) -> None:
    content = json.loads(
        json.dumps(_content([("the", -2.0), *pieces] if "the" not in dict(pieces) else pieces))
    )
    change(content["model"])
    with pytest.raises(error, match=said):
        read(_write(tmp_path, content))


def test_tokenizer_config_overrides_the_prefix(
    tmp_path: Path, pieces: list[tuple[str, float]]
) -> None:
    folder = _write(tmp_path, _content(pieces))
    edit_json(folder / "tokenizer_config.json", add_prefix_space=False)
    assert list(Pair(folder).differences([*_TRICKY, *HEADLINES])) == []


def test_one_long_word_among_many_short_ones_takes_no_memory_for_all_of_them(
    pieces: list[tuple[str, float]],
) -> None:
    # A mask of [words, longest word], as tf.repeat makes, took 2.5 GB for a text of 0.1 MB.
    model = UnigramWordsModel(UnigramWords(tuple(pieces), 3))
    traced = tf.function(lambda words: model(words)).get_concrete_function(
        tf.TensorSpec([None], tf.string)
    )
    functions = traced.graph.as_graph_def().library.function
    names = [node.name for function in functions for node in function.node_def]
    assert len(names) > 100
    assert [name for name in names if "SequenceMask" in name] == []
