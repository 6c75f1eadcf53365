"""`train`: base checkpoint and rows in, fine-tuned Hugging Face checkpoint out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfclf.data import LabelledRows, Layout, Row, labelled_rows
from tfclf.data.labels import describe_numbers
from tfclf.errors import DataError, ExportError, InputError
from tfclf.evaluation import Report
from tfclf.evaluation.metrics import require_sklearn
from tfclf.evaluation.plot import require_matplotlib
from tfclf.saved_model.frozen_weights import check_training
from tfclf.training.recipe import Recipe

if TYPE_CHECKING:
    from tfclf.training.base import Base
    from tfclf.training.progress import TrainingProgress
    from tfclf.training.split import Split
    from tfclf.training.state import Epoch, Position, TrainingState


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training.

    Attributes:
      folder: the checkpoint, with metrics.json and the confusion matrix beside the weights.
      held_back: scores on the rows that were not trained on.
      test: scores on the test rows; None if none were given.
      best_epoch: the epoch, from 1, whose weights were kept.
      history: every epoch.
      seconds: of training, summed over all runs if it was resumed.
      numbers: the meaning of the numbers in the label column; empty if the labels are names.
    """

    folder: Path
    held_back: Report
    test: Report | None
    best_epoch: int
    history: tuple["Epoch", ...]
    seconds: float
    numbers: Mapping[str, str] = field(default_factory=dict)


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
    """Fine-tune the checkpoint's TF class and write a checkpoint that classifies.

        result = train("distilbert-base-uncased", "train.csv", "sentiment", labels=["neg", "pos"])
        result.held_back.accuracy   # 0.9125

    Make the same call again to resume a killed training at its last saved step. Until it ends, its
    state is in `<output>.training`. `output` appears only when it is complete.

    Args:
      base: folder of a Hugging Face checkpoint, with or without a head.
      data: rows to train on: a file that `tfclf.data` reads, or rows labelled with `labels`.
      output: folder to make; must not exist.
      recipe: hyper-parameters; None: the defaults.
      labels: in the order of the model's outputs; None: the checkpoint's own.
      test: rows to measure the final model on; never trained on.
      layout: of `data` and `test` if they are files.
      origin: description of the plan, for metrics.json; see `Plan.to_dict`.
      progress: whether to show a progress bar on stderr.
    Raises: InputError, DataError, SourceError, MissingExtraError; ExportError if the disk is full.
    """
    recipe, output = recipe or Recipe(), Path(output)
    _refuse_existing(output)
    check_training()
    # Needed only at the end. Check now, not after hours of training.
    require_sklearn()
    require_matplotlib()
    # These import TensorFlow; `tfclf --help` should not wait for it.
    from tfclf.training.base import open_base
    from tfclf.training.output import write_checkpoint
    from tfclf.training.progress import TrainingProgress
    from tfclf.training.split import split
    from tfclf.training.state import TrainingState

    opened = open_base(base, labels=labels)
    numbers: dict[str, str] = {}
    rows = _read_rows(data, opened.labels, layout, numbers)
    test_numbers: dict[str, str] = {}
    test_rows = None if test is None else _read_rows(test, opened.labels, layout, test_numbers)
    numbers = _agree_on_numbers(numbers, test_numbers)
    parts = split(rows, opened.labels, share=recipe.held_back, seed=recipe.seed)
    run = {
        "base": opened.folder.resolve().name,
        "base_sha256": opened.digest(),
        "rows_sha256": _hash_rows(rows),
        "labels": list(opened.labels),
        "recipe": recipe.to_dict(),
    }
    facts: dict[str, Any] = {} if origin is None else {"origin": origin}
    if numbers:
        facts["numbers"] = numbers
    state = TrainingState(output.with_name(f"{output.name}.training"), run)
    with state.hold():
        position = state.position()
        with TrainingProgress(shown=progress) as bar:
            model, position = _fine_tune(opened, parts, recipe, state, position, bar)
            bar.begin("measuring")
            try:
                measured = write_checkpoint(
                    model,
                    opened,
                    parts,
                    test_rows,
                    position=position,
                    run=run | facts,
                    batch_size=recipe.batch_size,
                    output=output,
                )
            except OSError as error:
                raise ExportError(
                    f"{output} cannot be written: {error.strerror or error}. Free some space "
                    f"there, then make the same call again: the trained weights are in "
                    f"{state.folder}."
                ) from error
        state.remove()
    return TrainingResult(
        folder=output,
        held_back=measured.held_back,
        test=measured.test,
        best_epoch=position.best_epoch,
        history=tuple(position.history),
        seconds=position.seconds,
        numbers=numbers,
    )


def _refuse_existing(output: Path) -> None:
    if output.exists():
        raise InputError(
            f"{output} exists already. Expected a folder to make; delete it, or name another."
        )
    if not output.absolute().parent.is_dir():
        raise InputError(
            f"{output.absolute().parent} is no folder, so {output.name} cannot be made in it. "
            f"Make it first, or name another output."
        )


def _read_rows(
    data: str | Path | Iterable[Row],
    labels: Sequence[str],
    layout: Layout | None,
    numbers: dict[str, str],
) -> list[Row]:
    """Read all rows; add the meaning of the numbers in their label column to `numbers`."""
    if isinstance(data, str | Path):
        data = labelled_rows(data, labels, layout)
    rows = list(data)
    if isinstance(data, LabelledRows):
        numbers |= data.numbers
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Row) or not isinstance(row.text, str):
            raise DataError(
                f"Row {number} is {row!r:.200}; expected a Row with a text: "
                f"tfclf.data.Row('a text', 'a label')."
            )
        if row.label not in labels:
            raise DataError(
                f"Row {number} has the label {row.label!r}; expected one of {', '.join(labels)}. "
                f"`tfclf.data.labelled_rows` turns a file's own labels into these."
            )
    return rows


def _agree_on_numbers(numbers: dict[str, str], test_numbers: dict[str, str]) -> dict[str, str]:
    """Return the meaning of the numbers in the training rows, the test rows or both.

    Raises: DataError if the two mean different labels.
    """
    if numbers and test_numbers and numbers != test_numbers:
        raise DataError(
            f"the training rows have {describe_numbers(numbers)}; the test rows have "
            f"{describe_numbers(test_numbers)}. Expected the same numbers for both; correct one "
            f"file, or state the first number with --label-base."
        )
    return numbers or test_numbers


def _hash_rows(rows: Iterable[Row]) -> str:
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
    """Return the model with its best epoch's weights, rounded if the recipe says so."""
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
    length = recipe.max_length
    if length is not None and length > base.max_length:
        raise InputError(
            f"The recipe's max_length is {length}; {base.folder} takes {base.max_length} tokens at "
            f"most. Lower --max-length."
        )
    return length or base.max_length
