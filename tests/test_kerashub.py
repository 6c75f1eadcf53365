"""KerasHub presets: ids and logits are those of KerasHub's own classifier, run in the same process."""

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import tfclf
from tests.kerashub_presets import KINDS, outputs, tiny_classifier, token_ids
from tfclf.errors import CheckpointError, TokenizerError, UnknownComponentError, UnknownFamilyError, VocabularyError
from tfclf.sample_texts import HEADLINES, hostile_texts

# Of Keras and KerasHub, which numpy has outrun and which leaves the vocabulary's file open.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
    pytest.mark.filterwarnings("ignore::ResourceWarning:keras_hub"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TOLERANCE = 1e-5
# NUL ends a row in KerasHub (TF-Text's RegexSplit reads a C string): docs/exactness.md.
HOSTILE = [text for text in hostile_texts(1500) if "\0" not in text]
PAIRS = list(zip(HOSTILE[:300], HOSTILE[300:600], strict=True))


@pytest.fixture(scope="module")
def keras_hub() -> Any:
    """KerasHub, on TensorFlow, quiet about its own dependencies."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras_hub", reason="KerasHub is not installed: pip install 'tfclf[kerashub]'")


Make = Callable[..., tuple[Any, Path]]


@pytest.fixture(scope="module")
def make(keras_hub: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A KerasHub classifier, and its preset's folder."""

    def made(name: str, **options: Any) -> tuple[Any, Path]:
        vocabularies = request.getfixturevalue("shared") / "vocab" if KINDS[name].vocabulary else None
        classifier = tiny_classifier(keras_hub, name, vocabularies, **options)
        folder = tmp_path_factory.mktemp(name) / "preset"
        classifier.save_to_preset(str(folder))
        return classifier, folder

    return made


@pytest.fixture(scope="module", params=sorted(KINDS))
def both(request: pytest.FixtureRequest, make: Make) -> tuple[Any, tfclf.Classifier]:
    """A classifier of each architecture, in KerasHub and here."""
    classifier, folder = make(request.param)
    return classifier, tfclf.load(folder)


@pytest.fixture(scope="module")
def preset(make: Make) -> Path:
    """One whose vocabulary needs no shared files."""
    return make("DistilBert")[1]


@pytest.fixture
def own_preset(preset: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(preset, tmp_path / "own"))


def ours(clf: tfclf.Classifier, texts: list[str], key: str = "logits") -> np.ndarray:
    found: np.ndarray = clf(tf.constant(texts))[key].numpy()
    return found


@pytest.mark.parametrize("texts", [list(HEADLINES), HOSTILE], ids=["headlines", "hostile"])
def test_the_logits_are_those_of_kerashub(both: tuple[Any, tfclf.Classifier], texts: list[str]) -> None:
    classifier, clf = both
    np.testing.assert_allclose(ours(clf, texts), outputs(classifier, texts), atol=TOLERANCE, rtol=TOLERANCE)


def test_the_logits_are_those_of_kerashub_on_real_rows(
    both: tuple[Any, tfclf.Classifier], mixed_rows: list[str]
) -> None:
    classifier, clf = both
    np.testing.assert_allclose(ours(clf, mixed_rows), outputs(classifier, mixed_rows), atol=TOLERANCE, rtol=TOLERANCE)


def test_the_ids_are_those_of_kerashub(both: tuple[Any, tfclf.Classifier], mixed_rows: list[str]) -> None:
    classifier, clf = both
    texts = [*HOSTILE, *mixed_rows]
    found = clf.tokenize(tf.constant(texts)).to_list()
    assert [row for row in zip(texts, found, token_ids(classifier, texts), strict=True) if row[1] != row[2]] == []


# An odd and an even number of places for the two; both ways to cut.
@pytest.mark.parametrize(
    ("name", "truncate", "length"),
    [(name, "round_robin", 20) for name in sorted(KINDS)]
    + [("DistilBert", "round_robin", 21), ("DistilBert", "waterfall", 20)],
)
def test_the_logits_of_pairs_are_those_of_kerashub(name: str, truncate: str, length: int, make: Make) -> None:
    classifier, folder = make(name, preprocessor={"sequence_length": length, "truncate": truncate})
    first, second = (list(column) for column in zip(*PAIRS, strict=True))
    found = tfclf.load(folder).call_pairs(first, second)["logits"].numpy()
    np.testing.assert_allclose(found, outputs(classifier, first, second), atol=TOLERANCE, rtol=TOLERANCE)
