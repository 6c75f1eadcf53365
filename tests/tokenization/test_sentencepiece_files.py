"""Tokenizers over SentencePiece files give the slow Python ones' ids (sentencepiece 0.2.3)."""

import itertools
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from samples import corpora
from samples.checkpoints import edit_json, write_sentencepiece
from samples.tokenizers import PUBLISHED
from tests.tokenization.reference import Pair
from tfclf._transformers import sentencepiece
from tfclf.errors import TokenizerError, UnknownComponentError, VocabularyError
from tfclf.tokenization.read import read
from tfclf.tokenization.spec import Place

FAMILIES = ("albert", "camembert", "deberta-v2", "xlm-roberta", "xlnet")
_NORMAL, _USER_DEFINED, _UNUSED, _BYTE = 1, 4, 5, 6


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A family's slow tokenizer over a small model trained here."""
    return Pair(write_sentencepiece(tmp_path_factory.mktemp("tiny"), request.param).parent)


# That of XLM-RoBERTa takes ten seconds; tests of KerasHub read it, too.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name.startswith("albert") else pytest.mark.verify)
        for name in sorted(PUBLISHED)
        if name.endswith(".model")
    ],
)
def published(
    request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    """A published tokenizer."""
    folder = PUBLISHED[request.param](shared, tmp_path_factory.mktemp("published"))
    return Pair(folder, whole=True)


def test_ids_equal_on_hostile_strings(tiny: Pair) -> None:
    assert list(tiny.differences(corpora.hostile(200, seed=1))) == []


def test_ids_equal_on_hostile_strings_for_the_published_vocabularies(
    published: Pair, ag_news: list[str]
) -> None:
    assert list(published.differences(corpora.hostile(300, seed=2, rows=ag_news))) == []


def test_ids_equal_on_real_rows(published: Pair, mixed_rows: list[str], shared: Path) -> None:
    assert list(published.differences([*mixed_rows, *corpora.allocine(shared)[:30]])) == []


@given(texts=st.lists(st.text(), max_size=4))
def test_ids_equal_on_any_text(tiny: Pair, texts: list[str]) -> None:
    assert list(tiny.differences(texts)) == []


_FRAGMENTS = (
    *(
        "<s>",
        "</s>",
        "<mask>",
        "<pad>",
        "<unk>",
        "<cls>",
        "<sep>",
        "<eop>",
        "<s>NOTUSED",
        "NOTUSED",
    ),
    *(
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "[UNK]",
        "[cls]",
        "<PAD>",
        "<UN\u212a>",
        "\uff1cpad\uff1e",
        "<",
        ">",
        "[",
        "]",
        "<s",
    ),
    *(
        " ",
        "  ",
        "\u00a0",
        "\x1c",
        "\x85",
        "\u2028",
        "\n",
        "\u2581",
        "\u2581\u2581",
        "``",
        "''",
        "'",
        "`",
    ),
    *(
        "9,9",
        "1,",
        "\u0663,",
        ",",
        "(a)",
        "U.S.",
        "\u03a3",
        "\U0001d6ba",
        "\U0001d6c0\u0301",
        "A\u00b4",
        "\u0130",
    ),
    *(
        "\ufdfa",
        "\u1100\u1161\u11a8",
        "\uac01\u11a8",
        "e\u0301",
        "\u0301",
        "\0",
        "\ufffd",
        "\U0010ffff",
        "\u0378",
        "x",
    ),
)


@given(pieces=st.lists(st.sampled_from(_FRAGMENTS), max_size=9))
def test_any_mixture_of_what_is_special_equals(tiny: Pair, pieces: list[str]) -> None:
    assert list(tiny.differences(["".join(pieces)])) == []


def test_every_pair_of_what_is_special_equals(published: Pair) -> None:
    texts = [f"{one}{two}" for one, two in itertools.product(_FRAGMENTS, _FRAGMENTS)]
    assert list(published.differences(texts)) == []


def test_every_character_equals_alone_and_in_a_word(published: Pair) -> None:
    assigned = [
        chr(point)
        for point in range(0x10000)
        if unicodedata.category(chr(point)) not in ("Cs", "Cn", "Co")
    ]
    groups = [assigned[start : start + 40] for start in range(0, len(assigned), 40)]
    assert list(published.differences(" a".join(group) for group in groups)) == []


@given(raw=st.binary())
def test_invalid_utf8_reads_as_the_replacement_character(tiny: Pair, raw: bytes) -> None:
    replaced = raw.decode("utf-8", errors="replace")
    assert tiny._ours(tf.constant([raw])).to_list() == tiny._ours(tf.constant([replaced])).to_list()


@pytest.mark.parametrize("letter", ["a", "x", "\u00e9", "\u4e00", "\u0301", "!", "ha", "9,"])
def test_long_runs_split_where_the_reference_splits_them(published: Pair, letter: str) -> None:
    assert (
        list(
            published.differences(
                [f"news \U0010fffe {letter * count}" for count in range(80, 130, 7)]
            )
        )
        == []
    )


def test_an_empty_batch_gives_no_rows(tiny: Pair) -> None:
    assert list(tiny.rows([])) == []


def test_a_text_of_300_kilobytes_equals(tiny: Pair) -> None:
    assert list(tiny.differences(["news \u00e9 " * 40_000])) == []


@pytest.mark.sample("albert")
@pytest.mark.parametrize("family", ["albert", "xlnet"])
@pytest.mark.parametrize(
    "changes",
    [
        {"do_lower_case": False},
        {"keep_accents": True},
        {"do_lower_case": True, "remove_space": False},
        {"do_lower_case": True, "keep_accents": True, "remove_space": False},
    ],
    ids=str,
)
def test_options_of_the_cleaning_are_followed(
    tmp_path: Path, family: str, changes: dict[str, bool]
) -> None:
    write_sentencepiece(tmp_path, family)
    edit_json(tmp_path / "tokenizer_config.json", **changes)
    assert list(Pair(tmp_path).differences(corpora.hostile(200, seed=3))) == []


def test_deberta_may_lower_case(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path, "deberta-v2")
    edit_json(tmp_path / "tokenizer_config.json", do_lower_case=True)
    assert list(Pair(tmp_path).differences(corpora.hostile(200, seed=4))) == []


_AS_IT_IS = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "add_dummy_prefix": False,
}


