"""`tfclf predict`."""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from tfclf.cli.options import Machine, TextColumns, Xla
from tfclf.cli.quiet import quiet_start
from tfclf.cli.text_source import texts_from
from tfclf.data import Layout
from tfclf.prediction import Prediction


def predict(
    model: Annotated[str, typer.Argument(help="An exported model, or a Hugging Face checkpoint.")],
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts; none: --file, or standard input, a line each.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Texts: .txt (a line each), .csv, .jsonl (both also .gz) or .parquet.")
    ] = None,
    text_column: TextColumns = None,
    batch_size: Annotated[int, typer.Option(help="Texts at once.", min=1)] = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Classifies text: a table for people, JSON lines for machines.

    Example: `tfclf predict my_model "Shares jump after earnings" --json`
    """
    source = texts_from(texts or (), file, Layout(text=tuple(text_column or ())))
    with quiet_start():
        from tfclf.loader import load

    classifier = load(model, xla=xla)
    kept: list[str] = []  # the texts of the batch under way: predictions come in order
    predictions = classifier.predict(_kept(source, kept), batch_size=batch_size, progress=not sys.stdout.isatty())
    show = _json_lines if machine else _table
    widest = max(map(len, classifier.labels))
    for line in show(((kept.pop(0), prediction) for prediction in predictions), widest):
        typer.echo(line)


def _kept(texts: Iterable[str], kept: list[str]) -> Iterator[str]:
    for text in texts:
        kept.append(text)
        yield text


def _json_lines(rows: Iterable[tuple[str, Prediction]], _: int) -> Iterator[str]:
    for text, prediction in rows:
        yield json.dumps({"text": text, **prediction.to_dict()}, ensure_ascii=False)


def _table(rows: Iterable[tuple[str, Prediction]], widest: int) -> Iterator[str]:
    """Line by line, not as one rich table: a million rows must fit."""
    from rich.cells import set_cell_size

    label_width = max(widest, len("label"))
    room = max(20, shutil.get_terminal_size().columns - label_width - 9)
    yield typer.style(f"{'label':<{label_width}}  score  text", bold=True)
    for text, prediction in rows:
        # What would move the cursor or change colours is no text to a terminal.
        printable = "".join(character if character.isprintable() else " " for character in text[: 2 * room])
        if len(text) > len(printable) or _cells(printable) > room:
            printable = set_cell_size(printable, room - 1).rstrip() + "…"
        yield f"{set_cell_size(prediction.label, label_width)}  {prediction.score:.3f}  {printable}"


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
