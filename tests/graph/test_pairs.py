"""A model with fewer token types than its tokenizer gives to two texts takes no pairs."""

from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import edit_json, tiny_checkpoint
from tests.signatures import few_signatures
from tfclf.errors import CheckpointError, InputError


@pytest.fixture(scope="module")
def one_type(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a RoBERTa with one token type behind BERT's tokenizer, which gives two."""
    folder = tiny_checkpoint(
        tmp_path_factory.mktemp("types") / "roberta",
        "roberta",
        num_hidden_layers=1,
        max_position_embeddings=66,
    )
    edit_json(
        folder / "tokenizer_config.json",
        tokenizer_class="BertTokenizer",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    return folder


@pytest.mark.sample("lean")
@pytest.mark.parametrize("engine", ["lean", "original"])
def test_pairs_are_refused_by_name(one_type: Path, engine: str) -> None:
    classifier = tfclf.load(one_type, engine=engine)
    assert classifier.predict("news").label
    for call in (
        lambda: classifier.predict(["news"], pairs=["sports"]),
        lambda: classifier.call_pairs(["news"], ["sports"]),
    ):
        with pytest.raises(InputError, match="token type 1, and the model has fewer"):
            call()


def test_an_export_has_no_signature_of_pairs_and_is_equal(one_type: Path, tmp_path: Path) -> None:
    with few_signatures("detail", "pairs", "detail_pairs", "tokenize", "encode"):
        path = tfclf.export(one_type, tmp_path / "exported")
    exported = tfclf.load(path)
    assert not exported.takes_pairs
    certificate = tfclf.verify(path, one_type, texts=["news", ""])
    assert (certificate.equal, certificate.pairs) == (True, 0)


def test_a_single_text_of_a_type_without_an_embedding_is_refused(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "roberta", "roberta")
    edit_json(
        folder / "tokenizer_config.json",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    single = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 2}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    edit_json(
        folder / "tokenizer.json",
        post_processor={
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}},
        },
    )
    with pytest.raises(CheckpointError, match=r"gives the token type 2, .* type_vocab_size 1"):
        tfclf.load(folder)
