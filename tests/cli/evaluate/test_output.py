"""The folder of --output is checked before anything is read."""

import errno
import os
from pathlib import Path

import pytest

from tfclf.cli.evaluate.output import check_output, write_report
from tfclf.errors import InputError


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


def test_a_full_disk_is_told_with_the_folder() -> None:
    def fill_disk(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"--output report cannot be written: No space left"):
        write_report(Path("report"), fill_disk)
