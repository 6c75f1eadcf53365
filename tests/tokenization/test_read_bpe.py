"""Byte-level BPE files are read as AutoTokenizer reads them, or refused by merge and line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from samples.checkpoints import edit_json, write_json
from tests.tokenization.reference import Pair
from tfclf._transformers import tokenizers, transformers
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.tokenization.models.byte_alphabet import byte_of
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import ByteBpe, ByteLevel

Content = dict[str, Any]
_BYTE_LEVEL = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
_TEXTS = [
    *HEADLINES,
    "a <mask> b",
    "<s>a</s><unk> x",
    "",
    " ",
    "  two  spaces ",
    *hostile_texts(200, seed=8),
]


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RoBERTa's older files, trained on this project's own headlines."""
    folder = tmp_path_factory.mktemp("trained")
    trained = tokenizers().ByteLevelBPETokenizer()
    trained.train_from_iterator(
        HEADLINES, vocab_size=500, special_tokens=_SPECIAL, show_progress=False
    )
    trained.save_model(str(folder))
    write_json(folder / "config.json", {"model_type": "roberta"})
    return folder


@pytest.fixture
def older(_trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(_trained, tmp_path / "older"))


@pytest.fixture
def files(older: Path) -> Path:
    """The same tokenizer as tokenizer.json."""
    folder = older.with_name("files")
    transformers().AutoTokenizer.from_pretrained(older).save_pretrained(folder)
    for name in ("vocab.json", "merges.txt"):
        (folder / name).unlink()
    shutil.copy(older / "config.json", folder)
    return folder


def _change(files: Path, change: Callable[[Content], object]) -> None:
    content = json.loads((files / "tokenizer.json").read_text(encoding="utf-8"))
    change(content)
    write_json(files / "tokenizer.json", content)


def _edit_lines(older: Path, change: Callable[[list[str]], object]) -> list[str]:
    lines = (older / "merges.txt").read_text(encoding="utf-8").split("\n")
    change(lines)
    (older / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    return lines


def test_both_forms_give_the_reference_ids(older: Path, files: Path) -> None:
    assert list(Pair(older).differences(_TEXTS)) == []
    assert list(Pair(files).differences(_TEXTS)) == []


def test_both_forms_give_the_same_model(older: Path, files: Path) -> None:
    assert read(older).model == read(files).model
    assert read(older).template == read(files).template


def test_rows_are_framed_as_roberta_frames_them(older: Path) -> None:
    template = read(older).template
    reference = transformers().AutoTokenizer.from_pretrained(older)
    framed = [place.ids or ("text",) for place in template.pair]
    expected = reference("a", "b")["input_ids"]
    text, pair = (
        reference.backend_tokenizer.encode(each, add_special_tokens=False).ids for each in "ab"
    )
    texts = iter((text, pair))
    assert [
        token for ids in framed for token in (next(texts) if ids == ("text",) else ids)
    ] == expected


@pytest.mark.parametrize("add_prefix_space", [False, True])
@pytest.mark.parametrize("form", ["older", "files"])
def test_add_prefix_space_is_as_tokenizer_config_says(
    form: str, add_prefix_space: bool, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(form)
    if form == "older":
        write_json(folder / "tokenizer_config.json", {})
    edit_json(folder / "tokenizer_config.json", add_prefix_space=add_prefix_space)
    assert read(folder).splitter == ByteLevel(add_prefix_space=add_prefix_space)
    assert list(Pair(folder).differences(_TEXTS)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["model"].update(ignore_merges=True),
        lambda content: content["model"].update(unk_token="<unk>", fuse_unk=True),
        lambda content: content["model"].update(byte_fallback=True),
        lambda content: content["model"].update(dropout=0.0),
        lambda content: content["model"].update(
            merges=[" ".join(merge) for merge in content["model"]["merges"]]
        ),
        lambda content: content["model"].pop("type"),
        lambda content: content["pre_tokenizer"].pop("use_regex"),
        lambda content: content["pre_tokenizer"].update(use_regex=False),
        lambda content: content["post_processor"].update(trim_offsets=False),
        lambda content: content.update(post_processor={"type": "ByteLevel", **_BYTE_LEVEL}),
        lambda content: content.update(
            post_processor={
                "type": "Sequence",
                "processors": [{"type": "ByteLevel", **_BYTE_LEVEL}],
            }
        ),
    ],
    ids=[
        "ignore_merges",
        "unk_token",
        "byte_fallback",
        "dropout 0",
        "merges as strings",
        "no type",
        "no use_regex",
        "use_regex false",
        "trim_offsets",
        "ByteLevel alone",
        "Sequence",
    ],
)
def test_each_option_gives_the_reference_ids(
    files: Path, change: Callable[[Content], object]
) -> None:
    _change(files, change)
    assert list(Pair(files).differences(_TEXTS)) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [("dropout", 0.1), ("continuing_subword_prefix", "##"), ("end_of_word_suffix", "</w>")],
)
def test_an_option_that_cannot_be_compiled_is_named(
    files: Path, option: str, value: object
) -> None:
    _change(files, lambda content: content["model"].update({option: value}))
    with pytest.raises(
        UnknownComponentError, match=rf"tokenizer\.json: the model has {option}={value!r}"
    ):
        read(files)


