"""A report's files are all there, or none is."""

import os
import stat
from pathlib import Path

import pytest

from tests.evaluation.answers import report_on
from tfclf.errors import InputError
from tfclf.evaluation import Report
from tfclf.evaluation.files import check_output, written_whole
from tfclf.evaluation.writing import REPORT_FILES


@pytest.fixture(scope="module")
def report() -> Report:
    return report_on(["one", "two"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the files has tests of its own."""
    monkeypatch.setattr(
        "tfclf.evaluation.pages._plots", lambda *_: {"matrix": "", "reliability": ""}
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
    with written_whole(tmp_path / "report") as beside:
        (beside / "a").write_text("a")
    (tmp_path / "other").mkdir()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("report", "other")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("name", ["file", "file/deeper"])
def test_a_file_in_the_folders_place_is_refused_first(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file is no folder"):
        check_output(tmp_path / name)


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match="link is no folder"):
        check_output(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written to"):
        check_output(tmp_path / "report")


def test_a_relative_folder_that_is_new_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_output(Path("new/report"))
