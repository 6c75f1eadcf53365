"""Versions on disk are found like TF Serving finds them."""

from pathlib import Path

import pytest

from tfclf.errors import SavedModelError, SourceNotFoundError
from tfclf.saved_model.versions import find_versions, latest_version


def make(folder: Path, *files: str) -> Path:
    for name in files or ("saved_model.pb",):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_versions_are_compared_as_numbers(tmp_path: Path) -> None:
    for name in ("9", "10", "0002"):
        make(tmp_path / name)
    assert latest_version(tmp_path).number == 10


@pytest.mark.parametrize("name", ["v1", "1.5", "1_0", "tmp-1", "", "٣", "99999999999999999999"])
def test_a_folder_whose_name_is_no_number_is_no_version(tmp_path: Path, name: str) -> None:
    make(tmp_path / name)
    assert find_versions(tmp_path) == {}


def test_a_file_is_no_version(tmp_path: Path) -> None:
    (tmp_path / "1").touch()
    assert find_versions(tmp_path) == {}


@pytest.mark.parametrize(
    "files",
    [
        ["variables/variables.index"],
        ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00002"],
        ["saved_model.pb", "variables/variables.data-00000-of-00001"],
        ["saved_model.pb", "variables/variables.data-00000-of-00001.tempstate1"],
    ],
    ids=["no graph", "a shard is missing", "no index", "being written"],
)
def test_a_half_written_version_is_passed_over(tmp_path: Path, files: list[str]) -> None:
    make(tmp_path / "1")
    make(tmp_path / "2", *files)
    assert list(find_versions(tmp_path)) == [1]


def test_a_model_without_variables_is_whole(tmp_path: Path) -> None:
    make(tmp_path / "1")
    make(tmp_path / "2")
    (tmp_path / "2" / "variables").mkdir()  # as TF1 writes it
    assert list(find_versions(tmp_path)) == [1, 2]


def test_of_two_spellings_of_a_number_the_last_counts(tmp_path: Path) -> None:
    make(tmp_path / "01")
    assert find_versions(tmp_path) == {1: tmp_path / "01"}
    make(tmp_path / "1")
    assert find_versions(tmp_path) == {1: tmp_path / "1"}


def test_one_version_folder_is_taken_with_its_parents_name(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo" / "3")
    assert latest_version(folder) == ("demo", 3, folder)


def test_a_saved_model_without_number_is_version_1(tmp_path: Path) -> None:
    folder = make(tmp_path / "demo")
    assert latest_version(folder) == ("demo", 1, folder)


def test_a_relative_path_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "demo" / "1")
    monkeypatch.chdir(tmp_path / "demo")
    assert latest_version(".").model == "demo"


def test_a_base_path_without_versions_says_what_is_there(tmp_path: Path) -> None:
    make(tmp_path, "config.json", "v1/saved_model.pb")
    with pytest.raises(
        SavedModelError, match=r"found config\.json, v1\. Expected folders named with a number"
    ):
        latest_version(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="nowhere: there is no such folder"):
        latest_version(tmp_path / "nowhere")


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"saved_model\.pb: that is a file"):
        latest_version(make(tmp_path) / "saved_model.pb")
