"""`tfclf train`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf._tensorflow import quiet_start
from tfclf.cli.evaluate.command import Header, LabelBase, LabelColumn, layout_of, print_report
from tfclf.cli.options import Machine, TextColumns
from tfclf.errors import InputError
from tfclf.training.recipe import Recipe

if TYPE_CHECKING:
    from tfclf.data import Layout
    from tfclf.training import Plan, TrainingResult

_DEFAULT = Recipe()
# Why a figure of a card's recipe is what it is, as the table says it.
_SOURCES = {
    "card": "the card",
    "assumed": "assumed, not published",
    "given": "given",
    "default": "tfclf's default",
}


def _recipe_option(help_text: str, default: object) -> Any:
    return typer.Option(help=help_text, show_default=f"the card's, or {default}")


def train(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")],
    base_argument: Annotated[
        Path | None,
        typer.Argument(
            metavar="BASE",
            help="Hugging Face checkpoint to start from; its head may be missing.",
            show_default="the card's base model",
        ),
    ] = None,
    data_argument: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATA",
            help="Training rows: .csv, .jsonl (both also .gz) or .parquet; with --card the data set's folder.",
            show_default=False,
        ),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(help="Card or NLU reference whose recipe, base model and data set to take."),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="The same as BASE; with --card also a hub id that was pulled."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The same as DATA.")] = None,
    train_file: Annotated[
        Path | None,
        typer.Option(
            help="With --card: the file of training rows, where its name does not say so."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Rows to measure the trained model on.",
            show_default="with --card the folder's test split",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Labels in the order of the outputs: neg,pos", show_default="the checkpoint's own"
        ),
    ] = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    label_base: LabelBase = None,
    epochs: Annotated[
        int | None, _recipe_option("Passes over the rows, at most.", _DEFAULT.epochs)
    ] = None,
    batch_size: Annotated[int | None, _recipe_option("Rows a step.", _DEFAULT.batch_size)] = None,
    learning_rate: Annotated[
        float | None, _recipe_option("Its peak.", _DEFAULT.learning_rate)
    ] = None,
    warmup: Annotated[
        float | None, _recipe_option("Share of the steps in which it rises.", _DEFAULT.warmup)
    ] = None,
    weight_decay: Annotated[
        float | None, _recipe_option("Of all but biases and norms.", _DEFAULT.weight_decay)
    ] = None,
    clip_norm: Annotated[
        float | None, _recipe_option("Largest norm of the gradients.", _DEFAULT.clip_norm)
    ] = None,
    max_length: Annotated[
        int | None, _recipe_option("Tokens in a training row, at most.", "the checkpoint's limit")
    ] = None,
    held_back: Annotated[
        float | None,
        _recipe_option("Share of the rows that picks the best epoch.", _DEFAULT.held_back),
    ] = None,
    patience: Annotated[
        int | None,
        _recipe_option(
            "Epochs without a better one before it stops; 0: never stops early.", _DEFAULT.patience
        ),
    ] = None,
    seed: Annotated[
        int | None, _recipe_option("Of split, order, new head and dropout.", _DEFAULT.seed)
    ] = None,
    round_weights: Annotated[
        str | None, _recipe_option("float16: round to what float16 holds exactly.", "not rounded")
    ] = None,
    mixed_precision: Annotated[
        str | None,
        _recipe_option("auto, float32, mixed_bfloat16 or mixed_float16.", _DEFAULT.mixed_precision),
    ] = None,
    jit_compile: Annotated[
        bool | None,
        typer.Option("--jit-compile/--no-jit-compile", help="XLA.", show_default="with a GPU"),
    ] = None,
    save_steps: Annotated[
        int | None,
        _recipe_option("Steps from one save of the state to the next.", _DEFAULT.save_steps),
    ] = None,
    machine: Machine = False,
) -> None:
    """Fine-tunes a checkpoint on labelled rows and writes a checkpoint that classifies.

    With --card the card says from which checkpoint, how, and on which data set; options given here stand in the
    place of what it says. Interrupted, it goes on where it last saved when the same command is given again.

    Example: `tfclf train distilbert-base-uncased train.csv --test test.csv --labels neg,pos -o my_model`

    Example: `tfclf train --card en.classify.roberta.imdb --data aclImdb -o imdb_again`
    """
    given: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "warmup": warmup,
        "weight_decay": weight_decay,
        "clip_norm": clip_norm,
        "max_length": max_length,
        "held_back": held_back,
        "patience": patience,
        "seed": seed,
        "round_weights": round_weights,
        "mixed_precision": mixed_precision,
        "jit_compile": jit_compile,
        "save_steps": save_steps,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if patience == 0:
        given["patience"] = None
    layout = layout_of(text_column, label_column, header, label_base)
    start, rows = _either(base_argument, base, "BASE"), _either(data_argument, data, "DATA")
    if card is not None:
        if labels is not None:
            raise InputError(
                "--labels and --card are given. A card's labels are those of its data set; leave one out."
            )
        result, plan = _train_card(
            card, start, rows, output, train_file, test, given, layout, machine=machine
        )
    else:
        if train_file is not None:
            raise InputError(
                f"--train-file {train_file} is for --card. Without a card give the file itself as DATA."
            )
        result, plan = (
            _train_on(start, rows, output, test, labels, given, layout, machine=machine),
            None,
        )
    if machine:
        typer.echo(json.dumps(_as_json(result, plan), ensure_ascii=False))
    else:
        _print_result(result, plan, test)


def _either(argument: Path | None, option: Path | None, name: str) -> Path | None:
    if argument is not None and option is not None:
        raise InputError(
            f"both {name} ({argument}) and --{name.lower()} {option} are given; expected one of the two."
        )
    return option if argument is None else argument


def _train_on(
    base: Path | None,
    data: Path | None,
    output: Path,
    test: Path | None,
    labels: str | None,
    given: dict[str, Any],
    layout: "Layout",
    *,
    machine: bool,
) -> "TrainingResult":
    if base is None or data is None:
        missing = (
            "BASE and DATA" if base is None and data is None else "BASE" if base is None else "DATA"
        )
        raise InputError(
            f"{missing} not given: a checkpoint to start from, and rows to train on. Or let a card say how: "
            f"tfclf train --card NAME --data FOLDER -o OUT"
        )
    recipe = Recipe(**given)
    with quiet_start():
        from tfclf.training import train as fine_tune
    return fine_tune(
        base,
        data,
        output,
        recipe=recipe,
        labels=None if labels is None else [label.strip() for label in labels.split(",")],
        test=test,
        layout=layout,
        progress=not machine,
    )


def _train_card(
    name: str,
    base: Path | None,
    data: Path | None,
    output: Path,
    train_file: Path | None,
    test: Path | None,
    given: dict[str, Any],
    layout: "Layout",
    *,
    machine: bool,
) -> "tuple[TrainingResult, Plan]":
    from tfclf.catalog.cards import find
    from tfclf.data import find_data_set

    card = find(name)
    if data is None:
        data_set = find_data_set(card.training.data_set)
        raise InputError(
            f"{card.name} is trained on {data_set.title}. Say where it is: --data FOLDER. It can be had from "
            f"{data_set.address}"
        )
    with quiet_start():
        from tfclf.training import plan_card
        from tfclf.training import train as fine_tune
    plan = plan_card(
        card, data, base=base, given=given, train_file=train_file, test_file=test, layout=layout
    )
    if not machine:
        _print_plan(plan)
    result = fine_tune(
        plan.base,
        plan.read_rows(),
        output,
        recipe=plan.recipe,
        labels=plan.labels,
        test=plan.read_test_rows(),
        origin=plan.to_dict(),
        progress=not machine,
    )
    return result, plan


def _print_plan(plan: "Plan") -> None:
    """On stderr, before hours are spent on it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    base_model = plan.card.training.base_model
    if plan.base_source == "given":
        table.add_row(
            "base",
            str(plan.base),
            "given" + (f" (the card's is {base_model})" if base_model else ""),
        )
    else:
        table.add_row("base", base_model, _SOURCES[plan.base_source])
    recipe = plan.recipe.to_dict()
    for name, source in plan.sources.items():
        was = plan.card.training.recipe.get(name)
        note = f" (the card's is {was})" if source == "given" and was is not None else ""
        table.add_row(
            name, "none" if recipe[name] is None else str(recipe[name]), _SOURCES[source] + note
        )
    data_set = plan.rows.data_set
    table.add_row("data", ", ".join(plan.rows.names), data_set.title)
    table.add_row(
        "test", ", ".join(plan.test_rows.names) if plan.test_rows else "none found", data_set.title
    )
    table.add_row(
        "labels", ", ".join(plan.labels), f"{data_set.title}, in the order of its numbers"
    )
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold]{plan.card.name}[/]", soft_wrap=True)
    console.print(table)


def _as_json(result: "TrainingResult", plan: "Plan | None") -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "best_epoch": result.best_epoch,
        "train_runtime": result.seconds,
        "held_back": result.held_back.to_dict(),
        "test": result.test and result.test.to_dict(),
        **({} if plan is None else {"origin": plan.to_dict()}),
    }


def _print_result(result: "TrainingResult", plan: "Plan | None", test: Path | None) -> None:
    print_report(result.held_back, title="Held-back rows")
    if result.test is not None:
        names = test or (plan and plan.test_rows and ", ".join(plan.test_rows.names))
        print_report(result.test, title=f"Test rows ({names})")
        if plan is not None and (published := plan.card.metrics.get("eval_accuracy")) is not None:
            typer.echo(
                f"The card: accuracy {published:.4f} on {plan.card.training.test_rows:,} rows; "
                f"here {result.test.accuracy:.4f} on {result.test.samples:,}."
            )
    typer.echo(
        f"{result.folder}: epoch {result.best_epoch} of {len(result.history)} was best; "
        f"{result.seconds / 60:.1f} minutes. Next: tfclf export {result.folder} FOLDER"
    )
