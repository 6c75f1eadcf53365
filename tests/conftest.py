"""What many tests need: where shared files are, checkpoints, exports."""

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
from samples.checkpoints import ROOT, tiny_checkpoint
from tests.counts import Counts

SHARED = Path(os.environ.get("TFCLF_SHARED", ROOT.parent / "shared"))

_TOGETHER = ("tests/client/", "tests/server/conformance/")
# What exports, trains, proves, or starts processes: `make test-fast` leaves it out, and `make test` begins with it, the
# longest first, so that no worker is left alone with it at the end.
_SLOW = (
    "tests/client/",
    "tests/docs/test_docs.py",
    "tests/checkpoints/kerashub/",
    "tests/graph/",
    "tests/test_verifier.py",
    "tests/tokenization/test_sentencepiece_files.py",
    "tests/tokenization/test_unigram_json.py",
    "tests/training/test_resumed.py",
    "tests/training/test_trained.py",
    "tests/test_exporter.py",
    "tests/families/",
    "tests/cli/test_cli.py",
    "tests/saved_models/",
    "tests/tokenization/test_utf8.py",
    "tests/tokenization/test_byte_bpe.py",
    "tests/tokenization/test_wordpiece.py",
    "tests/checkpoints/",
    "tests/training/test_bases.py",
    "tests/training/test_by_card.py",
    "tests/training/test_precision.py",
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
    "tests/cli/evaluate/test_served.py",
    "tests/docs/",
)
Once = Callable[[str, Callable[[Path], object]], Path]
_COUNTS = pytest.StashKey[Counts]()


# The same examples in every run: what passed passes again, however slow the machine is. `make verify` tries more of
# them. For others, which may find what these do not: `pytest --hypothesis-profile=explore`.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("suite", _CALM, derandomize=True, max_examples=40)
settings.register_profile("verify", _CALM, derandomize=True, max_examples=300)
settings.register_profile("explore", _CALM, derandomize=False, max_examples=300)
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
    """As `--dist loadfile`, but folders whose files share servers and exports go to one worker as a whole."""
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
    """Of a test's file in _SLOW; behind all of them where it is not there."""
    places = (place for place, path in enumerate(_SLOW) if item.nodeid.startswith(path))
    return next(places, len(_SLOW))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _place(item) < len(_SLOW):
            item.add_marker("slow")
    items.sort(key=_place)


def pytest_collection_finish() -> None:
    """What is imported by now stays: no garbage collection need look at its millions of objects again."""
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
    """What `make verify` prints as a table when it ends."""
    return pytestconfig.stash.setdefault(_COUNTS, Counts())


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and vocabularies, which are no part of the project."""
    if not SHARED.is_dir():
        pytest.skip(f"real data is not at {SHARED}; set TFCLF_SHARED to where it is")
    return SHARED


@pytest.fixture(scope="session")
def ag_news(shared: Path) -> list[str]:
    """The 7,600 official test rows."""
    return corpora.ag_news(shared)


@pytest.fixture(scope="session")
def mixed_rows(shared: Path, ag_news: list[str]) -> list[str]:
    """100 real rows of very different lengths: news, and film reviews past 512 tokens."""
    return _mixed_rows(shared, ag_news, 100)


@pytest.fixture(scope="session")
def many_mixed_rows(shared: Path, ag_news: list[str]) -> list[str]:
    """500 of them."""
    return _mixed_rows(shared, ag_news, 500)


def _mixed_rows(shared: Path, ag_news: list[str], count: int) -> list[str]:
    reviews = corpora.imdb(shared)[: count // 5]
    return ["", *ag_news[: count - 1 - len(reviews)], *reviews]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """once(name, make): a folder that `make` fills, one for all workers; nobody changes it later."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, unfinished = root / "once" / name, root / "once" / f"{name}.unfinished"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(root / "once" / f"{name}.lock"):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def checkpoint(once: Once) -> Path:
    """A tiny DistilBERT with random weights."""
    return once("checkpoints", lambda folder: tiny_checkpoint(folder / "tiny")) / "tiny"


@pytest.fixture
def own_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(checkpoint, tmp_path / "own"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, once: Once) -> Path:
    """The tiny DistilBERT as version 1 of an export."""
    made = once("exports", lambda folder: tfclf.export(checkpoint, folder / "tiny"))
    return made / "tiny" / "1"


@pytest.fixture
def own_export(exported: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(exported, tmp_path / "own_export" / "1"))


@pytest.fixture(scope="session")
def classifier(exported: Path) -> tfclf.Classifier:
    """The export, loaded."""
    return tfclf.load(exported)
