"""The piece of each id is the one that the reference's `convert_ids_to_tokens` gives."""

from collections.abc import Callable
from pathlib import Path

import pytest

from samples.checkpoints import write_sentencepiece, write_tokenizer
from samples.tokenizers import PUBLISHED
from tests.tokenization.test_one_reference import _write_merges
from tfclf.tokenization.pieces import list_pieces
from tfclf.tokenization.read import load_reference, read


def _check(folder: Path) -> None:
    """Check the pieces of all ids that a text may become."""
    reference, pieces = load_reference(folder), list_pieces(read(folder))
    for index, piece in enumerate(pieces):
        expected = reference.convert_ids_to_tokens(index)
        # ALBERT and XLNet split pieces such as "9,": no text becomes their ids.
        assert piece == expected or (piece is None and reference.tokenize(expected) != [expected])
    assert len(pieces) > max(reference.all_special_ids)


@pytest.mark.parametrize("family", ["albert", "camembert", "xlm-roberta", "xlnet"])
def test_pieces_of_a_sentencepiece_file_are_the_reference_s(family: str, tmp_path: Path) -> None:
    write_sentencepiece(tmp_path, family)
    _check(tmp_path)


@pytest.mark.parametrize("write", [write_tokenizer, _write_merges])
def test_pieces_of_other_vocabularies_are_the_reference_s(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    write(tmp_path)
    _check(tmp_path)


def test_an_added_token_is_named_as_it_was_given(tmp_path: Path) -> None:
    write_tokenizer(tmp_path)
    reference = load_reference(tmp_path)
    reference.add_tokens(["<URL>"])
    reference.save_pretrained(tmp_path)
    pieces = list_pieces(read(tmp_path))
    assert pieces[len(reference) - 1] == "<URL>"


@pytest.mark.sample("xlm-roberta-base, sentencepiece.bpe.model", "albert-base-v2, tokenizer.json")
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_pieces_of_a_published_tokenizer_are_the_reference_s(
    name: str, shared: Path, tmp_path: Path
) -> None:
    _check(PUBLISHED[name](shared, tmp_path))
