"""`tfclf cards`."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from tfclf.catalog import cards as all_cards
from tfclf.catalog.cards import Card, snippet
from tfclf.cli.consoles import make_console
from tfclf.cli.options import Machine, complete_card


def cards(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name or NLU reference of a card to show in full.",
            show_default="list all",
            autocompletion=complete_card,
        ),
    ] = None,
    machine: Machine = False,
) -> None:
    """List the published models, or show one: labels, metrics, recipe and how to run it here.

    Example: `tfclf cards en.classify.albert.ag_news`
    """
    chosen = all_cards.cards() if name is None else (all_cards.find(name),)
    if machine:
        content = [card.to_dict() for card in chosen]
        typer.echo(json.dumps(content if name is None else content[0], ensure_ascii=False))
    elif name is None:
        _print_list(chosen)
    else:
        _print_page(chosen[0])


def _print_list(cards: tuple[Card, ...]) -> None:
    from rich.table import Table

    # Keep it narrow: names are there to be copied, and the longest just fits 80 columns.
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("card, NLU reference", overflow="fold")
    table.add_column("family")
    table.add_column("data set")
    table.add_column("accuracy", justify="right")
    for card in cards:
        accuracy = card.metrics.get("eval_accuracy")
        table.add_row(
            "\n".join((card.name, *(f"[dim]{one}[/]" for one in card.nlu_references))),
            card.family,
            card.training.data_set,
            "" if accuracy is None else f"{accuracy:.4g}",
        )
    console = make_console()
    console.print(table)
    console.print("One of them in full: tfclf cards NAME", highlight=False)


def _print_page(card: Card) -> None:
    from rich.padding import Padding

    console = make_console(highlight=False)

    def print_heading(text: str) -> None:
        console.print(f"\n[bold]{text}[/]")

    def print_lines(text: str) -> None:
        # Do not wrap: an address or a command is there to be copied.
        for line in text.splitlines():
            console.print(f"  {line}", markup=False, soft_wrap=True)

    console.print(card.title, style="bold", markup=False)
    console.print(Padding(_join_lines(card.description), (0, 0, 1, 0), expand=False))
    console.print(_format_pairs(_facts(card)))
    print_heading("Run it here")
    print_lines("\n".join(part for part in (snippet.shell(card), snippet.python(card)) if part))
    print_heading("Published metrics")
    console.print(_format_pairs((key, f"{value:g}") for key, value in card.metrics.items()))
    if card.metrics_by_class:
        console.print(_format_classes(card))
    print_heading("Recipe")
    recipe = {
        "base_model": card.training.base_model or "none: see the notes",
        **card.training.recipe,
    }
    marks = {
        key: " (not on the card; chosen here)" if key in card.training.assumed else ""
        for key in recipe
    }
    console.print(_format_pairs((key, f"{value}{marks[key]}") for key, value in recipe.items()))
    if card.training.base_model is not None:
        print_lines(f"tfclf train --card {card.name} --data FOLDER --output {card.name}")
    if card.notes:
        print_heading("Notes")
        console.print(Padding(_join_lines(card.notes), (0, 0, 0, 2), expand=False))


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield "name", card.name
    yield "NLU", ", ".join(card.nlu_references) or "none"
    yield "language", card.language
    yield "family", card.family
    yield "labels", ", ".join(card.labels)
    yield "tokens", f"{card.max_length} at most, {'cased' if card.case_sensitive else 'uncased'}"
    yield "data set", f"{card.training.data_set} ({card.training.test_rows:,} test rows)"
    yield "licence", card.licence
    yield "published", card.published.isoformat()
    if card.spark_nlp is not None:
        yield "Spark NLP", f"{card.spark_nlp.annotator}, {card.spark_nlp.compatibility}"
    if card.archive is not None:
        yield "archive", card.archive.url + (f" ({card.archive.size})" if card.archive.size else "")
    if card.hub_model is not None:
        yield "hub", card.hub_model
    if card.saved_model is not None:
        yield "export", f"{card.saved_model}, in a clone of tfclf's repository"


def _format_pairs(rows: Any) -> Any:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in rows:
        table.add_row(key, Text(value))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _format_classes(card: Card) -> Any:
    from rich.padding import Padding
    from rich.table import Table

    table = Table("label")
    columns = ("precision", "recall", "f1-score", "support")
    for name in columns:
        table.add_column(name, justify="right")
    for label, metrics in card.metrics_by_class.items():
        table.add_row(label, *(f"{metrics[name]:,g}" for name in columns))
    return Padding(table, (1, 0, 0, 2), expand=False)


def _join_lines(text: str) -> Any:
    """Join the lines of a paragraph, which the terminal then wraps to its own width."""
    from rich.text import Text

    return Text(" ".join(text.split()))
