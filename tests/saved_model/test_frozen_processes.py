"""TF_ONEDNN_ASSUME_FROZEN_WEIGHTS and TensorFlow's threads: which processes get them."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

import tfclf
from samples.checkpoints import DEMO, ROOT
from tests.saved_model.test_frozen_weights import write_manifest
from tfclf.cli import startup
from tfclf.cli.serve import serve
from tfclf.errors import InputError, SavedModelError, TfclfError
from tfclf.sample_texts import HEADLINES
from tfclf.saved_model import frozen_weights
from tfclf.saved_model.frozen_weights import (
    ONEDNN,
    VARIABLE,
    assume_frozen_weights,
    assume_if_safe,
    check_frozen_weights,
    check_shared_kernels,
    check_training,
    drop_frozen_weights,
    variables_for,
)
from tfclf.saved_model.manifest import Manifest
from tfclf.saved_model.threads import INTER_OP, INTRA_OP
from tfclf.server.__main__ import main
from tfclf.server.lifecycle.model_config import list_base_paths

BOTH = {VARIABLE: "1", ONEDNN: "1"}
THREADS = {INTRA_OP: "1", INTER_OP: "2"}


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for a process on x86-64 that has not imported TensorFlow."""
    for name in (*BOTH, *THREADS):
        monkeypatch.setenv(name, "")  # so that what is set below is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(frozen_weights, "_own_reason", "")
    monkeypatch.setattr(frozen_weights, "_has_tensorflow", lambda: False)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


@pytest.fixture
def import_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_weights, "_has_tensorflow", lambda: True)


def read_variables(names: Iterable[str] = BOTH) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def make_version(folder: Path, **changes: object) -> Path:
    write_manifest(folder, **changes)
    (folder / "saved_model.pb").touch()
    return folder


# Processes of tfclf that only serve


def test_exports_that_allow_it_get_both_variables() -> None:
    assert assume_if_safe([DEMO])
    assert read_variables() == BOTH


def test_one_older_export_among_them_forbids_it(tmp_path: Path) -> None:
    assert not assume_if_safe([DEMO, make_version(tmp_path / "1")])
    assert read_variables() == {}


def test_an_older_version_beside_the_latest_forbids_it(tmp_path: Path) -> None:
    make_version(tmp_path / "1")
    make_version(tmp_path / "2", frozen_weights=True)
    assert not assume_if_safe([tmp_path])


def test_the_folder_of_a_version_stands_for_that_version_alone(tmp_path: Path) -> None:
    make_version(tmp_path / "1")
    assert assume_if_safe([make_version(tmp_path / "2", frozen_weights=True)])


def test_an_older_export_of_the_original_class_allows_it(tmp_path: Path) -> None:
    assert assume_if_safe([make_version(tmp_path / "1", engine="original")])


def test_a_saved_model_of_others_forbids_it(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    assert not assume_if_safe([tmp_path])


def test_a_broken_manifest_forbids_it(tmp_path: Path) -> None:
    Manifest.path(make_version(tmp_path / "1")).write_text("{", encoding="utf-8")
    assert not assume_if_safe([tmp_path])


def test_a_folder_that_has_no_version_yet_forbids_it(tmp_path: Path) -> None:
    assert not assume_if_safe([DEMO, tmp_path])


def test_no_models_forbid_it() -> None:
    assert not assume_if_safe([])


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_the_operators_no_stays(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert not assume_if_safe([DEMO])
    assert read_variables() == {VARIABLE: value}


def test_without_onednn_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ONEDNN, "0")
    assert not assume_if_safe([DEMO])
    assert read_variables() == {ONEDNN: "0"}


def test_the_operators_yes_brings_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "true")
    assert assume_if_safe([DEMO])
    assert read_variables() == {VARIABLE: "true", ONEDNN: "1"}


@pytest.mark.usefixtures("import_tensorflow")
def test_nothing_is_set_once_tensorflow_is_imported() -> None:
    assert not assume_if_safe([DEMO])
    assert read_variables() == {}


def test_other_processors_get_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert not assume_if_safe([DEMO])


