"""Trainings shared by several tests; each runs once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import BAD, GOOD, LABELS, RECIPE, Killed, kill_at, make_base, make_sentence
from tfclf.data import Row
from tfclf.training import TrainingResult, train


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    return [
        row
        for number in range(36)
        for row in (Row(make_sentence(GOOD, number), "pos"), Row(make_sentence(BAD, number), "neg"))
    ]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DistilBERT of 1 layer, 16 wide, without a head."""
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def trained(
    base: Path, rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> TrainingResult:
    """Train without interruption."""
    output = tmp_path_factory.mktemp("trained") / "model"
    test = [Row("it was lovely", "pos"), Row("the story is dull", "neg")]
    return train(base, rows, output, recipe=RECIPE, labels=LABELS, test=test, progress=False)


@pytest.fixture
def again(base: Path, rows: list[Row], tmp_path: Path) -> Callable[..., TrainingResult]:
    """Return a function that repeats the training, with changes, in a folder of the test's own."""

    def run(**changes: Any) -> TrainingResult:
        arguments: dict[str, Any] = {
            "recipe": RECIPE,
            "labels": LABELS,
            "progress": False,
        } | changes
        data = arguments.pop("data", rows)
        return train(arguments.pop("base", base), data, tmp_path / "model", **arguments)

    return run


@pytest.fixture(scope="session")
def killed(base: Path, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state left by a training killed at step 22 of 30; its last save was at step 20."""
    output = tmp_path_factory.mktemp("killed") / "model"
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, 22)
        with pytest.raises(Killed):
            train(base, rows, output, recipe=RECIPE, labels=LABELS, progress=False)
    return output.with_name("model.training")


@pytest.fixture
def interrupted(killed: Path, tmp_path: Path) -> Path:
    """A copy of that state beside the output of `again`."""
    return Path(shutil.copytree(killed, tmp_path / "model.training"))
