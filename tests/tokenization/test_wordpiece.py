"""WordPiece gives the Rust tokenizer's ids (tokenizers 0.22, through transformers 4.57)."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
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
from tfclf.sample_texts import hostile_texts
from tfclf.tokenization.read import read

_VOCABULARIES = {"distilbert-base-uncased": True, "bert-base-cased": False}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The bundled model's tokenizer: uncased, from tokenizer.json."""
    return Pair(_folder(tmp_path_factory.mktemp("bundled")), whole=True)


@pytest.fixture(scope="module", params=sorted(_VOCABULARIES))
def original(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    """The published vocabularies, from vocab.txt."""
    vocabulary = shared / "vocab" / request.param / "vocab.txt"
    return Pair(
        _folder(
            tmp_path_factory.mktemp("original"),
            vocabulary=vocabulary,
            lowercase=_VOCABULARIES[request.param],
        ),
        whole=True,
    )


def _folder(folder: Path, *, vocabulary: Path | None = None, lowercase: bool = True) -> Path:
    write_tokenizer(folder, vocabulary=vocabulary, lowercase=lowercase)
    write_json(folder / "config.json", {"model_type": "distilbert"})
    return folder


def test_ids_equal_on_hostile_strings(bundled: Pair) -> None:
    assert list(bundled.differences(hostile_texts(1_500, seed=1))) == []


def test_ids_equal_on_hostile_strings_for_the_published_vocabularies(original: Pair) -> None:
    assert list(original.differences(hostile_texts(500, seed=2))) == []


def test_ids_equal_on_real_rows(original: Pair, ag_news: list[str]) -> None:
    """test_full_counts.py takes all rows."""
    assert list(original.differences(ag_news[:1_000])) == []


@given(st.lists(st.text(), max_size=4))
def test_ids_equal_on_any_text(bundled: Pair, texts: list[str]) -> None:
    assert list(bundled.differences(texts)) == []


@given(st.binary())
def test_invalid_utf8_reads_as_the_replacement_character(bundled: Pair, raw: bytes) -> None:
    replaced = raw.decode("utf-8", errors="replace")
    assert (
        bundled._ours(tf.constant([raw])).to_list()
        == bundled._ours(tf.constant([replaced])).to_list()
    )


@pytest.mark.parametrize(
    "character", ["\u0301", "\U0001f600", "\u4e00", "\0", "\ufffd", "\ue000", "\u302e"]
)
def test_a_lone_character_equals(bundled: Pair, character: str) -> None:
    assert list(bundled.differences([character, f"a{character}b", character * 5])) == []


@pytest.mark.parametrize("length", [99, 100, 101, 10_000])
@pytest.mark.parametrize("letter", ["a", "\u00e9", "\u0436", "\U00010330"])
def test_the_limit_of_a_word_counts_characters_not_bytes(
    bundled: Pair, letter: str, length: int
) -> None:
    assert list(bundled.differences([letter * length])) == []


@pytest.mark.parametrize(
    "text", ["[SEP]", "a[SEP]b", "[SEP][SEP]", " [MASK] ", "[sep]", "[[CLS]]", "[SE\0P]"]
)
def test_special_tokens_in_the_text_equal(bundled: Pair, text: str) -> None:
    assert list(bundled.differences([text])) == []


def test_an_empty_batch_gives_no_rows(bundled: Pair) -> None:
    assert list(bundled.rows([])) == []


def test_a_text_of_ten_megabytes_equals(bundled: Pair) -> None:
    """The reference needs gigabytes for it, so it is asked about one period only."""
    period, times = "news \u00e9 ", 1_300_000
    (row,) = bundled.rows([period])
    assert row.ours == row.reference
    ids = bundled._ours(tf.constant([period * times])).values.numpy()
    assert np.array_equal(ids, np.tile(np.array(row.reference, np.int32), times))


@pytest.mark.parametrize(
    "changes",
    [
        {"do_lower_case": False},
        {"strip_accents": False, "tokenize_chinese_chars": False},
        *(
            pytest.param(changes, marks=pytest.mark.verify)
            for changes in (
                {"strip_accents": False},
                {"do_lower_case": False, "strip_accents": True},
                {"tokenize_chinese_chars": False},
            )
        ),
    ],
    ids=str,
)
def test_tokenizer_config_overrides_the_normalizer(
    tmp_path: Path, changes: dict[str, bool]
) -> None:
    folder = _folder(tmp_path)
    edit_json(folder / "tokenizer_config.json", **changes)
    assert list(Pair(folder).differences(hostile_texts(300, seed=3))) == []


_ADDED = {
    "content": "<e1>",
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "single_word": False,
}


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("tokenizer_config.json", {"additional_special_tokens": ["<e1>", "[unused1]"]}),
        ("special_tokens_map.json", {"additional_special_tokens": ["<e1>"]}),
        ("tokenizer_config.json", {"bos_token": "<e1>", "eos_token": "[unused5]"}),
        ("tokenizer_config.json", {"extra_special_tokens": {"entity_token": "<e1>"}}),
        ("added_tokens.json", {"<e1>": 30522}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"30522": {**_ADDED, "special": True}}}),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"30522": {**_ADDED, "special": False}}},
        ),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"30522": {**_ADDED, "normalized": True}}},
        ),
        ("tokenizer_config.json", {"added_tokens_decoder": {"7": {**_ADDED, "content": "the"}}}),
        ("tokenizer_config.json", {"split_special_tokens": True}),
        ("tokenizer_config.json", {"mask_token": None}),
        ("special_tokens_map.json", {"cls_token": "[unused1]"}),
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False}),
    ],
    ids=lambda value: str(value)[:60],
)
@pytest.mark.parametrize("older", [False, True], ids=["tokenizer.json", "vocab.txt"])
def test_what_several_files_say_together_is_settled_as_the_reference_settles_it(
    tmp_path: Path, file: str, changes: dict[str, object], older: bool
) -> None:
    folder = _folder(tmp_path)
    if older:
        (folder / "tokenizer.json").unlink()
    if not (folder / file).exists():
        write_json(folder / file, {})
    edit_json(folder / file, **changes)
    texts = [
        "Hello <e1> x<e1>y <E1> <e1>",
        "[unused1] [unused5] the of",
        "a [MASK] b [mask][SEP]",
        "Paris[CLS] <e 1>",
    ]
    assert list(Pair(folder).differences(texts)) == []


