"""Predictions as lines: a table for people, JSON for programs."""

import json
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import typer

from tfclf.cli.text_source import Row, read_first
from tfclf.prediction import Prediction
from tfclf.problem_types import REGRESSION

if TYPE_CHECKING:
    from tfclf.classifier import Classifier

_NO_LABEL = "-"  # of a row for which the model abstained


def make_json_lines(predicted: Iterable[tuple[Row, Prediction[str | None]]]) -> Iterator[str]:
    """Yield a JSON object per row: its texts and the prediction."""
    for row, prediction in predicted:
        named = dict(zip(("text", "text_pair"), row, strict=False))
        yield json.dumps({**named, **prediction.to_dict()}, ensure_ascii=False)


def make_table_lines(
    predicted: Iterable[tuple[Row, Prediction[str | None]]], classifier: "Classifier"
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
        label = set_cell_size(_describe_label(prediction), label_width)
        text = _fit(" | ".join(row), text_width)
        yield f"{label}  {prediction.score:>{score_width}.3f}{mark} {text}"
        yield from _describe_decision(prediction)
    if truncated:
        hint = " --long windows reads all of a text." if len(row) == 1 else ""
        typer.echo(
            f"* {truncated:,} of {rows:,} rows are longer than {classifier.max_length} tokens, "
            f"and were truncated to that.{hint}",
            err=True,
        )


def _describe_label(prediction: Prediction[str | None]) -> str:
    return _NO_LABEL if prediction.label is None else prediction.label


def _describe_decision(prediction: Prediction[str | None]) -> Iterator[str]:
    """Yield the lines below a row, for what was asked for beside the label."""
    if prediction.reason is not None:
        yield f"  {prediction.reason}"
    if prediction.labels is not None:
        yield f"  labels: {', '.join(prediction.labels) or 'none'}"
    for rank, (label, probability) in enumerate(prediction.top or (), 1):
        yield f"  {rank}. {label}  {probability:.3f}"


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