@pytest.mark.sample(
    ("xlm-roberta", {"normalization_rule_name": "identity"}),
    ("xlm-roberta", {"normalization_rule_name": "nmt_nfkc_cf"}),
    ("xlm-roberta", {"add_dummy_prefix": False}),
    ("xlm-roberta", _AS_IT_IS),
)
@pytest.mark.parametrize("family", ["albert", "xlm-roberta"])
@pytest.mark.parametrize(
    "options",
    [
        {"normalization_rule_name": "identity"},
        {"normalization_rule_name": "nfkc"},
        {"normalization_rule_name": "nmt_nfkc_cf"},
        {"add_dummy_prefix": False},
        _AS_IT_IS,
    ],
    ids=str,
)
def test_the_models_own_normalization_is_followed(
    tmp_path: Path, family: str, options: dict[str, Any]
) -> None:
    write_sentencepiece(tmp_path, family, **options)
    texts = [
        "",
        " ",
        "  a  b ",
        "\u2581",
        "a\u2581 \u2581",
        "\u2581\u2581a \u2581",
        "\ta\r\n b\n",
        "a\u0001",
        " \u0001 a",
    ]
    assert list(Pair(tmp_path).differences([*texts, *corpora.hostile(100, seed=5)])) == []


_ADDED = {
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "single_word": False,
    "special": False,
}


