"""Fixtures of many tests: shared files, checkpoints, exports."""

import ctypes
import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tfclf
from samples import corpora
from samples.checkpoints import ROOT, short_sizes, tiny_checkpoint
from tests.counts import Counts
from tests.no_warm_up import skip_warm_up_of_exports

SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))

_TOGETHER = (
    "tests/calibrator/",
    "tests/client/",
    "tests/server/conformance/",
    "tests/server/page/",
    "tests/spark/",
    "tests/training/",
)
# Files that export, train, prove, or start processes. `make test-fast` leaves them out. `make test`
# starts with them, longest first, so no worker is left alone with one at the end.
_SLOW = (
    "tests/client/",
    "tests/spark/",
    "tests/docs/test_docs.py",
    "tests/checkpoints/kerashub/",
    "tests/graph/",
    "tests/test_verifier.py",
    "tests/calibrator/",
    "tests/tokenization/test_sentencepiece_files.py",
    "tests/tokenization/test_unigram_json.py",
    "tests/training/test_resumed.py",
    "tests/training/test_trained.py",
    "tests/test_exporter.py",
    "tests/test_int8_exports.py",
    "tests/explaining/",
    "tests/families/",
    "tests/cli/test_cli.py",
    "tests/saved_models/",
    "tests/server/lifecycle/test_warm_up.py",
    "tests/tokenization/test_utf8.py",
    "tests/tokenization/test_byte_bpe.py",
    "tests/tokenization/test_wordpiece.py",
    "tests/checkpoints/",
    "tests/training/test_bases.py",
    "tests/training/test_by_card.py",
    "tests/training/test_precision.py",
    "tests/server/page/",
    "tests/server/test_process.py",
    "tests/server/test_attacks.py",
    "tests/server/test_command_line.py",
    "tests/server/test_fuzz.py",
    "tests/server/test_logs.py",
    "tests/server/test_xla.py",
    "tests/server/conformance/",
    "tests/server/rpc/test_regress.py",
    "tests/server/rpc/test_multi_inference.py",
    "tests/server/transport/test_tls.py",
    "tests/launcher/",
    "tests/catalog/pull/test_command.py",
    "tests/catalog/pull/test_hub.py",
    "tests/tokenization/",
    "tests/saved_model/test_ops.py",
    "tests/saved_model/test_integrity.py",
    "tests/saved_model/test_frozen_processes.py",
    "tests/test_loader.py",
    "tests/evaluation/test_pages.py",
    "tests/cli/evaluate/test_served.py",
    "tests/cli/evaluate/test_command.py",
    "tests/bench/test_peers.py",
    "tests/serving/test_deployments.py",
    "tests/serving/test_live_prometheus.py",
    "tests/tables/test_run.py",
    "tests/server/transport/rest/",
    "tests/server/transport/test_http.py",
    "tests/server/rpc/test_classify.py",
    "tests/server/rpc/test_tensors.py",
    "tests/catalog/pull/test_archive.py",
    "tests/docs/",
)
Once = Callable[[str, Callable[[Path], object]], Path]
_COUNTS = pytest.StashKey[Counts]()


# Every run draws the same examples, so a test that passed passes again on any machine.
# `make verify` draws more; `pytest --hypothesis-profile=explore` draws others, which may find more.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("suite", _CALM, derandomize=True, max_examples=40)
settings.register_profile("verify", _CALM, derandomize=True, max_examples=300)
settings.register_profile("explore", _CALM, derandomize=False, max_examples=300)
settings.load_profile("suite")

skip_warm_up_of_exports()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--hostile",
        type=int,
        default=1_000_000,
        help="hostile strings for each tokenizer in verify",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Schedule like `--dist loadfile`, but keep folders that share what is dear on one worker."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems

    class _Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return next((folder for folder in _TOGETHER if file.startswith(folder)), file)

    return _Scheduling(config, log)


def _place(item: pytest.Item) -> int:
    """Return the place of a test's file in _SLOW; one behind the last if it is not there."""
    places = (place for place, path in enumerate(_SLOW) if item.nodeid.startswith(path))
    return next(places, len(_SLOW))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if " at 0x" in item.nodeid:  # xdist ends with pages of differences, and runs nothing
            raise pytest.UsageError(f"{item.nodeid} has another name in each process; give it ids=")
        if _place(item) < len(_SLOW):
            item.add_marker("slow")
    items.sort(key=_place)


