"""Looks at a base path: each depends on what the last one saw."""

import logging
import shutil
from pathlib import Path

import pytest

from tests.server.fakes import write_version
from tfclf.server.lifecycle.base_path import BasePath
from tfclf.server.lifecycle.version_policy import Policy

ALL = Policy(all=Policy.All())


@pytest.fixture
def base(tmp_path: Path) -> Path:
    write_version(tmp_path / "demo", 1)
    return tmp_path / "demo"


def look(
    seen: BasePath, policy: Policy = ALL, *, loaded: tuple[int, ...] = (), at_rest: bool = True
) -> list[int]:
    folders = seen.look(
        policy, loaded={number: seen.folder / str(number) for number in loaded}, at_rest=at_rest
    )
    assert folders is not None
    return sorted(folders)


def test_the_first_look_may_take_what_is_there(base: Path) -> None:
    assert look(BasePath("demo", base), at_rest=False) == [1]


def test_a_new_version_counts_from_the_second_look_on(base: Path) -> None:
    seen = BasePath("demo", base)
    assert [look(seen), look(seen)] == [[], [1]]


def test_a_version_whose_files_change_does_not_count(base: Path) -> None:
    seen = BasePath("demo", base)
    for length in range(5):
        (base / "1" / "saved_model.pb").write_text("x" * length)
        assert look(seen) == []
    assert look(seen) == [1]


def test_a_version_that_still_gets_files_does_not_count(base: Path) -> None:
    seen = BasePath("demo", base)
    for number in range(5):
        (base / "1" / "assets" / str(number)).mkdir(parents=True)
        (base / "1" / "assets" / str(number) / "vocabulary.txt").touch()
        assert look(seen) == []
    assert look(seen) == [1]


def test_a_loaded_version_needs_no_rest(base: Path) -> None:
    assert look(BasePath("demo", base), loaded=(1,)) == [1]


def test_until_the_newest_is_at_rest_the_one_before_is_the_latest(base: Path) -> None:
    seen = BasePath("demo", base)
    write_version(base, 2)
    latest = Policy(latest=Policy.Latest(num_versions=1))
    assert look(seen, latest, loaded=(1,)) == [1]
    assert look(seen, latest, loaded=(1,)) == [2]


def test_a_link_that_leads_nowhere_does_no_harm(base: Path) -> None:
    (base / "1" / "dangling").symlink_to(base / "nowhere")
    seen = BasePath("demo", base)
    assert [look(seen), look(seen)] == [[], [1]]


def test_a_version_may_be_a_link(base: Path, tmp_path: Path) -> None:
    elsewhere = write_version(tmp_path / "elsewhere", 7)
    (base / "2").symlink_to(elsewhere)
    seen = BasePath("demo", base)
    look(seen)
    assert look(seen) == [1, 2]


def test_a_loaded_version_that_is_half_removed_is_there_until_its_folder_goes(base: Path) -> None:
    seen = BasePath("demo", base)
    (base / "1" / "saved_model.pb").unlink()
    assert look(seen, loaded=(1,)) == [1]
    (base / "1").rmdir()
    assert look(seen, loaded=(1,)) == []


def test_a_base_path_that_is_gone_is_not_a_base_path_without_versions(base: Path) -> None:
    seen = BasePath("demo", base)
    shutil.rmtree(base)
    assert seen.look(ALL, loaded={}, at_rest=True) is None
    base.mkdir()
    assert look(seen) == []


def test_what_is_amiss_is_logged_each_time_it_begins(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = BasePath("demo", base)
    asked = Policy(specific=Policy.Specific(versions=[1, 2]))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            look(seen, asked)
        write_version(base, 2)
        look(seen, asked)
        shutil.rmtree(base / "2")
        for _ in range(3):
            look(seen, asked)
    assert [message for message in caplog.messages if "version 2" in message] == 2 * [
        f"version 2 of model 'demo' was asked for, but is not in {base}"
    ]


def test_a_loaded_version_that_is_written_over_is_said_once(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = BasePath("demo", base)
    look(seen, at_rest=False)
    look(seen, loaded=(1,))
    (base / "1" / "saved_model.pb").write_text("another export")
    for _ in range(3):
        assert look(seen, loaded=(1,)) == [1]
    (message,) = caplog.messages
    assert f"the files in {base}/1 have changed since version 1 of model 'demo'" in message


def test_a_version_that_was_still_copied_when_it_was_loaded_is_said(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = BasePath("demo", base)
    look(seen, at_rest=False)
    (base / "1" / "saved_model.pb").write_text("the whole export")
    look(seen, loaded=(1,))
    assert "have changed since version 1" in caplog.text


def test_a_certificate_does_not_change_a_loaded_version(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen = BasePath("demo", base)
    look(seen, at_rest=False)
    (base / "1" / "assets.extra").mkdir()
    (base / "1" / "assets.extra" / "tfclf.json").write_text("{}")
    look(seen, loaded=(1,))
    assert not caplog.messages
