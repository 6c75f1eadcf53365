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

from tfclf.cli.options import (
    BatchSize,
    Delimiter,
    Format,
    Header,
    Machine,
    TextColumns,
    Xla,
    layout_of,
)
from tfclf.cli.startup import start_tensorflow
from tfclf.cli.text_source import count_rows, pairs_from, read_first, texts_from
from tfclf.data.pairing import pair_with_rows
from tfclf.prediction import Prediction
from tfclf.problem_types import REGRESSION
from tfclf.progress import show_progress

if TYPE_CHECKING:
    from tfclf.classifier import Classifier

_Row = tuple[str, ...]  # a text, or a text and its pair


def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="An exported model, a Hugging Face checkpoint, a KerasHub preset, a Spark NLP "
            "archive, a card's name, or a hub id."
        ),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts to classify. Without any, they come from --file, or from standard input, "
            "one per line."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="File of texts: .txt (one per line), .csv, .tsv, .jsonl, .ndjson, .json (all also "
            ".gz) or .parquet; - is standard input, one text per line unless --format says more.",
        ),
    ] = None,
    text_column: TextColumns = None,
    header: Header = None,
    delimiter: Delimiter = None,
    file_format: Format = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            help="Second text, for models that compare two. Give one for each text, in their order."
        ),
    ] = None,
    pair_column: Annotated[
        str | None,
        typer.Option(
            help="Column of the second text in --file, by name or by position from 0, for models "
            "that compare two."
        ),
    ] = None,
    long: Annotated[
        str,
        typer.Option(
            help="What to do with texts that are too long: 'truncate' reads their start. "
            "Use 'windows' if the end matters; it reads all of them, and is slower."
        ),
    ] = "truncate",
    stride: Annotated[
        int | None,
        typer.Option(
            help="Tokens that a window shares with the one before it. Raise it to give words near "
            "a window's edge more context.",
            show_default="a quarter of max_length",
        ),
    ] = None,
    batch_size: BatchSize = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Classify text: a table for people, JSON lines for programs.

    Example: `tfclf predict my_model "Shares jump after earnings" --json`
    """
    layout = layout_of(
        text_column,
        None,
        header,
        None,
        delimiter,
        pair_column=pair_column,
        file_format=file_format,
    )
    with_pairs = bool(pair) or pair_column is not None
    rows: Iterable[_Row]
    if with_pairs:
        rows = pairs_from(texts or (), pair or (), file, layout)
    else:
        rows = ((text,) for text in texts_from(texts or (), file, layout))
    start_tensorflow()
    from tfclf.loader import load

    classifier = load(model, xla=xla)

    def predict_rows(rows: Iterator[_Row]) -> Iterable[Prediction]:
        # Rows to columns; `tee` holds no more rows than a batch.
        copies = tee(rows, 2 if with_pairs else 1)
        columns = [map(itemgetter(index), copy) for index, copy in enumerate(copies)]
        return classifier.predict(
            columns[0],
            pairs=columns[1] if with_pairs else None,
            long=long,
            stride=stride,
            batch_size=batch_size,
        )

    predicted: Iterable[tuple[_Row, Prediction]] = pair_with_rows(rows, predict_rows)
    if not sys.stdout.isatty():
        total = len(texts) if texts else None
        if file is not None and sys.stderr.isatty():
            total = count_rows(file, layout)
        predicted = show_progress(predicted, total=total, unit="texts")
    lines = _json_lines(predicted) if machine else _table_lines(predicted, classifier)
    for line in lines:
        typer.echo(line)


def _json_lines(predicted: Iterable[tuple[_Row, Prediction]]) -> Iterator[str]:
    for row, prediction in predicted:
        named = dict(zip(("text", "text_pair"), row, strict=False))
        yield json.dumps({**named, **prediction.to_dict()}, ensure_ascii=False)


def _table_lines(
    predicted: Iterable[tuple[_Row, Prediction]], classifier: "Classifier"
) -> Iterator[str]:
    """Yield the table line by line, not as one rich table: a million rows must fit in memory."""
    from rich.cells import cell_len, set_cell_size

    label_width = max(cell_len(name) for name in (*classifier.labels, "label"))
    # A probability has five characters; a value may have a sign and any size.
    score_width = 10 if classifier.manifest.problem_type == REGRESSION else 5
    text_width = max(20, shutil.get_terminal_size().columns - label_width - score_width - 4)
    # Before the head is printed, so that no table begins if the first batch is an error.
    predicted = read_first(iter(predicted))
    yield typer.style(f"{'label':<{label_width}}  {'score':>{score_width}}  text", bold=True)
    rows = truncated = 0
    for row, prediction in predicted:
        rows, truncated = rows + 1, truncated + bool(prediction.truncated)
        mark = "*" if prediction.truncated else " "
        label = set_cell_size(prediction.label, label_width)
        text = _fit(" | ".join(row), text_width)
        yield f"{label}  {prediction.score:>{score_width}.3f}{mark} {text}"
    if truncated:
        hint = " --long windows reads all of a text." if len(row) == 1 else ""
        typer.echo(
            f"* {truncated:,} of {rows:,} rows are longer than {classifier.max_length} tokens, "
            f"and were truncated to that.{hint}",
            err=True,
        )


def _fit(text: str, width: int) -> str:
    r"""Shorten a text to `width` terminal cells, and blank out control characters.

    >>> _fit("news\tof the day", 10)
    'news of t…'
    """
    from rich.cells import cell_len, set_cell_size

    # A terminal would move the cursor or change colours on control characters.
    start = text[: 2 * width]
    printable = "".join(character if character.isprintable() else " " for character in start)
    if len(text) > len(printable) or cell_len(printable) > width:
        return set_cell_size(printable, width - 1).rstrip() + "…"
    return printable
