"""TensorFlow's threads, set by processes of tfclf's own for exports in parts."""

import os
from pathlib import Path

import pytest

from tests.saved_model.test_frozen_weights import write_manifest
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.threads import INTER_OP, INTRA_OP, give_each_part_a_core


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (INTRA_OP, INTER_OP):
        monkeypatch.setenv(name, "")  # so that what is set below is undone
        monkeypatch.delenv(name)


def _write(folder: Path, parts: int) -> Path:
    write_manifest(folder, parts=parts)
    (folder / "saved_model.pb").write_bytes(b"")
    return folder


def test_two_parts_on_two_cores_get_one_each(tmp_path: Path) -> None:
    assert give_each_part_a_core([_write(tmp_path / "1", 2)], cores=2)
    assert (os.environ[INTRA_OP], os.environ[INTER_OP]) == ("1", "2")


@pytest.mark.parametrize(("parts", "cores"), [(1, 1), (1, 2), (2, 1), (2, 4)])
def test_otherwise_nothing_is_set(parts: int, cores: int, tmp_path: Path) -> None:
    assert not give_each_part_a_core([_write(tmp_path / "1", parts)], cores=cores)
    assert INTRA_OP not in os.environ


def test_one_version_of_a_base_path_without_parts_forbids_it(tmp_path: Path) -> None:
    for number, parts in ((1, 1), (2, 2)):
        _write(tmp_path / "model" / str(number), parts)
    assert not give_each_part_a_core([tmp_path / "model"], cores=2)


@pytest.mark.parametrize("name", [INTRA_OP, INTER_OP])
def test_what_the_operator_has_set_stays(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "7")
    assert not give_each_part_a_core([_write(tmp_path / "1", 2)], cores=2)
    assert os.environ[name] == "7"


def test_a_broken_manifest_forbids_it(tmp_path: Path) -> None:
    folder = _write(tmp_path / "1", 2)
    Manifest.path(folder).write_text("{", encoding="utf-8")
    assert not give_each_part_a_core([folder], cores=2)


def test_no_model_sets_nothing(tmp_path: Path) -> None:
    assert not give_each_part_a_core([tmp_path / "missing"], cores=2)
