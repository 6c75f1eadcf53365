"""A training's state on disk, so that one that was killed goes on where it last saved.

    <output>.training/
      step-<n>/   state.json, weights and optimizer as a tf.train.Checkpoint
      best-<n>/   the weights of the best epoch so far

Each folder is written beside and renamed, and older ones go only once the new one stands: whenever the
process is killed, one whole state is there.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfclf.errors import CheckpointError, InputError, first_line

FORMAT_VERSION = 1
# What may change from one run to the next without changing what comes out.
_FREE = {"save_steps", "base"}


@dataclass(frozen=True)
class Epoch:
    """One finished epoch: its mean loss over the training rows, and how it did on those held back."""

    epoch: int
    loss: float
    eval_loss: float
    eval_accuracy: float


@dataclass
class Position:
    """How far a training is.

    Attributes:
      epoch: finished epochs.
      step: finished steps of the epoch after those.
      loss_sum: of those steps.
      best_epoch: the one, from 1, whose weights are in best-<n>; 0 before the first is finished.
      history: the finished epochs.
      seconds: spent so far.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_epoch: int = 0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)


class TrainingState:
    """The state folder of one training.

    Args:
      folder: made when first saved to.
      run: what the training is: recipe, labels, digests of data and base. Another run is refused.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        self.folder = folder
        self._run = json.loads(json.dumps(run))

    def position(self) -> Position | None:
        """Where the last save was; None: nowhere yet.

        Raises: InputError where the folder is of another run, CheckpointError where it cannot be read.
        """
        step = self._last_step()
        if step is None:
            return None
        path = step / "state.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, run, position = content["format_version"], content["run"], content["position"]
            history = [Epoch(**epoch) for epoch in position.pop("history")]
            found = Position(**position, history=history)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} is not the state of a training ({error!r}). Delete {self.folder} to begin anew."
            ) from error
        if version != FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format version {version}; this tfclf reads {FORMAT_VERSION}. Finish the "
                f"training with the tfclf that began it, or delete {self.folder} to begin anew."
            )
        self._refuse_another(run)
        return found

    def restore(self, checkpoint: tf.train.Checkpoint) -> None:
        """Reads weights and optimizer of the last save."""
        step = self._last_step()
        if step is None:
            raise CheckpointError(f"{self.folder} holds no saved step to go on from.")
        self._read(checkpoint, step)

    def restore_best(self, checkpoint: tf.train.Checkpoint, epoch: int) -> None:
        """Reads the weights of the best epoch."""
        self._read(checkpoint, self.folder / f"best-{epoch}")

    def save(self, checkpoint: tf.train.Checkpoint, position: Position, *, steps: int) -> None:
        """Saves all that the next run needs; `steps` is the number of steps finished since the start."""
        content = {"format_version": FORMAT_VERSION, "run": self._run, "position": asdict(position)}
        kept = self._write(f"step-{steps}", checkpoint, content)
        for entry in self.folder.iterdir():
            if entry not in (kept, self.folder / f"best-{position.best_epoch}"):
                shutil.rmtree(entry, ignore_errors=True)

    def save_best(self, checkpoint: tf.train.Checkpoint, epoch: int) -> None:
        """Saves the weights of an epoch; the best one before goes with the next `save`."""
        self._write(f"best-{epoch}", checkpoint, {"format_version": FORMAT_VERSION, "epoch": epoch})

    def remove(self) -> None:
        """Removes the folder, once the training has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _last_step(self) -> Path | None:
        steps = [
            path
            for path in self.folder.glob("step-*")
            if path.name.removeprefix("step-").isdecimal()
        ]
        return max(steps, key=lambda path: int(path.name.removeprefix("step-")), default=None)

    def _write(
        self, name: str, checkpoint: tf.train.Checkpoint, content: Mapping[str, Any]
    ) -> Path:
        beside = self.folder / f"{name}.partial"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        checkpoint.write(str(beside / "variables"))
        (beside / "state.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
        target = self.folder / name
        # Only the best weights of an epoch that is run again, after a kill, can be there already.
        shutil.rmtree(target, ignore_errors=True)
        return beside.rename(target)

    def _read(self, checkpoint: tf.train.Checkpoint, folder: Path) -> None:
        try:
            # assert_consumed: a variable that found no value would silently keep its initial one.
            checkpoint.read(str(folder / "variables")).assert_consumed()
        except (tf.errors.OpError, AssertionError, IndexError, ValueError, OSError) as error:
            said = first_line(error)
            raise CheckpointError(
                f"{folder} cannot be read back: {said}. Delete {self.folder} to begin anew."
            ) from error

    def _refuse_another(self, before: Mapping[str, Any]) -> None:
        was, now = _flat(before), _flat(self._run)
        names = [
            name for name in (was | now) if was.get(name) != now.get(name) and name not in _FREE
        ]
        if names:
            differences = "; ".join(
                f"{name} was {was.get(name)}, now {now.get(name)}" for name in names
            )
            raise InputError(
                f"{self.folder} holds a training that was begun otherwise: {differences}. Repeat the "
                f"old command to go on with it, delete that folder to begin anew, or write to another output."
            )


def _flat(run: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in run.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat
