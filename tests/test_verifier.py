"""`verify` finds nothing where nothing is wrong, and each kind of mistake where one is."""

import json
from pathlib import Path

import h5py
import pytest

import tfclf
from samples.checkpoints import edit_json, tiny_checkpoint
from tfclf.errors import InputError, SavedModelError
from tfclf.sample_texts import HEADLINES


@pytest.mark.sample("lean")
@pytest.mark.parametrize("engine", ["lean", "original"])
def test_an_export_equals_its_checkpoint(tmp_path: Path, checkpoint: Path, engine: str) -> None:
    certificate = tfclf.verify(
        tfclf.export(checkpoint, tmp_path / "model", engine=engine), checkpoint
    )
    assert certificate.equal
    assert certificate.rows > 500
    assert certificate.pairs > 0
    assert certificate.differences == ()


def test_the_certificate_travels_in_the_export(own_export: Path, checkpoint: Path) -> None:
    certificate = tfclf.verify(own_export, checkpoint, HEADLINES)
    manifest = json.loads((own_export / "assets.extra" / "tfclf.json").read_text(encoding="utf-8"))
    assert manifest["certificate"]["rows"] == certificate.rows == len(HEADLINES)
    assert set(manifest["certificate"]["source_checksums"]) >= {
        "config.json",
        "tf_model.h5",
        "vocab.txt",
    }


def test_a_wrong_weight_is_caught(own_export: Path, own_checkpoint: Path) -> None:
    with h5py.File(own_checkpoint / "tf_model.h5", "a") as file:
        names: list[str] = []
        file.visit(names.append)
        weight = file[
            next(name for name in names if name.endswith("layer_._1/attention/q_lin/kernel:0"))
        ]
        weight[3, 3] += 0.5
    certificate = tfclf.verify(own_export, own_checkpoint, HEADLINES)
    assert not certificate.equal
    assert certificate.token_mismatches == 0
    assert certificate.differences[0].what == "logits"


def test_a_wrong_piece_is_caught(own_export: Path, own_checkpoint: Path) -> None:
    path = own_checkpoint / "tokenizer.json"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"the":', '"thee":'), encoding="utf-8")
    certificate = tfclf.verify(own_export, own_checkpoint, HEADLINES)
    assert not certificate.equal
    assert certificate.token_mismatches >= 1
    assert certificate.differences[0].what == "tokens"


@pytest.mark.sample("bert")
@pytest.mark.parametrize("family", ["bert", "distilbert"])
@pytest.mark.parametrize(
    "tokenizer_class", ["BertTokenizer", "DistilBertTokenizer", "PreTrainedTokenizerFast"]
)
def test_the_tokenizers_class_decides_about_token_types(
    tmp_path: Path, family: str, tokenizer_class: str
) -> None:
    source = tiny_checkpoint(tmp_path / "source", family)
    edit_json(source / "tokenizer_config.json", tokenizer_class=tokenizer_class)
    assert tfclf.verify(tfclf.export(source, tmp_path / "model"), source, HEADLINES).equal


def test_one_wrong_embedding_is_caught(own_export: Path, own_checkpoint: Path) -> None:
    with h5py.File(own_checkpoint / "tf_model.h5", "a") as file:
        names: list[str] = []
        file.visit(names.append)
        file[next(name for name in names if name.endswith("word_embeddings/weight:0"))][
            2145, :7
        ] += 0.5
    assert not tfclf.verify(own_export, own_checkpoint, HEADLINES).equal


def test_an_added_token_that_the_export_lacks_is_caught(
    own_export: Path, own_checkpoint: Path
) -> None:
    edit_json(own_checkpoint / "tokenizer_config.json", additional_special_tokens=["[unused1]"])
    assert tfclf.verify(own_export, own_checkpoint, HEADLINES).token_mismatches > 0


def test_another_problem_type_is_caught(own_export: Path, own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "config.json", problem_type="multi_label_classification")
    assert not tfclf.verify(own_export, own_checkpoint, HEADLINES).equal


def test_bfloat16_is_stated_beside_float32(tmp_path: Path, checkpoint: Path) -> None:
    path = tfclf.export(checkpoint, tmp_path / "model", precision="bfloat16")
    certificate = tfclf.verify(path, checkpoint, HEADLINES)
    rounded, exact = certificate.agreement["bfloat16"], certificate.agreement["float32"]
    assert rounded.rows == exact.rows == len(HEADLINES)
    assert (certificate.texts, exact.label_agreement) == ("given", 1)
    assert exact.largest_logit_difference < 1e-5 < rounded.largest_logit_difference
    assert 0 < exact.largest_probability_difference < rounded.largest_probability_difference < 0.05  # type: ignore[operator]
    classifier, original = tfclf.load(path), tfclf.load(checkpoint, engine="original")
    expected = [
        one.label == other.label
        for one, other in zip(
            *(one.predict(HEADLINES) for one in (classifier, original)), strict=True
        )
    ]
    assert rounded.label_agreement == sum(expected) / len(expected)
    stored = classifier.manifest.certificate
    assert stored is not None
    assert stored["agreement"]["bfloat16"]["rows"] == len(HEADLINES)


def test_a_certificate_says_whether_its_texts_were_given(
    own_export: Path, checkpoint: Path
) -> None:
    certificate = tfclf.verify(own_export, checkpoint)
    assert certificate.texts == "built-in"
    assert set(certificate.agreement) == {"float32"}


def test_another_length_limit_is_caught(own_export: Path, own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "tokenizer_config.json", model_max_length=20)
    assert not tfclf.verify(own_export, own_checkpoint, ["news " * 30]).equal


def test_swapped_labels_are_caught(own_export: Path, own_checkpoint: Path) -> None:
    swapped = {"0": "Sports", "1": "World", "2": "Business", "3": "Sci/Tech"}
    edit_json(own_checkpoint / "config.json", id2label=swapped)
    certificate = tfclf.verify(own_export, own_checkpoint, HEADLINES)
    assert not certificate.equal
    assert not certificate.labels_equal


def test_a_failed_comparison_replaces_the_certificate(
    own_export: Path, checkpoint: Path, own_checkpoint: Path
) -> None:
    tfclf.verify(own_export, checkpoint, HEADLINES)
    edit_json(
        own_checkpoint / "config.json", id2label={"0": "Sports", "1": "World", "2": "x", "3": "y"}
    )
    tfclf.verify(own_export, own_checkpoint, HEADLINES)
    assert tfclf.load(own_export).manifest.certificate["equal"] is False  # type: ignore[index]


def test_no_text_proves_nothing(own_export: Path, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="no text to compare on"):
        tfclf.verify(own_export, checkpoint, [])


def test_a_folder_without_an_export_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(SavedModelError, match="holds no version of a model"):
        tfclf.verify(tmp_path, checkpoint)
