"""What many tests need: where shared files are, checkpoints, exports."""

import csv
import gzip
import itertools
import json
import os
import shutil
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tfclf

from .checkpoints import ROOT, tiny_checkpoint

SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and vocabularies, which are no part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"real data is not at {SHARED}; set TFCLF_SHARED to where it is")
    return SHARED


@pytest.fixture(scope="session")
def ag_news(shared: Path) -> list[str]:
    """The 7,600 official test rows."""
    with (shared / "data" / "ag_news" / "test.csv").open(encoding="utf-8", newline="") as file:
        return [f"{title} {description}" for _, title, description in csv.reader(file)]


@pytest.fixture(scope="session")
def mixed_rows(shared: Path, ag_news: list[str]) -> list[str]:
    """500 real rows of very different lengths: news, and film reviews past 512 tokens."""
    with gzip.open(shared / "data" / "imdb" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        reviews = [json.loads(line)["text"] for line in itertools.islice(file, 100)]
    return ["", *ag_news[:399], *reviews]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny DistilBERT with random weights."""
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def own_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(checkpoint, tmp_path / "own"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny DistilBERT as version 1 of an export."""
    return tfclf.export(checkpoint, tmp_path_factory.mktemp("exports") / "tiny")


@pytest.fixture
def own_export(exported: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(exported, tmp_path / "own_export" / "1"))


@pytest.fixture(scope="session")
def classifier(exported: Path) -> tfclf.Classifier:
    """The export, loaded."""
    return tfclf.load(exported)
