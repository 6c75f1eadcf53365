"""`tfclf predict`."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from tfclf.cli.options import (
    AbstainBelow,
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
    Thresholds,
    TopK,
    Xla,
    layout_of,
    parse_thresholds,
)
from tfclf.cli.predict import to_file
from tfclf.cli.predict.lines import make_json_lines, make_table_lines
from tfclf.cli.startup import start_to_predict
from tfclf.cli.text_source import Row, count_rows, rows_from, split_columns
from tfclf.data.pairing import pair_with_rows
from tfclf.decision import Rule
from tfclf.prediction import Prediction
from tfclf.progress import show_progress


def predict(
    model: ModelSource,
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
            ".gz) or .parquet; - is standard input, one text per line unless --format says more. "
            "With --output also a folder or a quoted pattern: 'rows/*.parquet'.",
        ),
    ] = None,
    text_column: TextColumns = None,
    header: Header = None,
    delimiter: Delimiter = None,
    file_format: Format = None,
    pair: Pairs = None,
    pair_column: PairColumn = None,
    top_k: TopK = None,
    threshold: Thresholds = None,
    abstain_below: AbstainBelow = None,
    long: Long = "truncate",
    stride: Stride = None,
    batch_size: BatchSize = 32,
    xla: Xla = None,
    machine: Machine = False,
    output: to_file.OutputPath = None,
    columns: to_file.Columns = None,
    prefix: to_file.Prefix = None,
    rename: to_file.Rename = None,
    probabilities: to_file.Probabilities = None,
    on_error: to_file.OnError = None,
    shard: to_file.ShardOfRows = None,
    part_rows: to_file.PartRows = None,
    streams: to_file.Streams = None,
    resume: to_file.Resume = None,
    overwrite: to_file.Overwrite = False,
) -> None:
    """Classify text: a table for people, JSON lines for programs; or files of rows, in bulk.

    With --output every column of --file is kept, and the predictions stand beside them. If the
    command is killed, give it again: it goes on where it stopped.

    Examples: `tfclf predict my_model "Shares jump after earnings" --json`;
    `tfclf predict my_model --file rows.parquet --output scored.parquet`

    Exit codes: 0 all rows have a prediction; 3 some have none, by --on-error; 2 an error.
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
    options = to_file.FileOptions(
        columns,
        prefix,
        rename,
        probabilities,
        on_error,
        shard,
        part_rows,
        streams,
        resume,
        overwrite,
    )
    rule = Rule.of(top_k, parse_thresholds(threshold), abstain_below)
    if output is not None:
        to_file.check_arguments(texts, pair, file, output)
        to_file.predict_to_file(
            model,
            file,
            output,
            layout,
            options,
            rule=rule,
            long=long,
            stride=stride,
            batch_size=batch_size,
            xla=xla,
            machine=machine,
        )
        return
    to_file.refuse_without_output(options)
    rows, with_pairs = rows_from(texts or (), pair or (), file, layout)
    start_to_predict(model)
    from tfclf.loader import load

    classifier = load(model, xla=xla)

    def predict_rows(rows: Iterator[Row]) -> Iterable[Prediction[str | None]]:
        columns = split_columns(rows, 2 if with_pairs else 1)
        return classifier.predict(
            columns[0],
            pairs=columns[1] if with_pairs else None,
            top_k=top_k,
            threshold=None if rule is None else rule.threshold,
            abstain_below=abstain_below,
            long=long,
            stride=stride,
            batch_size=batch_size,
        )

    predicted: Iterable[tuple[Row, Prediction[str | None]]] = pair_with_rows(rows, predict_rows)
    if not sys.stdout.isatty():
        total = len(texts) if texts else None
        if file is not None and sys.stderr.isatty():
            total = count_rows(file, layout)
        predicted = show_progress(predicted, total=total, unit="texts")
    lines = make_json_lines(predicted) if machine else make_table_lines(predicted, classifier)
    for line in lines:
        typer.echo(line)