def test_the_log_says_what_forbids_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    version = make_version(tmp_path / "1")
    with caplog.at_level(logging.DEBUG, logger=frozen_weights.__name__):
        variables_for([version])
    assert f"{version} is an older export" in caplog.text


def test_a_command_that_predicts_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "start_tensorflow", lambda: None)
    startup.start_to_predict(str(DEMO))
    assert read_variables() == BOTH


def test_a_command_that_predicts_gives_each_part_a_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "start_tensorflow", lambda: None)
    startup.start_to_predict(str(make_bfloat16(tmp_path / "1", parts=2)))
    assert read_variables(THREADS) == THREADS


@pytest.mark.parametrize("other", [DEMO / "checkpoint", Path("not there")])
def test_beside_a_checkpoint_or_nothing_it_does_not(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "start_tensorflow", lambda: None)
    startup.start_to_predict(str(DEMO), str(other))
    assert read_variables() == {}


# Servers, in which each signature keeps a copy of the weights


def make_bfloat16(folder: Path, **changes: object) -> Path:
    return make_version(folder, **{"frozen_weights": True, "precision": "bfloat16", **changes})


def test_models_in_bfloat16_gain_enough_for_a_server(tmp_path: Path) -> None:
    assert assume_if_safe([make_bfloat16(tmp_path / "1")], many_signatures=True)
    assert read_variables() == BOTH


def test_models_in_float32_do_not() -> None:
    assert not assume_if_safe([DEMO], many_signatures=True)
    assert read_variables() == {}


def test_one_version_in_float32_beside_bfloat16_forbids_it(tmp_path: Path) -> None:
    make_bfloat16(tmp_path / "1", precision="float32")
    make_bfloat16(tmp_path / "2")
    assert not assume_if_safe([tmp_path], many_signatures=True)


def test_an_older_export_in_bfloat16_forbids_it(tmp_path: Path) -> None:
    models = [make_bfloat16(tmp_path / "1", frozen_weights=False)]
    assert not assume_if_safe(models, many_signatures=True)


def test_the_operator_may_have_it_for_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    assert variables_for([DEMO], many_signatures=True) == BOTH


def test_the_operators_no_stays_for_bfloat16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert not assume_if_safe([make_bfloat16(tmp_path / "1")], many_signatures=True)


def test_the_log_says_why_a_server_does_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=frozen_weights.__name__):
        variables_for([DEMO], many_signatures=True)
    assert f"{DEMO / '1'} computes in float32" in caplog.text


class StartError(Exception):
    """Ends a server where it would start TensorFlow."""


def stop() -> NoReturn:
    raise StartError


@pytest.fixture(params=["tfclf serve", "python -m tfclf.server"])
def start_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], None]:
    """The start of a server of one model, up to the import of TensorFlow."""

    def start(base: Path) -> None:
        monkeypatch.setattr("sys.argv", ["server", f"--model_base_path={base}"])
        with pytest.raises(StartError):
            main() if request.param == "python -m tfclf.server" else serve(str(base))

    monkeypatch.setattr("tfclf._tensorflow.quiet_start", stop)
    monkeypatch.setattr("tfclf.cli.startup.quiet_start", stop)
    monkeypatch.setattr("tfclf.server.logs.configure", lambda **_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return start


def test_a_server_of_a_model_in_float32_sets_nothing(start_server: Callable[[Path], None]) -> None:
    start_server(DEMO)
    assert read_variables() == {}


def test_a_server_of_a_model_in_bfloat16_sets_both(
    start_server: Callable[[Path], None], tmp_path: Path
) -> None:
    make_bfloat16(tmp_path / "news" / "1")
    start_server(tmp_path / "news")
    assert read_variables() == BOTH


@pytest.mark.parametrize(("parts", "expected"), [(1, {}), (2, THREADS)])
def test_a_server_gives_each_part_a_core(
    parts: int, expected: dict[str, str], start_server: Callable[[Path], None], tmp_path: Path
) -> None:
    make_bfloat16(tmp_path / "news" / "1", parts=parts)
    start_server(tmp_path / "news")
    assert read_variables(THREADS) == expected


def test_a_server_looks_at_every_model_of_models_config(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    models = "".join(f'config {{ name: "{name}" base_path: "/{name}" }}' for name in "ab")
    file.write_text(f"model_config_list {{ {models} }}", encoding="utf-8")
    assert list_base_paths(file) == [Path("/a"), Path("/b")]


def test_a_models_config_that_cannot_be_read_names_none(tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text("model_config_list {", encoding="utf-8")
    assert list_base_paths(tmp_path / "models.config") == []


# Models that come later


def test_an_older_export_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assume_if_safe([DEMO])
    with pytest.raises(SavedModelError, match=rf"tfclf has set .* again with {VARIABLE}=0"):
        check_frozen_weights(write_manifest(tmp_path / "1"))


def test_a_saved_model_of_others_is_refused_with_the_way_out(tmp_path: Path) -> None:
    assume_if_safe([DEMO])
    with pytest.raises(SavedModelError, match=rf"tfclf has set .* again with {VARIABLE}=0"):
        check_frozen_weights(tmp_path)


def test_an_export_that_allows_it_is_not_refused() -> None:
    assume_if_safe([DEMO])
    check_frozen_weights(DEMO / "1")


# Processes that train or make exports


def test_a_command_that_makes_exports_runs_without_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(startup, "start_tensorflow", lambda: None)
    monkeypatch.setenv(VARIABLE, "1")
    startup.start_to_make("tfclf train")
    assert read_variables() == {}
    assert "`tfclf train` runs without it" in caplog.text


def test_without_it_there_is_nothing_to_log(caplog: pytest.LogCaptureFixture) -> None:
    drop_frozen_weights("tfclf train")
    assert not caplog.text


@pytest.mark.usefixtures("import_tensorflow")
def test_once_tensorflow_is_imported_training_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    drop_frozen_weights("tfclf train")
    with pytest.raises(InputError, match=f"{VARIABLE}=1 is set"):
        check_training()


# Processes of a user


def test_a_program_may_set_them() -> None:
    assert assume_frozen_weights()
    assert read_variables() == BOTH


def test_a_program_does_not_overrule_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    assert not assume_frozen_weights()
    assert read_variables() == {VARIABLE: "0"}


@pytest.mark.usefixtures("import_tensorflow")
def test_a_program_that_has_tensorflow_is_told_what_to_write() -> None:
    with pytest.raises(TfclfError, match=r"import tfclf; tfclf.assume_frozen_weights\(\)"):
        assume_frozen_weights()


def test_it_may_be_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assume_frozen_weights()
    monkeypatch.setattr(frozen_weights, "_has_tensorflow", lambda: True)
    assert assume_frozen_weights()


def test_a_program_that_called_it_may_not_train() -> None:
    assume_frozen_weights()
    with pytest.raises(InputError, match=r"because tfclf.assume_frozen_weights\(\) was called"):
        check_training()


def test_a_program_that_called_it_loads_no_older_export(tmp_path: Path) -> None:
    assume_frozen_weights()
    manifest = Manifest.read(write_manifest(tmp_path))
    with pytest.raises(SavedModelError, match="would be wrong"):
        check_shared_kernels(manifest, source=tmp_path)


def test_naming_it_imports_no_tensorflow_and_the_logits_stay() -> None:
    """In a process of its own, because TensorFlow reads the variables once."""
    program = (
        "import json, os, sys, tfclf\n"
        "tfclf.assume_frozen_weights()\n"
        "clf = tfclf.load(sys.argv[1])\n"
        "batches = [clf(texts)['logits'].numpy().tolist() for texts in json.load(sys.stdin)]\n"
        "print(json.dumps(batches))\n"
    )
    batches = [list(HEADLINES), [HEADLINES[1]], ["news " * 60, *HEADLINES], [HEADLINES[0]]]
    done = subprocess.run(
        [sys.executable, "-c", program, str(DEMO)],
        cwd=ROOT,
        input=json.dumps(batches),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    clf = tfclf.load(DEMO)
    for texts, logits in zip(batches, json.loads(done.stdout), strict=True):
        np.testing.assert_allclose(logits, clf(texts)["logits"].numpy(), atol=1e-5, rtol=0)
