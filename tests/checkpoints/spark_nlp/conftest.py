"""Models to read and to spoil, made once."""

import shutil
from pathlib import Path

import pytest

from tests.checkpoints.spark_nlp.writers import spark_nlp_model, zipped


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny DistilBERT as Spark NLP would save it."""
    folder = tmp_path_factory.mktemp("spark_nlp") / "tiny"
    spark_nlp_model(folder, "distilbert", n_layers=1)
    return folder


@pytest.fixture
def own_model(model: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(model, tmp_path / "own"))


@pytest.fixture(scope="session")
def archive(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a zip."""
    return zipped(model, tmp_path_factory.mktemp("spark_nlp") / "tiny_sequence_classifier.zip")
