"""A tokenizer that cannot be compiled exactly is refused with its name, file and reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from samples.checkpoints import (
    DEMO_FILES,
    edit_json,
    write_json,
    write_small_tokenizer,
    write_tokenizer,
)
from tests.tokenization.reference import Pair
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.tokenization.compile import Tokenizer
from tfclf.tokenization.read import load_reference, read

Content = dict[str, Any]


def _read(folder: Path) -> Any:
    return read(folder)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path)
    return tmp_path


@pytest.fixture
def older_files(tmp_path: Path) -> Path:
    write_tokenizer(tmp_path, vocabulary=DEMO_FILES / "vocab.txt")
    return tmp_path


def _change(files: Path, change: Callable[[Content], object]) -> None:
    content = json.loads((files / "tokenizer.json").read_text(encoding="utf-8"))
    change(content)
    write_json(files / "tokenizer.json", content)


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("normalizer", "NFKC"),
        ("pre_tokenizer", "Digits"),
        ("model", "WordLevel"),
        ("post_processor", "Nmt"),
    ],
)
def test_an_unknown_component_is_named(files: Path, part: str, kind: str) -> None:
    _change(files, lambda content: content.update({part: {"type": kind}}))
    with pytest.raises(UnknownComponentError, match=rf"tokenizer\.json: the {part} is '{kind}'"):
        _read(files)


@pytest.mark.parametrize("part", ["normalizer", "pre_tokenizer", "post_processor"])
def test_a_part_may_be_missing(files: Path, part: str) -> None:
    edit_json(files / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    _change(files, lambda content: content.update({part: None}))
    assert list(Pair(files).differences(["talks", "Peace talks, [SEP] resumed", ""])) == []


def _in_order(*kinds: str) -> Content:
    return {"type": "Sequence", "pretokenizers": [_PARTS[kind] for kind in kinds]}


_PARTS: dict[str, Content] = {
    "BertPreTokenizer": {"type": "BertPreTokenizer"},
    "Punctuation": {"type": "Punctuation", "behavior": "Isolated"},
    "Whitespace": {"type": "Whitespace"},
    "WhitespaceSplit": {"type": "WhitespaceSplit"},
}


@pytest.mark.parametrize(
    "part",
    [
        _PARTS["Whitespace"],
        _in_order("BertPreTokenizer"),
        _in_order("WhitespaceSplit", "Punctuation"),
        _in_order("Punctuation", "WhitespaceSplit"),
        _in_order(),
    ],
    ids=str,
)
def test_the_splitters_of_own_tokenizers_equal_the_reference(files: Path, part: Content) -> None:
    write_small_tokenizer(files)
    edit_json(files / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    # The model's normalizer would drop what makes white space and marks hard to tell apart.
    _change(files, lambda content: content.update(pre_tokenizer=part, normalizer=None))
    texts = ["a_b c-d...", "\u00a0e\u0301\u3000\x1c\x85\u200b#", *hostile_texts(300, seed=9)]
    assert list(Pair(files).differences(texts)) == []


def test_punctuation_that_joins_its_neighbours_is_named(files: Path) -> None:
    merged = {"type": "Punctuation", "behavior": "MergedWithNext"}
    parts = {"type": "Sequence", "pretokenizers": [_PARTS["WhitespaceSplit"], merged]}
    _change(files, lambda content: content.update(pre_tokenizer=parts))
    with pytest.raises(UnknownComponentError, match=r"'MergedWithNext'.*Expected Isolated"):
        _read(files)


def test_a_missing_model_is_named(files: Path) -> None:
    _change(files, lambda content: content.update({"model": None}))
    with pytest.raises(UnknownComponentError, match="the model is None"):
        _read(files)


def test_a_cut_tokenizer_json_is_refused(files: Path) -> None:
    path = files / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TokenizerError, match=r"tokenizer\.json is not JSON"):
        _read(files)


def test_a_piece_given_twice_in_tokenizer_json_is_named(files: Path) -> None:
    path = files / "tokenizer.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('"the":', '"of":', 1) if '"the":' in text else text, encoding="utf-8"
    )
    with pytest.raises(VocabularyError, match="'of' twice"):
        _read(files)


def test_an_id_given_twice_is_named(files: Path) -> None:
    _change(files, lambda content: content["model"]["vocab"].update({"the": 7}))
    with pytest.raises(VocabularyError, match="missing or given twice"):
        _read(files)


def test_an_unknown_piece_outside_the_vocabulary_is_named(files: Path) -> None:
    _change(files, lambda content: content["model"].update({"unk_token": "<nope>"}))
    with pytest.raises(VocabularyError, match="unk_token is '<nope>', which is not among"):
        _read(files)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_no_word_meets_is_refused(files: Path, limit: int) -> None:
    _change(files, lambda content: content["model"].update({"max_input_chars_per_word": limit}))
    with pytest.raises(VocabularyError, match="every word is unknown"):
        _read(files)


@pytest.mark.parametrize("saved", [False, True], ids=["vocab.txt", "tokenizer.json"])
def test_of_a_piece_given_twice_in_vocab_txt_the_last_line_counts(
    older_files: Path, saved: bool
) -> None:
    path = older_files / "vocab.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    twice, gone, blank = lines[2100], lines[1999], lines[2001]
    lines[1999], lines[2001] = twice, ""
    lines += [gone, "", ""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if saved:
        load_reference(older_files).save_pretrained(older_files)
    texts = [f"{twice} {gone} {blank} no piece 1999 news", "", *HEADLINES]
    assert list(Pair(older_files).differences(texts)) == []
    assert load_reference(older_files).convert_tokens_to_ids(twice) == 2100
    # The blank lines at the end have no embedding, and no text reaches them.
    assert _read(older_files).model.largest_id == len(lines) - 3


@pytest.mark.parametrize("token", ["[UNK]", "[SEP]", "[CLS]", "[PAD]"])
def test_a_missing_special_token_is_named(older_files: Path, token: str) -> None:
    path = older_files / "vocab.txt"
    path.write_text(
        path.read_text(encoding="utf-8").replace(f"{token}\n", "[other]\n"), encoding="utf-8"
    )
    with pytest.raises(VocabularyError, match=rf"'\{token[:-1]}\]', the checkpoint's \w+_token"):
        _read(older_files)


def test_a_vocabulary_with_a_byte_order_mark_is_refused(older_files: Path) -> None:
    path = older_files / "vocab.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(VocabularyError, match="begins with a byte order mark"):
        read(older_files)


def test_a_vocabulary_that_is_not_utf8_is_refused(older_files: Path) -> None:
    (older_files / "vocab.txt").write_bytes(b"[PAD]\n\xff\n")
    with pytest.raises(VocabularyError, match="not UTF-8"):
        _read(older_files)


def test_a_folder_without_tokenizer_files_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "merges.txt").touch()
    with pytest.raises(
        TokenizerError, match=r"found merges\.txt; expected tokenizer\.json or vocab\.txt"
    ):
        _read(tmp_path)


def test_an_unknown_truncation_side_is_refused(files: Path) -> None:
    edit_json(files / "tokenizer_config.json", truncation_side="middle")
    with pytest.raises(TokenizerError, match="current value: middle"):
        _read(files)


def test_an_added_token_that_two_files_define_differently_is_named(files: Path) -> None:
    entry = {
        "content": "[CLS]",
        "lstrip": False,
        "rstrip": False,
        "normalized": True,
        "single_word": False,
    }
    edit_json(
        files / "tokenizer_config.json", added_tokens_decoder={"101": {**entry, "special": True}}
    )
    with pytest.raises(UnknownComponentError, match=r"define the added token '\[CLS\]' twice"):
        _read(files)


@pytest.mark.parametrize("content", ["\u200d", "\ufe0f"], ids=ascii)
def test_an_added_token_that_normalization_empties_is_named(files: Path, content: str) -> None:
    added = AddedToken(content, normalized=True)
    tokenizer = load_reference(files)
    tokenizer.add_tokens([added])
    # Why: the reference splits words into characters then.
    assert len(tokenizer("news")["input_ids"]) == len(["[CLS]", "n", "e", "w", "s", "[SEP]"])
    tokenizer.save_pretrained(files)
    with pytest.raises(UnknownComponentError, match="normalization leaves nothing"):
        _read(files)


def test_an_added_white_space_that_another_token_takes_is_named(files: Path) -> None:
    tokenizer = load_reference(files)
    space = AddedToken(" ", lstrip=True, rstrip=True, normalized=False)
    tokenizer.add_tokens([space])
    one, two = (tokenizer.tokenize(text) for text in ("news ", "news  "))
    assert len(one) == len(two)  # the second space is dropped
    tokenizer.save_pretrained(files)
    with pytest.raises(UnknownComponentError, match=r"' ' is white space with lstrip=true"):
        _read(files)


def test_a_padding_token_of_null_is_named(older_files: Path) -> None:
    edit_json(older_files / "tokenizer_config.json", pad_token=None)
    with pytest.raises(VocabularyError, match="the tokenizer has no pad_token"):
        _read(older_files)


def test_a_tokenizer_without_a_rust_form_is_named(older_files: Path) -> None:
    edit_json(
        older_files / "tokenizer_config.json",
        tokenizer_class="BertJapaneseTokenizer",
        word_tokenizer_type="basic",
    )
    with pytest.raises(TokenizerError):
        _read(older_files)


def test_a_piece_that_tf_text_cannot_hold_is_told(files: Path) -> None:
    _change(files, lambda content: content["model"]["vocab"].update({"x" * 300: 30522}))
    with pytest.raises(VocabularyError, match="at most 256 bytes"):
        Tokenizer(_read(files))
