"""`tfclf train`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tfclf.cli.evaluate import Header, LabelBase, LabelColumn, layout_of, print_report
from tfclf.cli.options import Machine, TextColumns
from tfclf.quiet import quiet_start
from tfclf.training.recipe import Recipe

_DEFAULT = Recipe()


def train(
    base: Annotated[Path, typer.Argument(help="Hugging Face checkpoint to start from; its head may be missing.")],
    data: Annotated[Path, typer.Argument(help="Training rows: .csv, .jsonl (both also .gz) or .parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")],
    test: Annotated[Path | None, typer.Option(help="Rows to measure the trained model on.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Labels in the order of the outputs: neg,pos", show_default="the checkpoint's own"),
    ] = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    label_base: LabelBase = None,
    epochs: Annotated[int, typer.Option(help="Passes over the rows, at most.")] = _DEFAULT.epochs,
    batch_size: Annotated[int, typer.Option(help="Rows a step.")] = _DEFAULT.batch_size,
    learning_rate: Annotated[float, typer.Option(help="Its peak.")] = _DEFAULT.learning_rate,
    warmup: Annotated[float, typer.Option(help="Share of the steps in which it rises.")] = _DEFAULT.warmup,
    weight_decay: Annotated[float, typer.Option(help="Of all but biases and norms.")] = _DEFAULT.weight_decay,
    clip_norm: Annotated[float, typer.Option(help="Largest norm of the gradients.")] = _DEFAULT.clip_norm,
    max_length: Annotated[
        int | None,
        typer.Option(help="Tokens in a training row, at most.", show_default="the checkpoint's limit"),
    ] = _DEFAULT.max_length,
    held_back: Annotated[float, typer.Option(help="Share of the rows that picks the best epoch.")] = _DEFAULT.held_back,
    patience: Annotated[
        int, typer.Option(help="Epochs without a better one before it stops; 0: never stops early.")
    ] = _DEFAULT.patience or 0,
    seed: Annotated[int, typer.Option(help="Of split, order, new head and dropout.")] = _DEFAULT.seed,
    round_weights: Annotated[
        str | None,
        typer.Option(help="float16: round to what float16 holds exactly.", show_default="not rounded"),
    ] = _DEFAULT.round_weights,
    mixed_precision: Annotated[
        str, typer.Option(help="auto, float32, mixed_bfloat16 or mixed_float16.")
    ] = _DEFAULT.mixed_precision,
    jit_compile: Annotated[
        bool | None,
        typer.Option("--jit-compile/--no-jit-compile", help="XLA.", show_default="with a GPU"),
    ] = _DEFAULT.jit_compile,
    save_steps: Annotated[
        int, typer.Option(help="Steps from one save of the state to the next.")
    ] = _DEFAULT.save_steps,
    machine: Machine = False,
) -> None:
    """Fine-tunes a checkpoint on labelled rows and writes a checkpoint that classifies.

    Interrupted, it goes on where it last saved when the same command is given again.

    Example: `tfclf train distilbert-base-uncased train.csv --test test.csv --labels neg,pos -o my_model`
    """
    recipe = Recipe(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        max_length=max_length,
        held_back=held_back,
        patience=patience or None,
        seed=seed,
        round_weights=round_weights,
        mixed_precision=mixed_precision,
        jit_compile=jit_compile,
        save_steps=save_steps,
    )
    with quiet_start():
        from tfclf.training import train as fine_tune

    result = fine_tune(
        base,
        data,
        output,
        recipe=recipe,
        labels=None if labels is None else [label.strip() for label in labels.split(",")],
        test=test,
        layout=layout_of(text_column, label_column, header, label_base),
        progress=not machine,
    )
    if machine:
        content = {
            "folder": str(result.folder),
            "best_epoch": result.best_epoch,
            "train_runtime": result.seconds,
            "held_back": result.held_back.to_dict(),
            "test": result.test and result.test.to_dict(),
        }
        typer.echo(json.dumps(content, ensure_ascii=False))
        return
    print_report(result.held_back, title="Held-back rows")
    if result.test is not None:
        print_report(result.test, title=f"Test rows ({test})")
    typer.echo(
        f"{result.folder}: epoch {result.best_epoch} of {len(result.history)} was best; "
        f"{result.seconds / 60:.1f} minutes. Next: tfclf export {result.folder} FOLDER"
    )