@pytest.mark.sample("albert", "deberta-v2", "xlm-roberta")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "changes",
    [
        {
            "added_tokens_decoder": {
                "900": {**_ADDED, "content": "<e1>", "special": True},
                "901": {**_ADDED, "content": "<E2>", "normalized": True},
                "902": {**_ADDED, "content": "<E3>"},
                "903": {**_ADDED, "content": "<e4>", "lstrip": True, "rstrip": True},
                "20": {**_ADDED, "content": "bank"},
            }
        },
        {
            "additional_special_tokens": ["<e1>", "<E2>"],
            "mask_token": "<e4>",
            "tokenizer_class": None,
        },
        {"split_special_tokens": True},
    ],
    ids=["added", "special", "split"],
)
def test_added_tokens_are_found_as_the_slow_tokenizer_finds_them(
    tmp_path: Path, family: str, changes: dict[str, Any]
) -> None:
    write_sentencepiece(tmp_path, family)
    edit_json(tmp_path / "tokenizer_config.json", **changes)
    special = (
        "<e1>",
        "<E1>",
        "<E2>",
        "<e2>",
        "<E3>",
        "<e3>",
        "<e4>",
        "<E4>",
        "bank",
        "BANK",
        "<mask>",
        "[MASK]",
        "[mask]",
        "<s>",
    )
    texts = [
        f"The{gap}{token}{gap}news{token}{token}"
        for token in special
        for gap in ("", " ", "  ", "\u00a0")
    ]
    texts += [
        f"a {one}{gap}{two} b"
        for one, two in itertools.product(special, special)
        for gap in ("", " ")
    ]
    assert list(Pair(tmp_path).differences(texts)) == []


@pytest.mark.parametrize("kind", ["XLMRobertaTokenizer", "XLMRobertaTokenizerFast"])
def test_the_slow_class_counts_even_where_the_fast_one_is_named(tmp_path: Path, kind: str) -> None:
    write_sentencepiece(tmp_path, "xlm-roberta")
    edit_json(tmp_path / "tokenizer_config.json", tokenizer_class=kind)
    pair = Pair(tmp_path)
    assert type(pair._reference).__name__ == "XLMRobertaTokenizer"
    assert list(pair.differences(corpora.hostile(200, seed=6))) == []


def test_albert_splits_a_comma_from_the_number_before_it(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path, "albert")
    _edit(
        path,
        lambda proto: [
            proto.pieces.add(piece=text, score=-1, type=_NORMAL) for text in ("\u25819,", "1,")
        ],
    )
    pair = Pair(tmp_path)
    assert list(pair.differences(["9,", "9,9", "a 9, b", "11,1, 1,", "9,,"])) == []
    assert len(read(tmp_path).model.ids[-2]) > 1  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("family", "single", "pair"),
    [
        ("albert", [(2, 0), None, (3, 0)], [(2, 0), None, (3, 0), 1, (3, 1)]),
        ("camembert", [(5, 0), None, (6, 0)], [(5, 0), None, (6, 0), (6, 0), None, (6, 0)]),
        ("xlm-roberta", [(0, 0), None, (2, 0)], [(0, 0), None, (2, 0), (2, 0), None, (2, 0)]),
    ],
)
def test_the_template_is_asked_of_the_tokenizer(
    tmp_path: Path, family: str, single: list[Any], pair: list[Any]
) -> None:
    template = read(write_sentencepiece(tmp_path, family).parent).template

    def list_places(places: tuple[Place, ...]) -> list[Any]:
        return [(*place.ids, place.type) if place.ids else place.type or None for place in places]

    assert list_places(template.single) == single
    assert list_places(template.pair) == pair


def test_a_piece_may_stand_for_several_characters_whose_own_are_unknown(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path, "xlm-roberta")
    _edit(
        path,
        lambda proto: [
            proto.pieces.add(piece=text, score=-9, type=_NORMAL) for text in ("q\u6f22", "\u6f22z")
        ],
    )
    assert (
        list(
            Pair(tmp_path).differences(["q\u6f22z", "q\u6f22\u6f22z", "\u6f22", "qz\u6f22 q\u6f22"])
        )
        == []
    )


def test_unused_pieces_are_never_given(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path, "xlm-roberta")

    def unuse(proto: Any) -> None:
        for piece in proto.pieces:
            if len(piece.piece) > 3 and piece.type == _NORMAL:
                piece.type = _UNUSED

    _edit(path, unuse)
    assert list(Pair(tmp_path).differences(corpora.hostile(200, seed=8))) == []


def test_user_defined_pieces_are_taken_wherever_they_stand(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path, "xlm-roberta", user_defined_symbols=["<eop>", "\u00bd", "%&"])
    texts = [
        "<eop>",
        "a<eop>b <eop>",
        "\u00bd 1\u00bd",
        "%%&&",
        "% %&",
        "\uff1ceop\uff1e",
        "<eop",
        "<<eop>>",
    ]
    assert list(Pair(tmp_path).differences([*texts, *corpora.hostile(100, seed=9)])) == []