@pytest.mark.parametrize("kind", ["Whitespace", "Sequence", "BertPreTokenizer"])
def test_bpe_after_another_splitter_is_refused(files: Path, kind: str) -> None:
    _change(files, lambda content: content.update(pre_tokenizer={"type": kind}))
    with pytest.raises(UnknownComponentError, match=kind):
        read(files)


def test_another_normalizer_is_refused(files: Path) -> None:
    _change(files, lambda content: content.update(normalizer={"type": "Nmt"}))
    with pytest.raises(UnknownComponentError, match="the normalizer is 'Nmt'"):
        read(files)


def test_merges_out_of_order_are_told_with_both_lines(older: Path) -> None:
    lines = (older / "merges.txt").read_text(encoding="utf-8").split("\n")
    late = next(place for place, line in enumerate(lines[1:], 1) if len(line.split(" ")[0]) > 1)
    maker = next(
        place
        for place, line in enumerate(lines)
        if line.replace(" ", "") == lines[late].split(" ")[0]
    )

    def swap(lines: list[str]) -> None:
        lines[late], lines[maker] = lines[maker], lines[late]

    _edit_lines(older, swap)
    with pytest.raises(
        VocabularyError, match=rf"line {maker + 1} joins .*only .*line {late + 1} makes .*earlier"
    ):
        read(older)


def test_merges_out_of_order_in_tokenizer_json_are_told(files: Path) -> None:
    _change(files, lambda content: content["model"]["merges"].reverse())
    with pytest.raises(
        VocabularyError, match=r"tokenizer\.json: merge \d+ joins .*only .*merge \d+ makes"
    ):
        read(files)


def test_merges_whose_start_is_missing_are_told(older: Path) -> None:
    _edit_lines(older, lambda lines: lines.__delitem__(slice(1, 40)))
    with pytest.raises(VocabularyError, match=r"merges\.txt: line \d+ joins .*no merge makes"):
        read(older)


def test_a_repeated_merge_is_told_with_both_lines(older: Path) -> None:
    _edit_lines(older, lambda lines: lines.insert(20, lines[4]))
    with pytest.raises(VocabularyError, match=r"line 21 joins .*, as .*line 5 does"):
        read(older)


@pytest.mark.parametrize("line", ["", "abc", "a b c", "a  b", " a", "a\tb"])
def test_a_malformed_merge_is_told_with_its_line(older: Path, line: str) -> None:
    _edit_lines(older, lambda lines: lines.__setitem__(10, line))
    with pytest.raises(VocabularyError, match=r"merges\.txt: line 11 is .*expected two pieces"):
        read(older)


