"""`verify` finds nothing where nothing is wrong, and each kind of mistake where one is."""

import dataclasses
import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
import typer

import tfclf
from samples.checkpoints import LABELS, edit_json, short_sizes, tiny_checkpoint
from tfclf import verifier
from tfclf._transformers import tf_class
from tfclf.checkpoints.files import hash_checkpoint
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.cli.export import verify as verify_command
from tfclf.errors import InputError, SavedModelError
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model.certificate import Certificate
from tfclf.saved_model.manifest import Manifest


@pytest.fixture(scope="module")
def checkpoint(short_checkpoint: Path) -> Path:
    """Return the checkpoint of 64 tokens: a comparison takes a row as long as the limit."""
    return short_checkpoint


@pytest.fixture(scope="module")
def exported(short_export: Path) -> Path:
    """Return its export."""
    return short_export


@pytest.fixture(scope="module")
def warm(exported: Path) -> tfclf.Classifier:
    """Return the export, loaded once for the tests that change only the checkpoint."""
    return tfclf.load(exported, xla=False)


@pytest.fixture
def own_export(own_export: Path, warm: tfclf.Classifier, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the export, whose own manifest `verify` reads beside the loaded graph."""

    def load(version: Path, *, xla: bool | None) -> tfclf.Classifier:
        assert version == own_export
        return tfclf.Classifier(warm._functions, Manifest.read(version), owner=warm, xla=xla)

    monkeypatch.setattr(verifier, "load_export", load)
    return own_export


@pytest.fixture
def verify_live(own_export: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Certificate]:
    """Return a `verify` of what an export of the checkpoint would hold, without writing one."""

    def verify(source: Path, **options: Any) -> Certificate:
        live = tfclf.load(source, **options)
        monkeypatch.setattr(verifier, "load_export", lambda *_, **__: live)
        return tfclf.verify(own_export, source, HEADLINES)

    return verify


@pytest.mark.sample("lean")
@pytest.mark.parametrize("engine", ["lean", "original"])
def test_an_export_equals_its_checkpoint(
    tmp_path: Path, checkpoint: Path, exported: Path, engine: str
) -> None:
    path = tmp_path / "model" / "1"
    if engine == "lean":
        shutil.copytree(exported, path)
    else:
        tfclf.export(checkpoint, path.parent, engine=engine)
    certificate = tfclf.verify(path, checkpoint)
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
            next(name for name in names if name.endswith("layer_._0/attention/q_lin/kernel:0"))
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


@pytest.mark.sample(("bert", "BertTokenizer"), ("bert", "DistilBertTokenizer"))
@pytest.mark.parametrize("family", ["bert", "distilbert"])
@pytest.mark.parametrize(
    "tokenizer_class", ["BertTokenizer", "DistilBertTokenizer", "PreTrainedTokenizerFast"]
)
def test_the_tokenizers_class_decides_about_token_types(
    tmp_path: Path, verify_live: Callable[..., Certificate], family: str, tokenizer_class: str
) -> None:
    source = tiny_checkpoint(tmp_path / "source", family, **short_sizes(family))
    edit_json(source / "tokenizer_config.json", tokenizer_class=tokenizer_class)
    assert verify_live(source).equal


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


def test_bfloat16_is_stated_beside_float32(
    own_export: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = tfclf.load(checkpoint, precision="bfloat16", xla=False)
    monkeypatch.setattr(verifier, "load_export", lambda *_, **__: classifier)
    certificate = tfclf.verify(own_export, checkpoint, HEADLINES)
    rounded, exact = certificate.agreement["bfloat16"], certificate.agreement["float32"]
    assert rounded.rows == exact.rows == len(HEADLINES)
    assert (certificate.texts, exact.label_agreement) == ("given", 1)
    assert exact.largest_logit_difference < 1e-5 < rounded.largest_logit_difference
    assert 0 < exact.largest_probability_difference < rounded.largest_probability_difference < 0.05  # type: ignore[operator]
    original = open_checkpoint(checkpoint).load_reference()
    same_labels = [
        prediction.label == LABELS[row.argmax()]
        for prediction, row in zip(
            classifier.predict(HEADLINES),
            original.logits(original.encode(HEADLINES)),
            strict=True,
        )
    ]
    assert rounded.label_agreement == sum(same_labels) / len(same_labels)
    stored = Manifest.read(own_export).certificate
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


@pytest.fixture
def other_source(own_checkpoint: Path) -> Path:
    """Return a checkpoint of other labels than the export has."""
    edit_json(
        own_checkpoint / "config.json", id2label={"0": "Sports", "1": "World", "2": "x", "3": "y"}
    )
    return own_checkpoint


def _certify(export: Path, source: Path) -> None:
    """Store a certificate that says equal to a source, without a comparison."""
    certificate = {"equal": True, "source_checksums": hash_checkpoint(source)}
    dataclasses.replace(Manifest.read(export), certificate=certificate).write(export)


def _is_stored_equal(export: Path) -> bool:
    certificate = Manifest.read(export).certificate
    assert certificate is not None
    return bool(certificate["equal"])


def test_a_wrong_source_does_not_overwrite_a_good_certificate(
    own_export: Path, checkpoint: Path, other_source: Path
) -> None:
    _certify(own_export, checkpoint)
    certificate = tfclf.verify(own_export, other_source, HEADLINES)
    assert (certificate.equal, certificate.stored) == (False, False)
    assert _is_stored_equal(own_export)


def test_a_difference_replaces_a_certificate_about_the_same_files(
    own_export: Path, other_source: Path
) -> None:
    _certify(own_export, other_source)
    assert tfclf.verify(own_export, other_source, HEADLINES).stored
    assert not _is_stored_equal(own_export)


def test_an_export_and_notes_in_the_sources_folder_are_no_files_of_the_source(
    own_export: Path, other_source: Path
) -> None:
    _certify(own_export, other_source)
    shutil.copytree(own_export, other_source / "1")
    (other_source / "README.md").write_text("notes")
    certificate = tfclf.verify(own_export, other_source, HEADLINES)
    assert set(certificate.source_checksums) == {
        "config.json",
        "special_tokens_map.json",
        "tf_model.h5",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    }
    assert certificate.stored


def test_the_command_says_that_a_good_certificate_is_kept(
    own_export: Path,
    checkpoint: Path,
    other_source: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _certify(own_export, checkpoint)
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(HEADLINES), encoding="utf-8")
    with pytest.raises(typer.Exit) as end:
        verify_command(str(own_export), str(other_source), texts)
    printed = capsys.readouterr()
    assert end.value.exit_code == 1
    assert printed.out.startswith("DIFFERS from the original")
    assert "keeps its certificate" in printed.err


def test_a_fault_that_only_tracing_shows_is_caught(
    checkpoint: Path,
    verify_live: Callable[..., Certificate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The original engine is traced with unknown shapes, so the reference must not be."""
    original = tf_class("TFDistilBertForSequenceClassification")
    call = original.call

    @functools.wraps(call)
    def shift_if_traced(self: Any, inputs: Any, *rest: Any, **options: Any) -> Any:
        outputs = call(self, inputs, *rest, **options)
        if inputs["input_ids"].shape[1] is None:
            outputs.logits = outputs.logits + 1
        return outputs

    monkeypatch.setattr(original, "call", shift_if_traced)
    certificate = verify_live(checkpoint, engine="original")
    assert not certificate.equal
    assert certificate.differences[0].what == "logits"


def test_the_file_that_transformers_itself_would_read_is_proved_against(
    own_export: Path, checkpoint: Path, own_checkpoint: Path, tmp_path: Path
) -> None:
    """Between two weights files, from_pretrained takes the safetensors."""
    other = tiny_checkpoint(tmp_path / "other", seed=1, **short_sizes("distilbert"))
    model = tf_class("TFDistilBertForSequenceClassification").from_pretrained(other)
    model.save_pretrained(own_checkpoint, safe_serialization=True)
    shutil.copy(checkpoint / "config.json", own_checkpoint)
    assert not tfclf.verify(own_export, own_checkpoint, HEADLINES).equal


def test_no_text_proves_nothing(own_export: Path, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="no text to compare on"):
        tfclf.verify(own_export, checkpoint, [])


def test_a_folder_without_an_export_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(SavedModelError, match="holds no version of a model"):
        tfclf.verify(tmp_path, checkpoint)
