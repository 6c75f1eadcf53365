"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS: exports that it would make wrong are refused."""

import json
from pathlib import Path

import pytest

import tfclf
from samples.checkpoints import DEMO, edit_json
from tfclf.data import Row
from tfclf.errors import InputError, SavedModelError
from tfclf.launcher import Settings, launch_of_program
from tfclf.saved_model.frozen_weights import VARIABLE, check_frozen_weights
from tfclf.saved_model.manifest import Manifest
from tfclf.server.lifecycle.loading import Loader
from tfclf.training import train

SAYS = "the logits would be wrong"


def write_manifest(folder: Path, **changes: object) -> Path:
    """Write the manifest of an older lean export, with changes."""
    content = json.loads(Manifest.path(DEMO / "1").read_text(encoding="utf-8"))
    content.pop("frozen_weights", None)
    Manifest.path(folder).parent.mkdir(parents=True)
    Manifest.path(folder).write_text(json.dumps({**content, **changes}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_an_older_lean_export_is_refused(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(SavedModelError, match=SAYS):
        check_frozen_weights(write_manifest(tmp_path / "1"))


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_without_the_variable_it_is_not(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    check_frozen_weights(write_manifest(tmp_path / "1"))


def test_a_lean_export_that_is_safe_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    check_frozen_weights(write_manifest(tmp_path / "1", frozen_weights=True))


def test_an_export_of_the_original_class_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    check_frozen_weights(write_manifest(tmp_path / "1", engine="original"))


def test_a_saved_model_that_is_none_of_ours_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    check_frozen_weights(tmp_path)


def test_load_refuses_an_older_export(own_export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit_json(Manifest.path(own_export), frozen_weights=False)
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(SavedModelError, match=SAYS):
        tfclf.load(own_export)


def test_load_takes_an_export(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    assert tfclf.load(exported).labels


def test_load_takes_a_checkpoint_on_the_lean_engine(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    assert tfclf.load(checkpoint).manifest.frozen_weights


def test_training_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(InputError, match="training changes the weights"):
        train(DEMO / "checkpoint", [Row("news", "World")], tmp_path / "trained")


def test_the_server_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(SavedModelError, match=SAYS):
        Loader()("news", 1, write_manifest(tmp_path / "1"))


def test_the_launcher_of_tf_serving_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "tensorflow_model_server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setenv(VARIABLE, "1")
    version = write_manifest(tmp_path / "news" / "1")
    (version / "saved_model.pb").touch()
    (version / "variables").mkdir()
    with pytest.raises(SavedModelError, match=SAYS):
        launch_of_program(version.parent, Settings(port=0, rest_port=0), tmp_path)