def test_a_malformed_merge_in_tokenizer_json_is_told(files: Path) -> None:
    _change(files, lambda content: content["model"]["merges"].__setitem__(3, ["a", "b", "c"]))
    with pytest.raises(VocabularyError, match="merge 4 is"):
        read(files)


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_cut_merges_are_refused(older: Path, kept: float) -> None:
    path = older / "merges.txt"
    content = path.read_bytes()
    cut = int(len(content) * kept)
    while content[cut - 1 : cut] == b"\n":
        cut -= 1
    path.write_bytes(content[:cut])
    with pytest.raises(VocabularyError, match="cut short"):
        read(older)


def test_merges_without_the_version_line_are_refused(older: Path) -> None:
    _edit_lines(older, lambda lines: lines.pop(0))
    with pytest.raises(VocabularyError, match=r"begins with .*expected '#version"):
        read(older)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\n"])
def test_merges_that_are_no_text_are_refused(older: Path, content: bytes) -> None:
    (older / "merges.txt").write_bytes(content)
    with pytest.raises(VocabularyError, match=r"merges\.txt"):
        read(older)


def test_a_merge_of_a_piece_that_the_vocabulary_lacks_is_told(older: Path) -> None:
    _edit_lines(older, lambda lines: lines.insert(5, "q z"))
    with pytest.raises(
        VocabularyError,
        match=r"line 6 joins 'q' and 'z', but the vocabulary of \d+ pieces lacks 'qz'",
    ):
        read(older)


@pytest.mark.parametrize("saved", [False, True], ids=["vocab.json", "tokenizer.json"])
def test_an_id_may_be_left_out(older: Path, saved: bool) -> None:
    content = json.loads((older / "vocab.json").read_text(encoding="utf-8"))
    moved = {piece: index + (index > 300) for piece, index in content.items()}
    write_json(older / "vocab.json", moved)
    if saved:
        transformers().AutoTokenizer.from_pretrained(older).save_pretrained(older)
    assert list(Pair(older).differences(_TEXTS)) == []


def test_most_ids_left_out_are_told(older: Path) -> None:
    content = json.loads((older / "vocab.json").read_text(encoding="utf-8"))
    last = max(content, key=content.__getitem__)
    write_json(older / "vocab.json", {**content, last: 9 * content[last]})
    with pytest.raises(VocabularyError, match=r"vocab\.json: the vocabulary's ids are not 0 to"):
        read(older)


def test_a_missing_byte_is_told(older: Path) -> None:
    content = json.loads((older / "vocab.json").read_text(encoding="utf-8"))
    space = next(character for character, byte in byte_of().items() if byte == 0x20)
    content["other"] = content.pop(space)
    write_json(older / "vocab.json", content)
    with pytest.raises(
        VocabularyError, match=r"vocab\.json: .* lacks 1 of the byte characters.*0x20"
    ):
        read(older)


def test_a_missing_special_token_is_told(older: Path) -> None:
    content = json.loads((older / "vocab.json").read_text(encoding="utf-8"))
    write_json(
        older / "vocab.json",
        {"<other>" if piece == "</s>" else piece: place for piece, place in content.items()},
    )
    with pytest.raises(VocabularyError, match="'</s>', the checkpoint's sep_token"):
        read(older)


def test_a_vocabulary_without_merges_says_what_it_needs(older: Path) -> None:
    (older / "merges.txt").unlink()
    with pytest.raises(TokenizerError, match=r"vocab\.json with merges\.txt"):
        read(older)


def test_the_published_files_give_the_same_spec(shared: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shared / "vocab" / "roberta-base", tmp_path / "roberta"))
    write_json(folder / "config.json", {"model_type": "roberta"})
    model = read(folder).model
    assert isinstance(model, ByteBpe)
    assert (len(model.vocabulary), len(model.merges)) == (50_265, 50_000)
    (folder / "tokenizer.json").unlink()
    assert read(folder).model == model
