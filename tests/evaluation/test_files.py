"""The files of a report are written all together, or not at all."""

import stat
from pathlib import Path

import pytest

from tests.evaluation.answers import report_on
from tfclf.evaluation import Report
from tfclf.evaluation.writing import REPORT_FILES
from tfclf.files import fill_folder


@pytest.fixture(scope="module")
def report() -> Report:
    return report_on(["one", "two"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip drawing: other tests check the content of the files."""
    monkeypatch.setattr(
        "tfclf.evaluation.pages._draw_plots", lambda *_: {"matrix": "", "reliability": ""}
    )
    monkeypatch.setattr("tfclf.evaluation.plot._save_png", lambda _, path: path.write_bytes(b"PNG"))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_files_are_written(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "new" / "report")
    assert names(tmp_path / "new" / "report") == set(REPORT_FILES)
    assert names(tmp_path / "new") == {"report"}


def test_other_files_in_the_folder_stay(report: Report, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    (tmp_path / "report.md").write_text("old")
    report.write(tmp_path)
    assert names(tmp_path) == {*REPORT_FILES, "own.txt"}
    assert (tmp_path / "report.md").read_text(encoding="utf-8") != "old"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_report_leaves_nothing(
    report: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    there: bool,
) -> None:
    folder = tmp_path / "report"
    if there:
        folder.mkdir()

    def interrupted(*arguments: object, **options: object) -> str:
        raise error

    monkeypatch.setattr("tfclf.evaluation.writing.report_page", interrupted)
    with pytest.raises((KeyboardInterrupt, OSError)):
        report.write(folder)
    assert names(tmp_path) == ({"report"} if there else set())
    assert not there or names(folder) == set()


def test_the_folder_is_as_readable_as_any_other(tmp_path: Path) -> None:
    with fill_folder(tmp_path / "report") as beside:
        (beside / "a").write_text("a")
    (tmp_path / "other").mkdir()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("report", "other")]
    assert modes[0] == modes[1]
