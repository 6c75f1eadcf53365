"""`train`: base checkpoint and rows in, fine-tuned Hugging Face checkpoint out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf.data import Layout, Row, labelled_rows
from tfclf.errors import DataError, InputError
from tfclf.evaluation import Report
from tfclf.evaluation.metrics import sklearn_metrics
from tfclf.evaluation.plot import require_matplotlib
from tfclf.training.recipe import Recipe

if TYPE_CHECKING:
    from tfclf.training.base import Base
    from tfclf.training.progress import TrainingProgress
    from tfclf.training.split import Split
    from tfclf.training.state import Epoch, Position, TrainingState


@dataclass(frozen=True)
class TrainingResult:
    """What a training made.

    Attributes:
      folder: the checkpoint, with metrics.json and the confusion matrix beside the weights.
      held_back: measured on the rows that were not trained on.
      test: measured on the test rows; None where none were given.
      best_epoch: the epoch, from 1, whose weights were kept.
      history: every epoch.
      seconds: of training, over all runs where it was resumed.
    """

    folder: Path
    held_back: Report
    test: Report | None
    best_epoch: int
    history: tuple["Epoch", ...]
    seconds: float


def train(
    base: str | Path,
    data: str | Path | Iterable[Row],
    output: str | Path,
    *,
    recipe: Recipe | None = None,
    labels: Sequence[str] | None = None,
    test: str | Path | Iterable[Row] | None = None,
    layout: Layout | None = None,
    origin: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Fine-tunes the checkpoint's TF class and writes a checkpoint that classifies.

    >>> train("distilbert-base-uncased", "train.csv", "sentiment", labels=["neg", "pos"]).held_back.accuracy
    0.9125

    A training that was killed goes on at its last saved step when the same call is made again; until it ends,
    its state is kept in `<output>.training`. `output` appears only when it is whole.

    Args:
      base: folder of a Hugging Face checkpoint, with a head or without.
      data: rows to train on: a file that `tfclf.data` reads, or rows whose labels are among `labels`.
      output: folder to make; must not exist.
      recipe: hyper-parameters; None: the defaults.
      labels: in the order of the model's outputs; None: the checkpoint's own.
      test: rows to measure the final model on, never trained on.
      layout: of `data` and `test` where they are files.
      origin: where all this comes from, for metrics.json; a `Plan` knows it.
      progress: whether to show a progress bar on stderr.
    Raises: InputError, DataError, SourceError, MissingExtraError.
    """
    recipe, output = recipe or Recipe(), Path(output)
    _refuse_existing(output)
    # What is needed only at the end is asked for now, and not after hours of training.
    sklearn_metrics()
    require_matplotlib()
    # These import TensorFlow, which whoever only asks for --help should not wait for.
    from tfclf.training.base import open_base
    from tfclf.training.output import write_checkpoint
    from tfclf.training.progress import TrainingProgress
    from tfclf.training.split import split
    from tfclf.training.state import TrainingState

    opened = open_base(base, labels=labels)
    rows = _rows(data, opened.labels, layout)
    test_rows = None if test is None else _rows(test, opened.labels, layout)
    parts = split(rows, opened.labels, share=recipe.held_back, seed=recipe.seed)
    run = {
        "base": opened.folder.resolve().name,
        "base_sha256": opened.digest(),
        "rows_sha256": _digest(rows),
        "labels": list(opened.labels),
        "recipe": recipe.to_dict(),
    }
    state = TrainingState(output.with_name(f"{output.name}.training"), run)
    position = state.position()
    with TrainingProgress(shown=progress) as shown:
        model, position = _fine_tune(opened, parts, recipe, state, position, shown)
        shown.begin("measuring")
        measured = write_checkpoint(
            model,
            opened,
            parts,
            test_rows,
            position=position,
            run=run if origin is None else {**run, "origin": origin},
            batch_size=recipe.batch_size,
            output=output,
        )
    state.remove()
    return TrainingResult(
        folder=output,
        held_back=measured.held_back,
        test=measured.test,
        best_epoch=position.best_epoch,
        history=tuple(position.history),
        seconds=position.seconds,
    )


def _refuse_existing(output: Path) -> None:
    if output.exists():
        raise InputError(
            f"{output} exists already. Expected a folder to make; delete it, or name another output."
        )
    if not output.absolute().parent.is_dir():
        raise InputError(
            f"{output.absolute().parent} is no folder, so that {output.name} cannot be made in it."
        )


def _rows(
    data: str | Path | Iterable[Row], labels: Sequence[str], layout: Layout | None
) -> list[Row]:
    if isinstance(data, str | Path):
        return list(labelled_rows(data, labels, layout))
    rows = list(data)
    for number, row in enumerate(rows, 1):
        if row.label not in labels:
            raise DataError(
                f"Row {number} has the label {row.label!r}; expected one of {', '.join(labels)}. "
                f"`tfclf.data.labelled_rows` turns a file's own labels into these."
            )
    return rows


def _digest(rows: Iterable[Row]) -> str:
    sha256 = hashlib.sha256()
    for row in rows:
        sha256.update(
            f"{row.label}\0{len(row.text)}\0{row.text}\n".encode("utf-8", "surrogatepass")
        )
    return sha256.hexdigest()


def _fine_tune(
    base: "Base",
    rows: "Split",
    recipe: Recipe,
    state: "TrainingState",
    position: "Position | None",
    progress: "TrainingProgress",
) -> tuple[Any, "Position"]:
    """The model with its best epoch's weights, rounded where the recipe says so."""
    import tf_keras

    from tfclf.training.batches import encode
    from tfclf.training.loop import Loop
    from tfclf.training.precision import keras_for_training, policy_for, round_weights
    from tfclf.training.weights import build

    max_length = _max_length(recipe, base)
    index = {label: number for number, label in enumerate(base.labels)}
    progress.begin("tokenizing")
    encoded = encode(
        base.tokenizer,
        [row.text for row in rows.train],
        [index[row.label or ""] for row in rows.train],
        max_length=max_length,
    )
    progress.begin("reading weights")
    tf_keras.utils.set_random_seed(recipe.seed)
    with keras_for_training(policy_for(recipe.mixed_precision)):
        model = build(base)
    loop = Loop(
        model,
        base,
        encoded,
        held_back=rows.held_back,
        recipe=recipe,
        state=state,
        progress=progress,
    )
    position = loop.run(position)
    if recipe.round_weights:
        round_weights(model, recipe.round_weights)
    return model, position


def _max_length(recipe: Recipe, base: "Base") -> int:
    asked = recipe.max_length
    if asked is not None and asked > base.max_length:
        raise InputError(
            f"The recipe's max_length is {asked}; {base.folder} takes {base.max_length} tokens at most. "
            f"Lower --max-length."
        )
    return asked or base.max_length
