"""Killed and called again: the same weights, or an error that says why not."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import LABELS, RECIPE, Killed, assert_same_weights, kill_at
from tfclf.data import Row
from tfclf.errors import CheckpointError, ExportError, InputError
from tfclf.training import TrainingResult


@pytest.mark.usefixtures("interrupted")
def test_a_resumed_training_equals_an_unbroken_one_from_its_last_save_on(
    trained: TrainingResult, again: Callable[..., TrainingResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfclf.training.progress import TrainingProgress

    steps: list[int] = []
    monkeypatch.setattr(TrainingProgress, "step", lambda self, done, **_: steps.append(done))
    result = again()
    assert steps == list(range(21, 31))
    assert result.history == trained.history
    assert_same_weights(result.folder, trained.folder)


@pytest.mark.sample(15)
@pytest.mark.parametrize(("step", "when"), [(2, "before_any_save"), (15, "at_an_epochs_last_step")])
def test_a_training_killed_early_and_resumed_equals_an_unbroken_one(
    step: int,
    when: str,
    trained: TrainingResult,
    again: Callable[..., TrainingResult],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(Killed):
            again()
    result = again()
    assert result.history == trained.history
    assert_same_weights(result.folder, trained.folder)


def test_a_killed_training_leaves_one_whole_state(killed: Path) -> None:
    assert sorted(path.name for path in killed.iterdir()) == ["best-1", "step-20"]


def test_a_failure_while_measuring_leaves_no_output_and_costs_no_training(
    trained: TrainingResult,
    again: Callable[..., TrainingResult],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from tfclf.training import output
    from tfclf.training.progress import TrainingProgress

    with monkeypatch.context() as patch:
        patch.setattr(output, "evaluate", _kill)
        with pytest.raises(Killed):
            again()
    assert [path.name for path in tmp_path.iterdir()] == ["model.training"]
    (tmp_path / ".model.partial-1").mkdir()  # left by a process that was killed while writing
    monkeypatch.setattr(TrainingProgress, "step", _kill)
    assert_same_weights(again().folder, trained.folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_second_training_to_the_same_output_is_refused(
    again: Callable[..., TrainingResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tfclf.training.progress import TrainingProgress

    def start_another(*_: Any, **__: Any) -> None:
        with pytest.raises(InputError, match=r"model\.training is in use: another process"):
            again()
        raise Killed

    monkeypatch.setattr(TrainingProgress, "step", start_another)
    with pytest.raises(Killed):
        again()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_the_training_resumes(
    trained: TrainingResult,
    again: Callable[..., TrainingResult],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from tfclf.training import output, state

    def fill(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(state, "write_json", fill)
        with pytest.raises(ExportError, match=r"step-4 cannot be written: No space left.*resumes"):
            again()
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(output, "write_json", fill)
        with pytest.raises(ExportError, match=r"model cannot be written: .*weights are in .*model"):
            again()
    assert [path.name for path in tmp_path.iterdir()] == ["model.training"]
    assert_same_weights(again().folder, trained.folder)


def test_a_file_in_the_place_of_the_state_is_told(
    again: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    (tmp_path / "model.training").write_text("x")
    with pytest.raises(InputError, match=r"model\.training, where .*Remove a file of that name"):
        again()


def _kill(*_: Any, **__: Any) -> None:
    raise Killed


@pytest.mark.usefixtures("interrupted")
def test_a_changed_recipe_is_refused_with_what_differs(
    again: Callable[..., TrainingResult],
) -> None:
    with pytest.raises(
        InputError, match=r"begun otherwise: learning_rate was 0.01, now 0.001; seed was 0, n"
    ):
        again(recipe=replace(RECIPE, learning_rate=0.001, seed=1))


@pytest.mark.usefixtures("interrupted")
def test_changed_rows_are_refused(again: Callable[..., TrainingResult], rows: list[Row]) -> None:
    with pytest.raises(InputError, match="begun otherwise: rows_sha256 was"):
        again(data=rows[:-2])


@pytest.mark.usefixtures("interrupted")
def test_changed_labels_are_refused(again: Callable[..., TrainingResult]) -> None:
    with pytest.raises(InputError, match="begun otherwise: labels was"):
        again(labels=LABELS[::-1])


@pytest.mark.verify
@pytest.mark.usefixtures("interrupted")
def test_how_often_it_saves_may_change(again: Callable[..., TrainingResult]) -> None:
    assert again(recipe=replace(RECIPE, save_steps=100)).best_epoch


def test_a_broken_state_is_told(again: Callable[..., TrainingResult], interrupted: Path) -> None:
    [step] = interrupted.glob("step-*")
    (step / "state.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"state.json is not the state of a training.*Delete"):
        again()


def test_cut_variables_of_a_state_are_told(
    again: Callable[..., TrainingResult], interrupted: Path
) -> None:
    [data] = interrupted.glob("step-*/variables.data*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"step-\d+ cannot be read back.*Delete"):
        again()


def test_an_output_that_exists_is_refused(
    again: Callable[..., TrainingResult], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(InputError, match="exists already"):
        again()
