"""`tfclf train`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf.cli.options import (
    Delimiter,
    Format,
    Header,
    LabelBase,
    LabelColumn,
    Machine,
    TextColumns,
    layout_of,
)
from tfclf.cli.recipe_options import add_recipe_options, given_fields
from tfclf.cli.startup import start_to_make
from tfclf.cli.tables import print_report
from tfclf.data.labels import describe_numbers
from tfclf.data.layout import check_table
from tfclf.errors import InputError
from tfclf.training.recipe import Recipe

if TYPE_CHECKING:
    from tfclf.data import Layout
    from tfclf.training import Plan, TrainingResult

# Sources of a recipe's values, as the table of the plan names them.
_SOURCES = {
    "card": "the card",
    "assumed": "assumed, not published",
    "given": "given",
    "default": "tfclf's default",
}


@add_recipe_options
def train(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder to make for the trained checkpoint."),
    ],
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
            help="Training rows: .csv, .tsv, .jsonl, .ndjson, .json (all also .gz) or .parquet; "
            "with --card the data set's folder.",
            show_default=False,
        ),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(
            help="Take recipe, base model and data set from this card, by name or NLU reference."
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="The same as BASE. With --card, also the hub id of a pulled model."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The same as DATA.")] = None,
    train_file: Annotated[
        Path | None,
        typer.Option(
            help="With --card: the file of training rows. Give it if the file's name does not "
            "show that it holds them."
        ),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Rows to measure the trained model on. They are never trained on.",
            show_default="with --card the folder's test split",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Labels in the order of the model's outputs: neg,pos. Give them if the "
            "checkpoint has no head for them yet.",
            show_default="the checkpoint's own",
        ),
    ] = None,
    text_column: TextColumns = None,
    label_column: LabelColumn = None,
    header: Header = None,
    delimiter: Delimiter = None,
    file_format: Format = None,
    label_base: LabelBase = None,
    machine: Machine = False,
    **options: Any,
) -> None:
    """Fine-tune a checkpoint on labelled rows and write a checkpoint that classifies.

    With --card, checkpoint, recipe and data set come from the card; options given here replace what
    it says. Repeat the same command to resume an interrupted training at its last save.

    Example: `tfclf train distilbert-base-uncased train.csv --labels neg,pos -o my_model`

    Example: `tfclf train --card en.classify.roberta.imdb --data aclImdb -o imdb_again`
    """
    given = given_fields(options)
    layout = layout_of(
        text_column, label_column, header, label_base, delimiter, file_format=file_format
    )
    base = _choose(base_argument, base, "BASE")
    data = _choose(data_argument, data, "DATA")
    plan = None
    if card is not None:
        if labels is not None:
            raise InputError(
                "--labels and --card are given. "
                "A card's labels are those of its data set; leave one out."
            )
        plan = _plan(card, data, base, train_file, test, given, layout)
        if not machine:
            _print_plan(plan)
        result = _train_by_plan(plan, output, progress=not machine)
    else:
        if train_file is not None:
            raise InputError(
                f"--train-file {train_file} is for --card. "
                f"Without a card give the file itself as DATA."
            )
        names = None if labels is None else [label.strip() for label in labels.split(",")]
        result = _train(base, data, output, test, names, given, layout, progress=not machine)
    if machine:
        typer.echo(json.dumps(_to_json(result, plan), ensure_ascii=False))
    else:
        _print_result(result, plan, test)


def _choose(argument: Path | None, option: Path | None, name: str) -> Path | None:
    if argument is not None and option is not None:
        raise InputError(
            f"both {name} ({argument}) and --{name.lower()} {option} are given; "
            f"expected one of the two."
        )
    return option if argument is None else argument


def _train(
    base: Path | None,
    data: Path | None,
    output: Path,
    test: Path | None,
    labels: list[str] | None,
    given: dict[str, Any],
    layout: "Layout",
    *,
    progress: bool,
) -> "TrainingResult":
    if base is None or data is None:
        missing = [name for name, path in (("BASE", base), ("DATA", data)) if path is None]
        raise InputError(
            f"{' and '.join(missing)} not given: a checkpoint to start from, and rows to train on. "
            f"Or let a card say how: tfclf train --card NAME --data FOLDER -o OUT"
        )
    recipe = Recipe(**given)
    # Check now, before TensorFlow and the base are loaded.
    for path in (data, test):
        if path is not None:
            check_table(path, layout, labelled=True)
    start_to_make("tfclf train")
    from tfclf.training import train as fine_tune

    return fine_tune(
        base,
        data,
        output,
        recipe=recipe,
        labels=labels,
        test=test,
        layout=layout,
        progress=progress,
    )


def _plan(
    name: str,
    data: Path | None,
    base: Path | None,
    train_file: Path | None,
    test: Path | None,
    given: dict[str, Any],
    layout: "Layout",
) -> "Plan":
    from tfclf.catalog.cards import find
    from tfclf.data import find_data_set

    card = find(name)
    if data is None:
        data_set = find_data_set(card.training.data_set)
        raise InputError(
            f"{card.name} is trained on {data_set.title}. Say where it is: --data FOLDER. "
            f"It can be had from {data_set.address}"
        )
    start_to_make("tfclf train")
    from tfclf.training import plan_card

    return plan_card(
        card, data, base=base, given=given, train_file=train_file, test_file=test, layout=layout
    )


def _train_by_plan(plan: "Plan", output: Path, *, progress: bool) -> "TrainingResult":
    from tfclf.training import train as fine_tune

    return fine_tune(
        plan.base,
        plan.read_rows(),
        output,
        recipe=plan.recipe,
        labels=plan.labels,
        test=plan.read_test_rows(),
        origin=plan.to_dict(),
        progress=progress,
    )


def _print_plan(plan: "Plan") -> None:
    """Print the plan on stderr, before training spends hours on it."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    base_model = plan.card.training.base_model
    if plan.base_source == "given":
        note = f" (the card's is {base_model})" if base_model else ""
        table.add_row("base", str(plan.base), f"given{note}")
    else:
        table.add_row("base", base_model, _SOURCES[plan.base_source])
    recipe = plan.recipe.to_dict()
    for name, source in plan.sources.items():
        published = plan.card.training.recipe.get(name)
        note = ""
        if source == "given" and published is not None:
            note = f" (the card's is {published})"
        value = "none" if recipe[name] is None else str(recipe[name])
        table.add_row(name, value, _SOURCES[source] + note)
    data_set = plan.rows.data_set
    test_names = ", ".join(plan.test_rows.names) if plan.test_rows else "none found"
    order = f"{data_set.title}, in the order of its numbers"
    table.add_row("data", ", ".join(plan.rows.names), data_set.title)
    table.add_row("test", test_names, data_set.title)
    table.add_row("labels", ", ".join(plan.labels), order)
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold]{plan.card.name}[/]", soft_wrap=True)
    console.print(table)


def _to_json(result: "TrainingResult", plan: "Plan | None") -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "best_epoch": result.best_epoch,
        "train_runtime": result.seconds,
        "held_back": result.held_back.to_dict(),
        "test": result.test and result.test.to_dict(),
        **({"numbers": dict(result.numbers)} if result.numbers else {}),
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
    if result.numbers:
        typer.echo(describe_numbers(result.numbers))
    typer.echo(
        f"{result.folder}: epoch {result.best_epoch} of {len(result.history)} was best; "
        f"{result.seconds / 60:.1f} minutes. Next: tfclf export {result.folder} FOLDER"
    )
