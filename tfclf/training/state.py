"""The state of a training on disk: after a kill, training resumes at its last save.

    <output>.training/
      step-<n>/   state.json; weights and optimizer as a tf.train.Checkpoint
      best-<n>/   the weights of the best epoch so far

Each folder is written beside and renamed, and older ones are deleted only after that. Whenever the
process is killed, one complete state is on disk.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfclf.errors import CheckpointError, ExportError, InputError, first_line
from tfclf.files import new_folder, write_json

FORMAT_VERSION = 1
# Parts of a run that may change without changing its outcome.
_FREE = {"save_steps", "base"}


@dataclass(frozen=True)
class Epoch:
    """One finished epoch: mean loss over the training rows, and scores on the held-back rows."""

    epoch: int
    loss: float
    eval_loss: float
    eval_accuracy: float


@dataclass
class Position:
    """The progress of a training.

    Attributes:
      epoch: number of finished epochs.
      step: finished steps of the current epoch.
      loss_sum: sum of the losses of those steps.
      best_epoch: the epoch, from 1, whose weights are in best-<n>; 0 before the first is finished.
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
      folder: made by the first save.
      run: what identifies the training: recipe, labels, digests of data and base. The state of
        another run is refused.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        self.folder = folder
        self._run = json.loads(json.dumps(run))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other processes from the folder, which is made; an empty one is removed again.

        Raises: InputError if another process trains there, or the folder cannot be made.
        """
        try:
            self.folder.mkdir(exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InputError(
                f"{self.folder}, where the training is saved, cannot be made: "
                f"{error.strerror or error}. Remove a file of that name, or name another output."
            ) from error
        try:
            _lock(descriptor, self.folder)
            yield
        finally:
            os.close(descriptor)  # releases the lock, as the end of the process does
            if self.folder.is_dir() and not any(self.folder.iterdir()):
                self.folder.rmdir()

    def position(self) -> Position | None:
        """Return the position of the last save; None before the first.

        Raises: InputError if the folder is of another run, CheckpointError if it cannot be read.
        """
        step = self._last_step()
        if step is None:
            return None
        path = step / "state.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            version, run, fields = content["format_version"], content["run"], content["position"]
            history = [Epoch(**epoch) for epoch in fields.pop("history")]
            position = Position(**fields, history=history)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path} is not the state of a training ({error!r}). "
                f"Delete {self.folder} to begin anew."
            ) from error
        if version != FORMAT_VERSION:
            raise CheckpointError(
                f"{path} has format version {version}; this tfclf reads {FORMAT_VERSION}. Finish "
                f"the training with the tfclf that began it, or delete {self.folder} to begin anew."
            )
        self._refuse_other_run(run)
        return position

    def restore(self, checkpoint: tf.train.Checkpoint) -> None:
        """Read weights and optimizer of the last save."""
        step = self._last_step()
        if step is None:
            raise CheckpointError(f"{self.folder} holds no saved step to resume from.")
        self._read(checkpoint, step)

    def restore_best(self, checkpoint: tf.train.Checkpoint, epoch: int) -> None:
        """Read the weights of the best epoch."""
        self._read(checkpoint, self.folder / f"best-{epoch}")

    def save(self, checkpoint: tf.train.Checkpoint, position: Position, *, steps: int) -> None:
        """Save all that the next run needs, and delete everything older.

        Args:
          steps: number of steps finished since the start.
        """
        content = {"format_version": FORMAT_VERSION, "run": self._run, "position": asdict(position)}
        saved = self._write(f"step-{steps}", checkpoint, content)
        best = self.folder / f"best-{position.best_epoch}"
        for entry in self.folder.iterdir():
            if entry not in (saved, best):
                shutil.rmtree(entry, ignore_errors=True)

    def save_best(self, checkpoint: tf.train.Checkpoint, epoch: int) -> None:
        """Save the weights of an epoch; the next `save` deletes those of the best one before."""
        self._write(f"best-{epoch}", checkpoint, {"format_version": FORMAT_VERSION, "epoch": epoch})

    def remove(self) -> None:
        """Remove the folder after the training has ended."""
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
        target = self.folder / name
        try:
            with new_folder(target) as beside:
                checkpoint.write(str(beside / "variables"))
                write_json(beside / "state.json", content)
                # Exists only after a kill: the best weights of an epoch that is run again.
                shutil.rmtree(target, ignore_errors=True)
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or first_line(error)
            raise ExportError(
                f"{target} cannot be written: {reason}. Free some space there, then make the same "
                f"call again: it resumes at the last save."
            ) from error
        return target

    def _read(self, checkpoint: tf.train.Checkpoint, folder: Path) -> None:
        try:
            # assert_consumed: a variable without a value would silently keep its initial one.
            checkpoint.read(str(folder / "variables")).assert_consumed()
        except (tf.errors.OpError, AssertionError, IndexError, ValueError, OSError) as error:
            raise CheckpointError(
                f"{folder} cannot be read back: {first_line(error)}. "
                f"Delete {self.folder} to begin anew."
            ) from error

    def _refuse_other_run(self, before: Mapping[str, Any]) -> None:
        was, now = _flatten(before), _flatten(self._run)
        changed = [name for name in was | now if was.get(name) != now.get(name)]
        differences = [
            f"{name} was {was.get(name)}, now {now.get(name)}"
            for name in changed
            if name not in _FREE
        ]
        if differences:
            raise InputError(
                f"{self.folder} holds a training that was begun otherwise: "
                f"{'; '.join(differences)}. Repeat the old command to go on with it, delete that "
                f"folder to begin anew, or write to another output."
            )


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(
            f"{folder} is in use: another process trains to the same output. Wait for it, or name "
            f"another output."
        ) from None
    except OSError:  # a file system without locks
        return


def _flatten(run: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested objects into their parent.

    >>> _flatten({"labels": ["neg"], "recipe": {"seed": 0}})
    {'labels': ['neg'], 'seed': 0}
    """
    flat: dict[str, Any] = {}
    for name, value in run.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat
