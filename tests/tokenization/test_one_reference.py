"""Training and reading a checkpoint pick the same tokenizer for the same files."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from samples.checkpoints import (
    DEMO_FILES,
    edit_json,
    write_json,
    write_sentencepiece,
    write_small_tokenizer,
    write_tokenizer,
)
from tests.tokenization.reference import Pair
from tfclf._transformers import tokenizers
from tfclf.sample_texts import HEADLINES, hostile_texts
from tfclf.tokenization import file_names
from tfclf.tokenization.read import load_reference
from tfclf.training.base import open_base

_TEXTS = [*HEADLINES, "", "  two  spaces ", "(9,9) \u03a3\u0391\u03a3 e\u0301", "[SEP]<s> <mask>"]
_TEXTS += hostile_texts(100, seed=21)


def _write_both(folder: Path) -> None:
    write_small_tokenizer(folder)
    write_json(folder / "config.json", {"model_type": "distilbert"})


def _write_tokenizer_json(folder: Path) -> None:
    _write_both(folder)
    (folder / file_names.VOCAB_TXT).unlink()


def _write_vocab_txt(folder: Path) -> None:
    write_tokenizer(folder, vocabulary=DEMO_FILES / file_names.VOCAB_TXT)
    write_json(folder / "config.json", {"model_type": "distilbert"})


def _write_vocab_txt_alone(folder: Path) -> None:
    _write_vocab_txt(folder)
    (folder / file_names.TOKENIZER_CONFIG).unlink()


def _write_merges(folder: Path) -> None:
    trained = tokenizers().ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(
        HEADLINES, vocab_size=500, special_tokens=special, show_progress=False
    )
    trained.save_model(str(folder))
    write_json(folder / "config.json", {"model_type": "roberta"})


def _write_named_fast(folder: Path) -> None:
    write_sentencepiece(folder, "xlm-roberta")
    edit_json(folder / file_names.TOKENIZER_CONFIG, tokenizer_class="XLMRobertaTokenizerFast")


def _write_byte_fallback(folder: Path) -> None:
    """Write DeBERTa-v3's layout, which has a piece for each byte."""
    write_sentencepiece(folder, "deberta-v2", byte_fallback=True, vocab_size=500)


# Files -> the function that writes them, and the class of the reference.
_LAYOUTS: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "tokenizer.json": (_write_tokenizer_json, "DistilBertTokenizerFast"),
    "tokenizer.json, vocab.txt": (_write_both, "DistilBertTokenizerFast"),
    "vocab.txt": (_write_vocab_txt, "DistilBertTokenizerFast"),
    "vocab.txt, no tokenizer_config.json": (_write_vocab_txt_alone, "DistilBertTokenizerFast"),
    "vocab.json, merges.txt": (_write_merges, "RobertaTokenizerFast"),
    "spiece.model": (lambda folder: write_sentencepiece(folder, "albert"), "AlbertTokenizer"),
    "sentencepiece.bpe.model": (
        lambda folder: write_sentencepiece(folder, "xlm-roberta"),
        "XLMRobertaTokenizer",
    ),
    "sentencepiece.bpe.model, the fast class named": (_write_named_fast, "XLMRobertaTokenizer"),
    "spm.model": (lambda folder: write_sentencepiece(folder, "deberta-v2"), "DebertaV2Tokenizer"),
    "spm.model, byte fallback": (_write_byte_fallback, "DebertaV2TokenizerFast"),
}
# DeBERTa-v3's takes 10 s to compile.
_COMPILED = [
    pytest.param(layout, marks=[pytest.mark.verify] if "fallback" in layout else [])
    for layout in _LAYOUTS
]


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_training_and_reading_pick_the_same_tokenizer(tmp_path: Path, layout: str) -> None:
    write, expected = _LAYOUTS[layout]
    write(tmp_path)
    (tmp_path / "tf_model.h5").touch()  # opening a base does not read the weights
    base = open_base(tmp_path, labels=["no", "yes"])
    assert type(base.tokenizer).__name__ == expected
    assert type(load_reference(tmp_path)).__name__ == expected


@pytest.mark.parametrize("layout", _COMPILED)
def test_reading_gives_the_ids_of_training(tmp_path: Path, layout: str) -> None:
    write, _ = _LAYOUTS[layout]
    write(tmp_path)
    (tmp_path / "tf_model.h5").touch()
    base = open_base(tmp_path, labels=["no", "yes"])
    assert list(Pair(tmp_path, other=base.tokenizer).differences(_TEXTS)) == []


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_a_trained_checkpoint_keeps_its_reference(tmp_path: Path, layout: str) -> None:
    write, expected = _LAYOUTS[layout]
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    write(old)
    (old / "tf_model.h5").touch()
    base = open_base(old, labels=["no", "yes"])
    base.copy_tokenizer(new)
    shutil.copy(old / "config.json", new)
    again = load_reference(new)
    assert type(again).__name__ == expected
    assert again(_TEXTS)["input_ids"] == base.tokenizer(_TEXTS)["input_ids"]


def test_every_file_of_a_tokenizer_is_named_once() -> None:
    assert len(set(file_names.TOKENIZER_FILES)) == len(file_names.TOKENIZER_FILES) == 11
