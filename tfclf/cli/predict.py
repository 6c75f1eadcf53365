"""`tfclf predict`."""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import tee
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfclf._tensorflow import quiet_start
from tfclf.cli.options import Machine, TextColumns, Xla
from tfclf.cli.text_source import pairs_from, texts_from
from tfclf.data import Layout
from tfclf.prediction import Prediction
from tfclf.problem_types import REGRESSION

if TYPE_CHECKING:
    from tfclf.classifier import Classifier

_Row = tuple[str, ...]  # a text, or a text and its pair


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="An exported model, a Hugging Face checkpoint, a KerasHub preset, a Spark NLP archive, a "
            "card's name, or a hub id."
        ),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts; none: --file, or standard input, a line each."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Texts: .txt (a line each), .csv, .jsonl (both also .gz) or .parquet."),
    ] = None,
    text_column: TextColumns = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(help="The second text of a pair; one for each text, in their order."),
    ] = None,
    pair_column: Annotated[
        str | None,
        typer.Option(help="Column of the second text, by name or by position from 0, for pairs."),
    ] = None,
    long: Annotated[
        str,
        typer.Option(
            help="Texts that are too long: 'truncate' cuts them, 'windows' reads all of them."
        ),
    ] = "truncate",
    stride: Annotated[
        int | None,
        typer.Option(
            help="Tokens that a window shares with the one before.",
            show_default="a quarter of max_length",
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Texts at once.", min=1)] = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Classifies text: a table for people, JSON lines for machines.

    Example: `tfclf predict my_model "Shares jump after earnings" --json`
    """
    layout = Layout(text=tuple(text_column or ()), pair=pair_column)
    paired = bool(pair) or pair_column is not None
    rows: Iterable[_Row]
    if paired:
        rows = pairs_from(texts or (), pair or (), file, layout)
    else:
        rows = ((text,) for text in texts_from(texts or (), file, layout))
    with quiet_start():
        from tfclf.loader import load

    classifier = load(model, xla=xla)
    kept: list[_Row] = []  # the rows of the batch under way: predictions come in order
    columns = [
        map(itemgetter(index), copy)
        for index, copy in enumerate(tee(_kept(rows, kept), 1 + paired))
    ]
    predictions = classifier.predict(
        columns[0],
        pairs=columns[1] if paired else None,
        long=long,
        stride=stride,
        batch_size=batch_size,
        progress=not sys.stdout.isatty(),
    )
    answers = ((kept.pop(0), prediction) for prediction in predictions)
    for line in _json_lines(answers) if machine else _table(answers, classifier):
        typer.echo(line)


def _kept(rows: Iterable[_Row], kept: list[_Row]) -> Iterator[_Row]:
    for row in rows:
        kept.append(row)
        yield row


def _json_lines(answers: Iterable[tuple[_Row, Prediction]]) -> Iterator[str]:
    for row, prediction in answers:
        named = dict(zip(("text", "text_pair"), row, strict=False))
        yield json.dumps({**named, **prediction.to_dict()}, ensure_ascii=False)


def _table(answers: Iterable[tuple[_Row, Prediction]], classifier: "Classifier") -> Iterator[str]:
    """Line by line, not as one rich table: a million rows must fit."""
    from rich.cells import cell_len, set_cell_size

    label_width = max(cell_len(name) for name in (*classifier.labels, "label"))
    # A probability has five characters; a value may have a sign and any size.
    score_width = 10 if classifier.manifest.problem_type == REGRESSION else 5
    room = max(20, shutil.get_terminal_size().columns - label_width - score_width - 4)
    yield typer.style(f"{'label':<{label_width}}  {'score':>{score_width}}  text", bold=True)
    rows = cut = 0
    for row, prediction in answers:
        rows, cut = rows + 1, cut + bool(prediction.truncated)
        mark = "*" if prediction.truncated else " "
        label = set_cell_size(prediction.label, label_width)
        yield f"{label}  {prediction.score:>{score_width}.3f}{mark} {_shown(' | '.join(row), room)}"
    if cut:
        typer.echo(
            f"* {cut:,} of {rows:,} rows are longer than {classifier.max_length} tokens, and were cut to that."
            + (" --long windows reads all of a text." if len(row) == 1 else ""),
            err=True,
        )


def _shown(text: str, room: int) -> str:
    from rich.cells import cell_len, set_cell_size

    # What would move the cursor or change colours is no text to a terminal.
    printable = "".join(
        character if character.isprintable() else " " for character in text[: 2 * room]
    )
    if len(text) > len(printable) or cell_len(printable) > room:
        return set_cell_size(printable, room - 1).rstrip() + "…"
    return printable