def test_a_user_defined_piece_that_overlaps_others_is_named(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path, "xlm-roberta", user_defined_symbols=["%%"])
    with pytest.raises(UnknownComponentError, match="user-defined piece '%%' and what overlaps it"):
        Pair(tmp_path)


def _edit(path: Path, change: Callable[[Any], object]) -> None:
    _, messages = sentencepiece()
    proto = messages.ModelProto.FromString(path.read_bytes())
    change(proto)
    path.write_bytes(proto.SerializeToString())


_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 5069051\n"


@pytest.mark.parametrize(
    "content", [_POINTER, b"<!DOCTYPE html><html></html>", b"", b"\0" * 100], ids=str
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    write_sentencepiece(tmp_path, "xlm-roberta").write_bytes(content)
    with pytest.raises(
        TokenizerError, match=r"sentencepiece\.bpe\.model .*Take the file that the checkpoint was"
    ):
        read(tmp_path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, part: float) -> None:
    path = write_sentencepiece(tmp_path, "albert")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(TokenizerError, match=r"spiece\.model is no whole SentencePiece file"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["bpe", "char", "word"])
def test_a_model_of_another_type_is_named(tmp_path: Path, kind: str) -> None:
    options = {"use_all_vocab": True} if kind in ("char", "word") else {}
    write_sentencepiece(tmp_path, "xlm-roberta", model_type=kind, **options)
    with pytest.raises(
        UnknownComponentError, match=rf"has the model type '{kind}'.*Expected unigram"
    ):
        read(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"byte_fallback": True, "vocab_size": 500}, "byte_fallback"),
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix"),
        ({"escape_whitespaces": False}, "escape_whitespaces=false"),
    ],
)
def test_an_option_that_cannot_be_compiled_is_named(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    escape = options.pop("escape_whitespaces", True)
    path = write_sentencepiece(tmp_path, "xlm-roberta", **options)
    _edit(path, lambda proto: setattr(proto.normalizer_spec, "escape_whitespaces", escape))
    with pytest.raises(UnknownComponentError, match=message):
        read(tmp_path)


def test_a_model_without_ordinary_pieces_is_refused(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path, "xlm-roberta")

    def empty(proto: Any) -> None:
        del proto.pieces[3:]

    _edit(path, empty)
    with pytest.raises(VocabularyError, match="without a single ordinary piece"):
        read(tmp_path)


def test_a_class_of_its_own_code_is_named(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path, "albert")
    edit_json(tmp_path / "tokenizer_config.json", tokenizer_class="T5Tokenizer")
    with pytest.raises(UnknownComponentError, match="T5Tokenizer is Python code of its own"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("deberta-v2", {"split_by_punct": True}, "split_by_punct is true"),
        ("xlm-roberta", {"sp_model_kwargs": {"enable_sampling": True}}, "draws lots"),
        ("albert", {"pad_token": None}, "no pad_token"),
        (
            "albert",
            {"added_tokens_decoder": {"900": {**_ADDED, "content": "<e>", "single_word": True}}},
            "'<e>' has single_word=true",
        ),
        (
            "xlm-roberta",
            {
                "added_tokens_decoder": {
                    "900": {**_ADDED, "content": "<e>", "rstrip": True},
                    "901": {**_ADDED, "content": " x"},
                }
            },
            "'<e>' has rstrip=true.*white space off the added token ' x'",
        ),
    ],
    ids=["split_by_punct", "sampling", "pad_token", "single_word", "strips another"],
)
def test_a_setting_that_cannot_be_compiled_is_named(
    tmp_path: Path, family: str, changes: dict[str, Any], message: str
) -> None:
    write_sentencepiece(tmp_path, family)
    edit_json(tmp_path / "tokenizer_config.json", **changes)
    with pytest.raises(TokenizerError, match=message):
        read(tmp_path)


def test_a_file_under_another_familys_name_is_told(tmp_path: Path) -> None:
    path = write_sentencepiece(tmp_path, "xlm-roberta")
    path.rename(tmp_path / "spm.model")
    with pytest.raises(TokenizerError, match="transformers cannot load this tokenizer"):
        read(tmp_path)