def pytest_collection_finish() -> None:
    """Exempt all imported modules from garbage collection: they stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave to `make verify` the cases of a test that its marker `sample` does not name.

    A case is named by a parameter's value, or by a tuple of the values of several parameters.
    """
    for sample in item.iter_markers("sample"):
        values = set(map(str, item.callspec.params.values()))  # type: ignore[attr-defined]
        cases = [case if isinstance(case, tuple) else (case,) for case in sample.args]
        if not any(values.issuperset(map(str, case)) for case in cases):
            item.add_marker("verify")


@pytest.fixture(scope="module", autouse=True)
def _free_memory() -> Iterator[None]:
    """Give back what a module loaded: graphs lie in cycles, and the allocator keeps their pages."""
    yield
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


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
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Return once(name, make): a folder that `make` fills, shared by all workers and read-only."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def make_once(name: str, make: Callable[[Path], object]) -> Path:
        folder, unfinished = root / "once" / name, root / "once" / f"{name}.unfinished"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(root / "once" / f"{name}.lock"):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return make_once


@pytest.fixture(scope="session")
def checkpoint(once: Once) -> Path:
    """Return a tiny DistilBERT with random weights."""
    return once("checkpoints", lambda folder: tiny_checkpoint(folder / "tiny")) / "tiny"


@pytest.fixture(scope="session")
def short_checkpoint(once: Once) -> Path:
    """Return a DistilBERT of one layer and 64 tokens: the original is fastest there."""

    def make(folder: Path) -> None:
        tiny_checkpoint(folder / "short", **short_sizes("distilbert"))

    return once("short checkpoints", make) / "short"


@pytest.fixture(scope="session")
def short_export(short_checkpoint: Path, once: Once) -> Path:
    """Return version 1 of an export of it."""
    exports = once("short exports", lambda folder: tfclf.export(short_checkpoint, folder / "short"))
    return exports / "short" / "1"


@pytest.fixture(scope="session")
def regression_export(once: Once) -> Path:
    """Return version 1 of an export of a regression, of that size too."""

    def make(folder: Path) -> None:
        checkpoint = tiny_checkpoint(
            folder / "checkpoint",
            problem_type="regression",
            id2label={"0": "similarity"},
            **short_sizes("distilbert"),
        )
        tfclf.export(checkpoint, folder / "value")

    return once("regression exports", make) / "value" / "1"


@pytest.fixture(scope="session")
def multi_label_checkpoint(once: Once) -> Path:
    """Return a multi-label checkpoint of that size, with the labels red, green and blue."""

    def make(folder: Path) -> None:
        tiny_checkpoint(
            folder / "colours",
            problem_type="multi_label_classification",
            id2label={"0": "red", "1": "green", "2": "blue"},
            **short_sizes("distilbert"),
        )

    return once("multi-label checkpoints", make) / "colours"


@pytest.fixture(scope="session")
def multi_label_export(multi_label_checkpoint: Path, once: Once) -> Path:
    """Return version 1 of an export of it."""

    def make(folder: Path) -> None:
        tfclf.export(multi_label_checkpoint, folder / "colours")

    return once("multi-label exports", make) / "colours" / "1"


@pytest.fixture
def own_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    """Return a copy that the test may change."""
    return Path(shutil.copytree(checkpoint, tmp_path / "own"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, once: Once) -> Path:
    """Return version 1 of an export of the tiny DistilBERT."""
    exports = once("exports", lambda folder: tfclf.export(checkpoint, folder / "tiny"))
    return exports / "tiny" / "1"


@pytest.fixture
def own_export(exported: Path, tmp_path: Path) -> Path:
    """Return a copy that the test may change."""
    return Path(shutil.copytree(exported, tmp_path / "own_export" / "1"))


@pytest.fixture(scope="session")
def classifier(exported: Path) -> tfclf.Classifier:
    """Return the export, loaded."""
    return tfclf.load(exported)
