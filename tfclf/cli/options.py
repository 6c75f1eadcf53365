"""Options that several commands share."""

from typing import Annotated

import typer

from tfclf.catalog import cards as all_cards
from tfclf.data import Layout
from tfclf.data.records import parse_delimiter, parse_format
from tfclf.decision import CALIBRATED, Threshold
from tfclf.errors import InputError

Machine = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, for programs to read; the default is for people."),
]
Xla = Annotated[
    bool | None,
    typer.Option(
        "--xla/--no-xla",
        help="Let XLA compile the encoder. It is faster on a GPU and slower on a CPU.",
        show_default="with a GPU",
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        help="Texts per batch. Raise it on a GPU with free memory; lower it if memory runs out.",
        min=1,
    ),
]

ModelSource = Annotated[
    str,
    typer.Argument(
        help="An exported model, a Hugging Face checkpoint, a KerasHub preset, a Spark NLP "
        "archive, a card's name, or a hub id."
    ),
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--pair",
        help="Second text, for models that compare two. Give one for each text, in their order.",
    ),
]
PairColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the second text in --file, by name or by position from 0, for models "
        "that compare two."
    ),
]
Long = Annotated[
    str,
    typer.Option(
        help="What to do with texts that are too long: 'truncate' reads their start. "
        "Use 'windows' if the end matters; it reads all of them, and is slower."
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        help="Tokens that a window shares with the one before it. Raise it to give words near "
        "a window's edge more context.",
        show_default="a quarter of max_length",
    ),
]

# Columns of a file of rows, in case the file does not show them itself.
TextColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--text-column",
        help="Column of the text, by name or by position from 0, if it has an unusual name. "
        "Give it several times to join columns by a space.",
        show_default="recognised",
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        help="Column of the label, by name or by position from 0, if it has an unusual name.",
        show_default="recognised",
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first row of a CSV file names its columns. Set it if the guess is wrong.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        help="Character between the columns of a CSV file: ';', tab, pipe. Set it if the header "
        "does not show it.",
        show_default="as the header shows",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of the rows: csv, tsv, jsonl, json, parquet. Give it if the file's name does "
        "not show it, and for rows on standard input.",
        show_default="by the file's suffix",
    ),
]
LabelBase = Annotated[
    int | None,
    typer.Option(
        help="Number of the first label, if labels are numbers and an error asks for it.",
        min=0,
        max=1,
    ),
]

TopK = Annotated[
    int | None,
    typer.Option(
        help="Number of likeliest labels to list, with their probabilities. Set it if one label "
        "says too little.",
        min=1,
        show_default="the label alone",
    ),
]
Thresholds = Annotated[
    list[str] | None,
    typer.Option(
        "--threshold",
        help="For a multi-label model: list the labels with at least this probability. A number "
        "for all labels, LABEL=NUMBER for one (give it once for each; others keep 0.5), or "
        "'calibrated' for those that tfclf calibrate found.",
    ),
]
AbstainBelow = Annotated[
    float | None,
    typer.Option(
        help="Give no label if its probability is below this, from 0 to 1. Set it if a wrong label "
        "costs more than none.",
    ),
]


def parse_thresholds(given: list[str] | None) -> Threshold | None:
    """Parse --threshold: one number, or 'calibrated', or LABEL=NUMBER any number of times.

    >>> parse_thresholds(["0.4"]), parse_thresholds(["calibrated"])
    (0.4, 'calibrated')
    >>> parse_thresholds(["toxic=0.3", "a=b=0.5"])
    {'toxic': 0.3, 'a=b': 0.5}

    Raises: InputError.
    """
    if not given:
        return None
    by_label: dict[str, float] = {}
    for words in given:
        label, equals, number = words.rpartition("=")
        if not equals and len(given) > 1:
            raise InputError(
                f"--threshold is given {len(given)} times, once as {words!r}. Expected one number "
                f"for all labels, or LABEL=NUMBER each time."
            )
        if words == CALIBRATED:
            return words
        try:
            value = float(number)
        except ValueError:
            raise InputError(
                f"--threshold is {words!r}; expected a number from 0 to 1, LABEL=NUMBER, or "
                f"{CALIBRATED}."
            ) from None
        if not equals:
            return value
        by_label[label] = value
    return by_label


def complete_card(incomplete: str) -> list[str]:
    """Return the names and references of cards that begin so, for the shell's completion.

    >>> complete_card("en.classify.a")
    ['en.classify.albert.ag_news']
    """
    names = []
    for card in all_cards.cards():
        names += [name for name in (card.name, *card.nlu_references) if name.startswith(incomplete)]
    return names


def layout_of(
    text_column: list[str] | None,
    label_column: str | None,
    header: bool | None,
    label_base: int | None,
    delimiter: str | None = None,
    *,
    pair_column: str | None = None,
    file_format: str | None = None,
) -> Layout:
    """Return the options on columns as one record.

    Raises: InputError for a bad delimiter or format.
    """
    return Layout(
        text=tuple(text_column or ()),
        label=label_column,
        pair=pair_column,
        header=header,
        label_base=label_base,
        delimiter=None if delimiter is None else parse_delimiter(delimiter),
        format=None if file_format is None else parse_format(file_format),
    )
