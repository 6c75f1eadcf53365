"""`tfclf predict --output`: its options, and the job that they describe."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfclf._tensorflow import use_cores_as_streams
from tfclf.cli.startup import start_to_predict
from tfclf.data import Layout
from tfclf.data.lines import is_standard_input
from tfclf.errors import InputError

if TYPE_CHECKING:
    from tfclf.decision import Rule
    from tfclf.tables import Summary

_ROWS_FAILED = 3

OutputPath = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Where the rows of --file go, with their predictions: a .csv, .tsv, .jsonl (all also "
        ".gz) or .parquet file; any other name is a folder of Parquet files.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        help="Column of --file to keep in --output. Give it once for each.",
        show_default="all",
    ),
]
Prefix = Annotated[
    str | None,
    typer.Option(
        help="What stands before the names of the added columns (label, score, one probability for "
        "each label, truncated). Set it if --file has columns of these names.",
        show_default="nothing",
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option(help="Another name for one added column: label=topic. Give it once for each."),
]
Probabilities = Annotated[
    str | None,
    typer.Option(
        help="Probabilities in --output: 'columns', one for each label; 'map', one column of maps "
        "from label to probability; or 'none'.",
        show_default="columns",
    ),
]
OnError = Annotated[
    str | None,
    typer.Option(
        help="What a row without a text does: 'fail' ends the command, 'skip' leaves the row out, "
        "'null' writes it without a prediction. The rows are listed in a file beside --output.",
        show_default="fail",
    ),
]
ShardOfRows = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="Share of the rows that this command takes, I/N: 2/8 is the second of eight. For "
        "array jobs.",
        show_default="all rows",
    ),
]
PartRows = Annotated[
    int | None,
    typer.Option(
        help="Rows that are written at a time. A kill loses at most so many.",
        min=1,
        show_default="10,000",
    ),
]
Streams = Annotated[
    int | None,
    typer.Option(
        help="Batches that run at the same time, each on one core. Lower it if memory runs out.",
        min=1,
        show_default="one for each core, 1 with a GPU",
    ),
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Go on with the same command that was killed, or drop what it wrote and begin anew.",
        show_default="resume",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an --output that is complete.")
]


@dataclass(frozen=True)
class FileOptions:
    """The options that have a meaning with --output only; None for those that were not given."""

    columns: list[str] | None
    prefix: str | None
    rename: list[str] | None
    probabilities: str | None
    on_error: str | None
    shard: str | None
    part_rows: int | None
    streams: int | None
    resume: bool | None
    overwrite: bool


def check_arguments(
    texts: list[str] | None, pair: list[str] | None, file: Path | None, output: Path
) -> None:
    """Check that the rows come from a file, and go to one. Raises: InputError."""
    if str(output) == "-" or (output.exists() and not output.is_file() and not output.is_dir()):
        raise InputError(
            f"--output is {output}, and its parts are written before they are joined, so that a "
            f"kill loses nothing. Expected a file or a folder; for standard output leave --output "
            f"out, and give --json."
        )
    if texts or pair or file is None:
        given = "no --file"
        if texts or pair:
            given = "texts as arguments" if texts else "--pair"
        raise InputError(
            f"--output is given and {given}; expected --file with the rows to classify. "
            f"For single texts leave --output out, and redirect the output: > file"
        )
    if is_standard_input(file):
        raise InputError(
            "--output is given and --file is standard input, which has no columns and cannot be "
            "read again after a kill. Expected a file; or leave --output out, and redirect: > file"
        )


def refuse_without_output(options: FileOptions) -> None:
    """Check that no option is given that --output needs. Raises: InputError."""
    for field in fields(options):
        if getattr(options, field.name) not in (None, False, []) or (
            field.name == "resume" and options.resume is False
        ):
            raise InputError(
                f"--{field.name.replace('_', '-')} is given without --output. Expected --output "
                f"FILE, which keeps the rows' columns; or leave the option out."
            )


def predict_to_file(
    model: str,
    file: Path | None,
    output: Path,
    layout: Layout,
    options: FileOptions,
    *,
    rule: "Rule | None",
    long: str,
    stride: int | None,
    batch_size: int,
    xla: bool | None,
    machine: bool,
) -> None:
    """Run the job and print its summary.

    Raises: typer.Exit with code 3 if rows have no prediction; the errors of `score_files`.
    """
    assert file is not None
    start_to_predict(model)
    streams = use_cores_as_streams(options.streams)
    from tfclf.tables import PART_ROWS, Names, Options, parse_shard, score_files

    summary = score_files(
        model,
        str(file),
        output,
        layout=layout,
        columns=options.columns or None,
        names=Names(
            options.prefix or "",
            _parse_renamed(options.rename or []),
            options.probabilities or "columns",
        ),
        options=Options(long, stride, batch_size, options.on_error or "fail", streams, rule),
        shard=None if options.shard is None else parse_shard(options.shard),
        resume=options.resume is not False,
        overwrite=options.overwrite,
        xla=xla,
        progress=True,
        part_rows=options.part_rows or PART_ROWS,
    )
    typer.echo(json.dumps(_facts_of(summary)) if machine else _describe(summary))
    if summary.failed:
        raise typer.Exit(_ROWS_FAILED)


def _parse_renamed(given: list[str]) -> dict[str, str]:
    """Parse names of columns, OLD=NEW.

    >>> _parse_renamed(["label=topic"])
    {'label': 'topic'}
    """
    renamed = {}
    for words in given:
        old, equals, new = words.partition("=")
        if not (old and equals and new):
            raise InputError(f"--rename is {words!r}; expected OLD=NEW, such as label=topic.")
        renamed[old] = new
    return renamed


def _facts_of(summary: "Summary") -> Mapping[str, Any]:
    return {
        "rows": summary.rows,
        "failed": summary.failed,
        "resumed": summary.resumed,
        "output": str(summary.output),
        "failures": None if summary.failures is None else str(summary.failures),
    }


def _describe(summary: "Summary") -> str:
    words = f"{summary.rows:,} rows in {summary.output}"
    if summary.resumed:
        words += f", of which an earlier run wrote {summary.resumed:,}"
    if summary.failed:
        words += f"\nRows without a prediction: {summary.failed:,}; {summary.failures} says why"
    return words
