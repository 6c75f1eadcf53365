"""Framing and truncation give the rows of the reference tokenizer."""

import functools
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from samples.checkpoints import (
    DEMO_FILES,
    edit_json,
    write_json,
    write_sentencepiece,
    write_tokenizer,
)
from tfclf._transformers import transformers
from tfclf.errors import TokenizerError
from tfclf.graph.framing import Frame, to_dense
from tfclf.tokenization.read import load_reference, read
from tfclf.tokenization.spec import Place, TokenizerSpec

LENGTHS = (0, 1, 2, 5, 8, 9, 10, 11, 12, 13, 30)
LIMIT = 13


@pytest.fixture(scope="module", params=["right", "left"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("framing")
    write_tokenizer(folder)
    write_json(folder / "config.json", {"model_type": "distilbert"})
    # BERT's class has token types.
    changes = {
        "tokenizer_class": "BertTokenizer",
        "truncation_side": request.param,
        "model_max_length": LIMIT,
    }
    edit_json(folder / "tokenizer_config.json", **changes)
    return folder


def _make_frame(folder: Path, *, max_length: int = LIMIT) -> Frame:
    return Frame(_read_spec(folder), max_length=max_length)


@functools.cache
def _read_spec(folder: Path) -> TokenizerSpec:
    return read(folder)


@functools.cache
def _load_reference(folder: Path) -> Any:
    return transformers().AutoTokenizer.from_pretrained(folder)


@functools.cache
def _list_words() -> list[tuple[int, str]]:
    """List ids whose pieces are whole words: a text of those words has exactly these ids."""
    lines = (DEMO_FILES / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return [(index, piece) for index, piece in enumerate(lines) if index > 2000 and piece.isalpha()]


def _make_rows(lengths: tuple[int, ...], start: int) -> tf.RaggedTensor:
    ids = [index for index, _ in _list_words()][start:]
    return tf.ragged.constant(
        [ids[:length] for length in lengths], tf.int32, row_splits_dtype=tf.int32
    )


def _write_texts(rows: tf.RaggedTensor) -> list[str]:
    words = dict(_list_words())
    return [" ".join(words[index] for index in row) for row in rows.to_list()]


def test_single_rows_equal_the_reference(folder: Path) -> None:
    ids = _make_rows(LENGTHS, 0)
    reference = _load_reference(folder)
    expected = reference(_write_texts(ids), truncation=True)["input_ids"]
    assert _make_frame(folder).pack(ids).input_ids.to_list() == expected


def test_pairs_of_all_lengths_equal_the_reference(folder: Path) -> None:
    both = list(itertools.product(LENGTHS, LENGTHS))
    first, second = (
        _make_rows(tuple(lengths), start)
        for lengths, start in zip(zip(*both, strict=True), (0, 40), strict=True)
    )
    reference = _load_reference(folder)
    texts = map(_write_texts, (first, second))
    expected = reference(*texts, truncation=True)["input_ids"]
    assert _make_frame(folder).pack_pairs(first, second).input_ids.to_list() == expected


@pytest.mark.parametrize("limit", range(5, 40))
def test_pairs_equal_the_reference_at_every_limit(folder: Path, limit: int) -> None:
    first, second = _make_rows((3, 20, 9, 15), 0), _make_rows((20, 3, 10, 15), 40)
    reference = _load_reference(folder)
    texts = map(_write_texts, (first, second))
    expected = reference(*texts, truncation=True, max_length=limit)["input_ids"]
    batch = _make_frame(folder, max_length=limit).pack_pairs(first, second)
    assert batch.input_ids.to_list() == expected


@pytest.mark.parametrize("family", ["albert", "xlm-roberta"])
def test_pairs_of_a_slow_tokenizer_equal_the_reference_at_every_limit(
    tmp_path: Path, family: str
) -> None:
    write_sentencepiece(tmp_path, family)
    spec, reference = read(tmp_path), load_reference(tmp_path)
    both = list(itertools.product([0, 3, 9, 10, 20], repeat=2))
    # Each mark is a token of its own, whatever stands beside it.
    firsts, seconds = ([" ?" * lengths[place] for lengths in both] for place in (0, 1))
    ids = [reference(texts, add_special_tokens=False)["input_ids"] for texts in (firsts, seconds)]
    first, second = (
        tf.ragged.constant(rows, tf.int32, row_splits_dtype=tf.int32, ragged_rank=1) for rows in ids
    )
    for limit in range(6, 30):
        expected = reference(firsts, seconds, truncation=True, max_length=limit)["input_ids"]
        rows = Frame(spec, max_length=limit).pack_pairs(first, second).input_ids
        assert rows.to_list() == expected


def test_truncated_says_which_rows_lost_tokens(folder: Path) -> None:
    batch = _make_frame(folder).pack(_make_rows((0, LIMIT - 2, LIMIT - 1), 0))
    assert batch.truncated.numpy().tolist() == [False, False, True]


def test_a_limit_without_room_is_refused(folder: Path) -> None:
    with pytest.raises(TokenizerError, match="rows may hold 4 tokens"):
        _make_frame(folder, max_length=4)


def test_dense_rows_are_padded_with_the_pad_id() -> None:
    input_ids, mask = to_dense(tf.ragged.constant([[5], [5, 6, 7]], tf.int32), pad_id=9)
    assert input_ids.numpy().tolist() == [[5, 9, 9], [5, 6, 7]]
    assert mask.numpy().tolist() == [[1, 0, 0], [1, 1, 1]]


def test_a_template_may_hold_several_tokens_at_a_place(folder: Path) -> None:
    spec = read(folder)
    frame = Frame(
        replace(spec, template=replace(spec.template, single=(Place((1, 2)), Place()))),
        max_length=LIMIT,
    )
    ids = tf.ragged.constant([[7, 8]], tf.int32, row_splits_dtype=tf.int32)
    assert frame.pack(ids).input_ids.to_list() == [[1, 2, 7, 8]]


def test_token_types_of_pairs_equal_the_reference(folder: Path) -> None:
    first, second = _make_rows((3, 20, 0), 0), _make_rows((20, 3, 0), 40)
    reference = transformers().BertTokenizerFast.from_pretrained(folder)
    expected = reference(*map(_write_texts, (first, second)), truncation=True)["token_type_ids"]
    assert _make_frame(folder).pack_pairs(first, second).token_types.to_list() == expected
