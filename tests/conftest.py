"""Fixtures of many tests: shared files, checkpoints, exports."""

import gc
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tfclf
from samples import corpora
from samples.checkpoints import ROOT, tiny_checkpoint
from tests.counts import Counts

SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))

_TOGETHER = ("tests/client/", "tests/server/conformance/")
_COUNTS = pytest.StashKey[Counts]()


# Every run draws the same examples, so a test that passed passes again on any machine.
# `pytest --hypothesis-profile=explore` draws others, which may find more.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("suite", _CALM, derandomize=True)
settings.register_profile("explore", _CALM, derandomize=False)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--hostile",
        type=int,
        default=1_000_000,
        help="hostile strings for each tokenizer in verify",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Schedule like `--dist loadfile`, but keep folders that share servers on one worker."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class _Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((folder for folder in _TOGETHER if file.startswith(folder)), file)

    return _Scheduling(config, log)


def pytest_collection_finish() -> None:
    """Exempt all imported modules from garbage collection: they stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counts = config.stash.get(_COUNTS, None)
    if counts and counts.lines:
        terminalreporter.section("differing rows")
        terminalreporter.write_line(counts.table())


@pytest.fixture(scope="session")
def counts(pytestconfig: pytest.Config) -> Counts:
    """Return the counts that `make verify` prints as a table at its end."""
    return pytestconfig.stash.setdefault(_COUNTS, Counts())


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data and vocabularies, which is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"real data is not at {SHARED}; set TFCLF_SHARED to where it is")
    return SHARED


@pytest.fixture(scope="session")
def ag_news(shared: Path) -> list[str]:
    """Return the 7,600 rows of the official test split."""
    return corpora.ag_news(shared)


@pytest.fixture(scope="session")
def mixed_rows(shared: Path, ag_news: list[str]) -> list[str]:
    """Return 100 real rows of very different lengths: news, and reviews of over 512 tokens."""
    return _mixed_rows(shared, ag_news, 100)


@pytest.fixture(scope="session")
def many_mixed_rows(shared: Path, ag_news: list[str]) -> list[str]:
    """Return 500 such rows."""
    return _mixed_rows(shared, ag_news, 500)


def _mixed_rows(shared: Path, ag_news: list[str], count: int) -> list[str]:
    reviews = corpora.imdb(shared)[: count // 5]
    return ["", *ag_news[: count - 1 - len(reviews)], *reviews]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny DistilBERT with random weights."""
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def own_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    """Return a copy that the test may change."""
    return Path(shutil.copytree(checkpoint, tmp_path / "own"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return version 1 of an export of the tiny DistilBERT."""
    return tfclf.export(checkpoint, tmp_path_factory.mktemp("exports") / "tiny")


@pytest.fixture
def own_export(exported: Path, tmp_path: Path) -> Path:
    """Return a copy that the test may change."""
    return Path(shutil.copytree(exported, tmp_path / "own_export" / "1"))


@pytest.fixture(scope="session")
def classifier(exported: Path) -> tfclf.Classifier:
    """Return the export, loaded."""
    return tfclf.load(exported)
