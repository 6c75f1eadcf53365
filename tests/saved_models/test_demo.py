"""The bundled model is what its card says."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import tfclf
from samples.checkpoints import DEMO, LABELS, ROOT
from tfclf.checkpoints.opening import open_checkpoint
from tfclf.data import labelled_rows
from tfclf.evaluation import evaluate
from tfclf.files import hash_files
from tfclf.sample_texts import HEADLINES

sys.path.insert(0, str(ROOT / "saved_models"))

import restore_checkpoint


@pytest.fixture(scope="module")
def demo() -> tfclf.Classifier:
    return tfclf.load(DEMO)


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restored") / "checkpoint"
    restore_checkpoint.restore(folder)
    return folder


@pytest.fixture
def own_copy(tmp_path: Path) -> Path:
    """`verify` writes its certificate into what it verifies."""
    return Path(shutil.copytree(DEMO / "1", tmp_path / "demo" / "1"))


def test_it_sorts_headlines(demo: tfclf.Classifier) -> None:
    expected = [
        "Business",
        "Sports",
        "World",
        "Sci/Tech",
        "Business",
        "Sci/Tech",
        "World",
        "Sports",
    ]
    assert [prediction.label for prediction in demo.predict(HEADLINES)] == expected


def test_its_labels_are_in_the_order_of_ag_news(demo: tfclf.Classifier) -> None:
    assert demo.labels == LABELS


def test_its_folder_stays_under_40_megabytes() -> None:
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= 40_000_000


def test_it_carries_a_certificate_of_equality(demo: tfclf.Classifier) -> None:
    assert demo.manifest.certificate
    assert demo.manifest.certificate["equal"] is True


@pytest.mark.verify
def test_it_equals_its_restored_checkpoint(own_copy: Path, restored: Path) -> None:
    assert tfclf.verify(own_copy, restored).equal


def test_it_equals_its_restored_checkpoint_on_real_rows(
    demo: tfclf.Classifier, restored: Path, ag_news: list[str]
) -> None:
    """`make verify` compares the whole vocabulary and all lengths, too."""
    original = open_checkpoint(restored).load_reference()
    encoded = original.encode(ag_news[:50])
    assert demo.tokenize(ag_news[:50]).to_list() == encoded["input_ids"]
    found = demo(ag_news[:50])["logits"].numpy()
    np.testing.assert_allclose(found, original.logits(encoded), rtol=1e-5, atol=1e-5)


def test_its_checksums_are_those_of_its_files(demo: tfclf.Classifier) -> None:
    found = {
        name: digest
        for name, digest in hash_files(DEMO / "1").items()
        if not name.endswith("tfclf.json")
    }
    assert found == demo.manifest.checksums


@pytest.mark.verify
def test_its_accuracy_on_the_official_test_split_is_the_cards(
    demo: tfclf.Classifier, shared: Path
) -> None:
    rows = labelled_rows(shared / "data" / "ag_news" / "test.csv", demo.labels)
    report = evaluate(lambda texts: demo.predict(texts), rows, demo.labels)
    card = json.loads((DEMO / "metrics.json").read_text(encoding="utf-8"))["test"]
    assert report.samples == 7_600
    assert report.accuracy == pytest.approx(card["eval_accuracy"], abs=2 / 7_600)
    assert report.accuracy >= 0.90


@pytest.mark.verify
def test_it_equals_its_restored_checkpoint_on_the_whole_test_split(
    own_copy: Path, restored: Path, ag_news: list[str]
) -> None:
    assert tfclf.verify(own_copy, restored, ag_news).equal
