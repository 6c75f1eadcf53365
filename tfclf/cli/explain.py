"""`tfclf explain`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf.cli.consoles import make_console
from tfclf.cli.options import (
    BatchSize,
    Delimiter,
    Format,
    Header,
    Long,
    Machine,
    ModelSource,
    PairColumn,
    Pairs,
    Stride,
    TextColumns,
    Xla,
    layout_of,
)
from tfclf.cli.startup import start_to_predict
from tfclf.cli.text_source import rows_from, split_columns

if TYPE_CHECKING:
    from tfclf.explanation import Explanation, Word

_LONGEST_TEXT = 2_000  # characters of a text that are printed for people
_SHOWN = 8  # words with their numbers
# Words with less than this share of the strongest effect have no colour.
_WEAK, _STRONG = 0.1, 0.5


def explain(
    model: ModelSource,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Texts to explain. Without any, they come from --file, or from standard input, "
            "one per line."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            help="File of texts: .txt (one per line), .csv, .tsv, .jsonl, .ndjson, .json (all also "
            ".gz) or .parquet; - is standard input.",
        ),
    ] = None,
    text_column: TextColumns = None,
    header: Header = None,
    delimiter: Delimiter = None,
    file_format: Format = None,
    pair: Pairs = None,
    pair_column: PairColumn = None,
    long: Long = "truncate",
    stride: Stride = None,
    batch_size: BatchSize = 32,
    xla: Xla = None,
    machine: Machine = False,
) -> None:
    """Show which words moved the label: each is left out in turn, and the rest classified.

    A number is the word's effect on the logit of the predicted label: above 0 the word supports the
    label, below 0 it opposes it. A text of 40 words takes 41 times as long as `tfclf predict`.

    Example: `tfclf explain my_model "Shares jump after earnings"`
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
    rows, with_pairs = rows_from(texts or (), pair or (), file, layout)
    start_to_predict(model)
    from tfclf.loader import load

    classifier = load(model, xla=xla)
    columns = split_columns(iter(rows), 2 if with_pairs else 1)
    explanations = classifier.explain(
        columns[0],
        pairs=columns[1] if with_pairs else None,
        long=long,
        stride=stride,
        batch_size=batch_size,
    )
    if machine:
        for explanation in explanations:
            typer.echo(json.dumps(explanation.to_dict(), ensure_ascii=False))
    else:
        _print_texts(explanations)


def _print_texts(explanations: "Iterator[Explanation]") -> None:
    from rich.text import Text

    console = make_console(markup=False, highlight=False)
    for explanation in explanations:
        prediction = explanation.prediction
        head = Text.assemble((prediction.label, "bold"), f"  {prediction.score:.3f}")
        if prediction.truncated:
            head.append("  (truncated)")
        console.print(head)
        strongest = max((abs(word.effect) for word in explanation.words), default=0.0)
        for place, text in enumerate((explanation.text, explanation.text_pair)):
            if not text:
                continue
            words = [word for word in explanation.words if word.place == place]
            console.print(_colour(text, words, strongest), soft_wrap=True)
        shown = explanation.strongest(_SHOWN)
        effects = "  ".join(f"{word.effect:+.3f} {_clean(word.text)}" for word in shown)
        console.print(Text(f"  {effects or 'no words'}"), soft_wrap=True)
        if not explanation.complete:
            console.print(
                f"  ({len(explanation.words)} words are explained; the text has more)",
                soft_wrap=True,
            )


def _colour(text: str, words: "list[Word]", strongest: float) -> Any:
    """Return the text with a colour on each word that matters: green supports, red opposes."""
    from rich.text import Text

    shown = Text("  " + _clean(text[:_LONGEST_TEXT]))
    if len(text) > _LONGEST_TEXT:
        shown.append("…")
    for word in words:
        share = abs(word.effect) / strongest if strongest else 0.0
        if share >= _WEAK and word.end <= _LONGEST_TEXT:
            colour = "green" if word.effect > 0 else "red"
            style = f"bold reverse {colour}" if share >= _STRONG else colour
            shown.stylize(style, word.start + 2, word.end + 2)
    return shown


def _clean(text: str) -> str:
    r"""Blank out control characters, which would move a terminal's cursor; offsets stay.

    >>> _clean("two\nlines\x1b[2J")
    'two lines [2J'
    """
    return "".join(character if character.isprintable() else " " for character in text)