@pytest.mark.parametrize(
    "content",
    ["<x>", " <x>", "\n<x>", "caf\u00e9", "\u4e2d\u6587", "\U0001f600", "a.b*c", "\\d", "x y"],
)
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("strip", [False, True])
def test_added_tokens_of_any_content_equal(
    tmp_path: Path, content: str, normalized: bool, strip: bool
) -> None:
    write_small_tokenizer(tmp_path)
    entry = {
        "content": content,
        "lstrip": strip,
        "rstrip": strip,
        "normalized": normalized,
        "single_word": False,
    }
    added = _with_added_token(tmp_path, {**entry, "special": False}, token_id=2000)
    texts = [
        content,
        f"a{content}b",
        f"a {content} b",
        content.upper(),
        content * 3,
        f"[SEP]{content}\t{content}",
    ]
    assert list(added.differences(texts)) == []


def test_a_neutral_class_takes_the_files_as_they_are(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    edit_json(
        folder / "tokenizer_config.json",
        tokenizer_class="PreTrainedTokenizerFast",
        do_lower_case=False,
    )
    assert list(Pair(folder).differences(["Paris [SEP] CAF\u00c9"])) == []


def test_an_added_token_may_take_the_space_beside_it(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    entry = {
        "content": "<x>",
        "lstrip": True,
        "rstrip": True,
        "normalized": False,
        "single_word": False,
        "special": True,
    }
    added = _with_added_token(folder, entry)
    texts = ["a <x> b", "<x>", "  <x>  <x> c", "a\u00a0<x>\u2003b", "a<x>b[SEP] <x>"]
    assert list(added.differences(texts)) == []


def _with_added_token(folder: Path, entry: dict[str, object], *, token_id: int = 30522) -> Pair:
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["added_tokens"].append({"id": token_id, **entry})
    write_json(path, content)
    return Pair(folder)


def test_the_spec_of_vocab_txt_is_that_of_tokenizer_json(tmp_path: Path) -> None:
    def spec_of(folder: Path) -> object:
        spec = read(folder)
        return replace(
            spec,
            origin="",
            added_tokens=tuple(sorted(spec.added_tokens, key=lambda token: token.id)),
        )

    older = tmp_path / "older"
    older.mkdir()
    write_tokenizer(older, vocabulary=DEMO_FILES / "vocab.txt")
    assert spec_of(older) == spec_of(DEMO_FILES)
